"""Warm metadata against a file system that does nothing: side by side, in turns, the best against the best."""

import statistics

from report import Group, Plot, Table
from stage import STORE, output_of

KINDS = ("stat", "getxattr", "ls-l", "find")
TARGET = 0.97
SECRETS_IN_ALL = 1_000_000  # that are listed for one line of the table: of large stores there are fewer turns


def measure_one(stage, kind, mount, secrets, operations):
    return float(output_of(*stage.pinned(stage.work / "load", kind, mount / STORE, secrets, operations)))


def compare(stage, effort, secrets, timeout, say):
    """{kind: ([ours], [the ceiling's])}, turn by turn, each time the other one first."""
    figures = {kind: ([], []) for kind in KINDS}
    turns = max(3, min(effort.turns, SECRETS_IN_ALL // secrets))
    kept = f"entry_timeout={timeout},attr_timeout={timeout}"
    with stage.mount("indefinite", kept) as ours, stage.ceiling(secrets, timeout) as ceiling:
        say(f"{secrets} secrets are listed")
        for mount in (ours, ceiling):
            measure_one(stage, "ls-l", mount, secrets, 0)
        for turn in range(turns):
            say(f"{secrets} secrets, kernel time-outs {timeout} s, turn {turn + 1} of {turns}")
            for kind in KINDS:
                for which in ((0, 1), (1, 0))[turn % 2]:
                    rate = measure_one(stage, kind, (ours, ceiling)[which], secrets, effort.operations)
                    figures[kind][which].append(rate)
    return figures


def measure(stage, effort, say):
    group = Group("Warm metadata")
    table = Table("Operations a second, as a ratio to a file system that does nothing",
                  ["secrets, kernel time-outs", *KINDS],
                  notes=["Best turn against best turn, in brackets the median of all turns' ratios; everything on one processor. "
                         "`ls-l` is readdir and fstatat of each, `find` is `find -printf` with its printing, "
                         "of 1000 mostly its start."])
    rates = Table("The same in thousands a second: sstorefs / nothing", ["secrets, kernel time-outs", *KINDS])
    bars = {}
    for secrets in effort.sizes:
        stage.empty(secrets=secrets)
        for timeout in (0, 1):
            figures = compare(stage, effort, secrets, timeout, say)
            ratios = {kind: max(ours) / max(ceiling) for kind, (ours, ceiling) in figures.items()}
            medians = {kind: statistics.median(a / b for a, b in zip(*pair)) for kind, pair in figures.items()}
            label = f"{secrets}, {timeout} s"
            table.rows.append([label, *(f"{ratios[kind]:.2f} ({medians[kind]:.2f})" for kind in KINDS)])
            rates.rows.append([label, *(f"{max(figures[kind][0]) / 1000:.0f} / {max(figures[kind][1]) / 1000:.0f}" for kind in KINDS)])
            bars[label] = [(kind, ratios[kind]) for kind in KINDS]
            if secrets == effort.reference and not timeout:
                group.targets += [(f"warm `{kind}` of {secrets} secrets, to the ceiling", f"{ratios[kind]:.3f}", f">= {TARGET}",
                                   ratios[kind] >= TARGET) for kind in KINDS[:3]]
    group.tables = [table, rates]
    group.plots = [Plot("metadata", "Warm metadata, as a ratio to a file system that does nothing", "", "ratio", bars, level=1.0)]
    return group
