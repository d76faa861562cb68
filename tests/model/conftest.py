"""Finds what the plays need, and prints what they were."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration"), str(HERE.parents[1] / "contrib/sandbox")]


def pytest_configure(config):
    from mounting import enter_own_mounts

    enter_own_mounts()


def pytest_terminal_summary(terminalreporter):
    reports = [report for key in ("passed", "failed") for report in terminalreporter.stats.get(key, [])]
    for report in reports:
        for name, value in report.user_properties:
            if report.when == "call" and name in ("seed", "played"):
                terminalreporter.write_line(f"{report.nodeid}: {name} {value}")
