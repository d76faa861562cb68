"""Rules for all tests: none may be skipped, and no output may have a secret in it."""

import pytest

from secret_leaks import pytest_sessionfinish, pytest_terminal_summary  # noqa: F401


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and a skip is a failure: {report.longrepr}"


def pytest_collectreport(report):
    if report.skipped:
        pytest.exit(f"{report.nodeid} was skipped as a whole, and a skip is a failure: {report.longrepr}", returncode=1)
