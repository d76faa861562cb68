"""The fixtures of all tests that mount, and logs of the machines and containers that operators use."""

import shutil
import subprocess

import pytest

from fixtures import *  # noqa: F401, F403
from daemon import BUILD


@pytest.fixture(scope="session")
def archive(tmp_path_factory):
    """meson dist, unpacked."""
    subprocess.run(["meson", "dist", "-C", BUILD, "--no-tests", "--formats", "gztar", "--allow-dirty"], check=True, capture_output=True)
    (made,) = (BUILD / "meson-dist").glob("sstorefs-*.tar.gz")
    to = tmp_path_factory.mktemp("dist")
    shutil.unpack_archive(made, to)
    (tree,) = to.iterdir()
    return tree


@pytest.fixture(scope="session")
def package(archive, tmp_path_factory):
    done = subprocess.run([archive / "contrib/debian/build.sh", tmp_path_factory.mktemp("package")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.hookimpl(hookwrapper=True, specname="pytest_runtest_makereport")
def show_machines(item, call):
    """A failure shows the log of the machine or the containers, beside what the other fixtures show."""
    outcome = yield
    report = outcome.get_result()
    for name in ("machine", "pod"):
        if report.failed and name in getattr(item, "funcargs", {}):
            report.sections.append((f"log of the {name}", item.funcargs[name].log()))
