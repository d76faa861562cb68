"""Measures warm metadata against a file system that does nothing: side by side, in turns, the best against the best."""

import os
import statistics

from report import Group, Plot, Table
from stage import STORE, output_of, processor_time

KINDS = ("stat", "getxattr", "ls-l", "find")
TARGET = 0.97
SECRETS_IN_ALL = 500_000  # that are listed for one line of the table: of large stores there are fewer turns


def measure_one(stage, kind, mount, secrets, operations):
    """Returns (operations a second, operations a second of processor time: the load's and the file system's)."""
    before = processor_time(mount.pid)
    done, took, used = map(float, output_of(*stage.pinned(stage.work / "load", kind, mount / STORE, secrets, operations)).split())
    return done / took, done / (used + processor_time(mount.pid) - before)


def compare(stage, effort, secrets, timeout, say):
    """Returns {kind: ([ours], [the ceiling's])}, in turns, each time with the other one first."""
    figures = {kind: ([], []) for kind in KINDS}
    turns = max(3, min(effort.turns, SECRETS_IN_ALL // secrets))
    kept = f"entry_timeout={timeout},attr_timeout={timeout}"
    with stage.mount("indefinite", kept) as ours, stage.ceiling(secrets, timeout) as ceiling:
        say(f"{secrets} secrets are listed")
        for mount in (ours, ceiling):
            sum(1 for _ in os.scandir(mount / STORE))
        for turn in range(turns):
            say(f"{secrets} secrets, kernel time-outs {timeout} s, turn {turn + 1} of {turns}")
            for kind in KINDS:
                # What the kernel answers by itself is over at once.
                operations = effort.operations * (20 if kind == "stat" and timeout else 1)
                for which in ((0, 1), (1, 0))[turn % 2]:
                    figures[kind][which].append(measure_one(stage, kind, (ours, ceiling)[which], secrets, operations))
    return figures


def best(turns):
    return max(rate for rate, _ in turns)


def by_processor_time(turns):
    """The median: other processes' work is not in it, but for their effect on the caches."""
    return statistics.median(rate for _, rate in turns)


def measure(stage, effort, say):
    group = Group("Warm metadata")
    table = Table("Operations a second, as a ratio to a file system that does nothing",
                  ["secrets, kernel time-outs", *KINDS],
                  notes=["Best turn against best turn; in brackets by the processor time that load and file system used, median against median, "
                         "which what else runs on the machine disturbs least. Everything on one processor. "
                         "`ls-l` is readdir and fstatat of each, `find` is `find -printf` with its printing, "
                         "of 1000 mostly its start."])
    rates = Table("The same in thousands a second: sstorefs / nothing", ["secrets, kernel time-outs", *KINDS])
    bars = {}
    for secrets in effort.sizes:
        stage.empty(secrets=secrets)
        for timeout in (0, 1):
            figures = compare(stage, effort, secrets, timeout, say)
            ratios = {kind: best(ours) / best(ceiling) for kind, (ours, ceiling) in figures.items()}
            used = {kind: by_processor_time(ours) / by_processor_time(ceiling) for kind, (ours, ceiling) in figures.items()}
            label = f"{secrets}, {timeout} s"
            table.rows.append([label, *(f"{ratios[kind]:.2f} ({used[kind]:.2f})" for kind in KINDS)])
            rates.rows.append([label, *(f"{best(figures[kind][0]) / 1000:.0f} / {best(figures[kind][1]) / 1000:.0f}" for kind in KINDS)])
            bars[label] = [(kind, ratios[kind]) for kind in KINDS]
            if secrets == effort.reference and not timeout:
                group.targets += [(f"warm `{kind}` of {secrets} secrets, to the ceiling", f"{ratios[kind]:.3f} ({used[kind]:.3f})", f">= {TARGET}",
                                   ratios[kind] >= TARGET) for kind in KINDS[:3]]
    group.tables = [table, rates]
    group.plots = [Plot("metadata", "Warm metadata, as a ratio to a file system that does nothing", "", "ratio", bars, level=1.0)]
    return group
