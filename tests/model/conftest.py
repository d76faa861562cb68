"""Enters a mount namespace of its own, and prints the seeds and counts of the runs."""


def pytest_configure(config):
    from daemon import enter_own_mounts

    enter_own_mounts()


def pytest_terminal_summary(terminalreporter):
    reports = [report for key in ("passed", "failed") for report in terminalreporter.stats.get(key, [])]
    for report in reports:
        for name, value in report.user_properties:
            if report.when == "call" and name in ("seed", "summary"):
                terminalreporter.write_line(f"{report.nodeid}: {name} {value}")
