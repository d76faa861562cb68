"""The fixtures of all tests that mount, and logs of the machines and containers that operators use."""

import pytest

from fixtures import *  # noqa: F401, F403


@pytest.hookimpl(hookwrapper=True, specname="pytest_runtest_makereport")
def show_machines(item, call):
    """A failure shows the log of the machine or the containers, beside what the other fixtures show."""
    outcome = yield
    report = outcome.get_result()
    for name in ("machine", "pod"):
        if report.failed and name in getattr(item, "funcargs", {}):
            report.sections.append((f"log of the {name}", item.funcargs[name].log()))
