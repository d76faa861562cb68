"""Fixtures: those of the integration tests, and a house for the matrix: its own sandbox, and mounts that live as long as it does."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

HERE = Path(__file__).resolve().parent
INTEGRATION = HERE.parent / "integration"
sys.path[:0] = [str(HERE), str(INTEGRATION), str(HERE.parents[1] / "contrib/sandbox")]


def _load(name, path):
    """By its path: there is one conftest.py in each directory."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


globals().update({name: value for name, value in vars(_load("integration_fixtures", INTEGRATION / "conftest.py")).items()
                  if not name.startswith("_")})


@pytest.fixture(scope="session")
def kill_after_write(tmp_path_factory):
    """The program that kills a writer just after it has written."""
    program = tmp_path_factory.mktemp("programs") / "kill_after_write"
    subprocess.run(["cc", "-O1", "-Wall", "-Werror", "-o", program, HERE / "kill_after_write.c"], check=True)
    return program


@pytest.fixture(scope="session")
def gnupg_home():
    """Its agent's socket is in it, and the path of a socket ends at 107 bytes: pytest's own directories are too deep."""
    with TemporaryDirectory(prefix="gnupg") as home:
        yield home
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=True)
