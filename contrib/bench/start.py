"""Measures the time from the command to the finished mount."""

import time

from report import Group, Table, seconds
from stage import run

BEYOND = 0.02


def once(stage):
    path = stage.path()
    path.mkdir()
    begun = time.monotonic()
    run(*stage.pinned(stage.program, "fastly:", path, "-o", stage.settings()), capture_output=True)
    took = time.monotonic() - begun
    run("umount", path)
    return took


def measure(stage, effort, say):
    table = Table("From the command to its return, with the mount standing", ["latency of the service", "time", "beyond two round trips"])
    group = Group("Start", [table])
    for latency in effort.latencies:
        stage.empty(latency=latency)
        say(f"{latency * 1000:.0f} ms")
        took = min(once(stage) for _ in range(effort.turns))
        table.rows.append([f"{latency * 1000:.0f} ms", seconds(took), seconds(max(0, took - 2 * latency))])
        group.targets.append((f"mounted, at {latency * 1000:.0f} ms latency", seconds(took), f"< {seconds(2 * latency + BEYOND)}",
                              took < 2 * latency + BEYOND))
    return group
