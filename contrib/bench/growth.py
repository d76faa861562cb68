"""Measures growth: time, calls and memory with the number of secrets, and time with the number of writers."""

import os
import time

import writes
from report import Group, Plot, Table, seconds
from stage import STORE, private_memory

LATENCY = 0.02


def of_secrets(stage, secrets):
    """Returns (until the first name, until the last one, calls, bytes each, a second listing)."""
    stage.empty(secrets=secrets)
    with stage.mount("ttl=3600", source=f"fastly:{STORE}") as mount:
        (mount / "SECRET_0000000").stat()
        before = private_memory(mount.pid)
        stage.sandbox.clear()
        begun = time.monotonic()
        with os.scandir(mount.path) as entries:
            next(entries)
            first = time.monotonic() - begun
            count = 1 + sum(1 for _ in entries)
        last = time.monotonic() - begun
        assert count == secrets
        calls = len(stage.sandbox.calls(operation="fastly.list_secrets"))
        memory = (private_memory(mount.pid) - before) / secrets
        begun = time.monotonic()
        assert sum(1 for _ in os.scandir(mount.path)) == secrets
        return first, last, calls, memory, time.monotonic() - begun


def of_writers(stage, count, writers):
    stage.empty(latency=LATENCY)
    with stage.mount() as mount:
        writes.warm(stage, mount)
        return writes.write(stage, mount, "GROW", count, writers)[0]


def measure(stage, effort, say):
    listing = Table("Secrets in a store", ["secrets", "first name", "all names", "calls", "bytes a secret", "again"],
                    notes=["The time of the first listing is the sandbox's, which makes 200 entries a page."])
    again, first_time = [], []
    for secrets in effort.growth:
        say(f"{secrets:,} secrets")
        first, last, calls, memory, second = of_secrets(stage, secrets)
        listing.rows.append([f"{secrets:,}", seconds(first), seconds(last), calls, f"{memory:.0f}", seconds(second)])
        first_time.append((secrets, last))
        again.append((secrets, second))
    table = Table(f"{effort.writes_of_growth} writes by so many writers, {LATENCY * 1000:.0f} ms latency", ["writers", "all", "writes a second"])
    rates = []
    for writers in effort.writers:
        say(f"{writers} writers")
        took = of_writers(stage, effort.writes_of_growth, writers)
        table.rows.append([writers, seconds(took), f"{effort.writes_of_growth / took:.0f}"])
        rates.append((writers, effort.writes_of_growth / took))
    return Group("Growth", [listing, table], [
        Plot("growth", "A listing, by the number of secrets", "secrets", "seconds",
             {"the first time": first_time, "again": again}, logarithmic="xy"),
        Plot("writers", f"Writes a second at {LATENCY * 1000:.0f} ms latency, by the number of writers", "writers", "writes a second",
             {"sstorefs": rates}, logarithmic="x")])
