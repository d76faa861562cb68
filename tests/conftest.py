"""Rules for all tests: none may be skipped, and no output may have a secret in it."""

import signal
import zlib
from collections import defaultdict

import pytest

from secret_leaks import pytest_sessionfinish, pytest_terminal_summary  # noqa: F401


# A shell that starts the tests in the background has them ignore SIGINT, and with them every program that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser):
    parser.addoption("--rows", type=int, metavar="N", help="of each test with a table, run N rows that are the same every time")


def pytest_collection_modifyitems(config, items):
    """
    Each test function runs, with all of its rows or N of them. A checksum of the row's name chooses, so that no parameter
    of the table falls out as it would by counting. What is left out is deselected, and counted as that.
    """
    rows = config.getoption("--rows")
    if not rows:
        return
    tables = defaultdict(list)
    for item in items:
        tables[item.nodeid.partition("[")[0]].append(item)
    chosen = {item for table in tables.values()
              for item in sorted(table, key=lambda item: zlib.crc32(item.nodeid.encode()))[:rows]}
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = [item for item in items if item in chosen]


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
