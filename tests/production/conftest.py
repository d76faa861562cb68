"""Fixtures: those of the integration tests, for what operators do."""

import importlib.util
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
INTEGRATION = HERE.parent / "integration"
sys.path[:0] = [str(HERE), str(INTEGRATION), str(HERE.parents[1] / "contrib/sandbox")]


def _load(name, path):
    """By its path: there is one conftest.py in each directory."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault("conftest", module)
    spec.loader.exec_module(module)
    return module


globals().update({name: value for name, value in vars(_load("integration_fixtures", INTEGRATION / "conftest.py")).items()
                  if not name.startswith("_")})


@pytest.hookimpl(hookwrapper=True, specname="pytest_runtest_makereport")
def show_machines(item, call):
    """A failure shows what the machine or the containers said, beside what the integration tests show."""
    outcome = yield
    report = outcome.get_result()
    for name in ("machine", "pod"):
        if report.failed and name in getattr(item, "funcargs", {}):
            report.sections.append((f"log of the {name}", item.funcargs[name].log()))
