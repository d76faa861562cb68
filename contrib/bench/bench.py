#!/usr/bin/python3
"""Measures sstorefs against the kernel, a file system that does nothing, curl and the services' own clients; contrib/bench/run.sh calls it.

    bench.py [--quick] [--output FOLDER] [--build FOLDER] [--only GROUP…] [--processor N]

Writes results.md, SVG plots and results.json into the folder. Everything that is compared runs on one processor, in turns, at the highest
priority; quote the best, and repeat what was disturbed.
"""

import argparse
import json
import os
import platform
import shlex
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import calls
import growth
import memory
import metadata
import processor
import report
import start
import writes
from stage import Stage, build, enter_own_mounts

GROUPS = {"metadata": metadata, "writes": writes, "calls": calls, "memory": memory, "processor": processor, "growth": growth, "start": start}


@dataclass
class Effort:
    """The amounts to measure."""

    sizes: tuple = (1_000, 20_000, 100_000)
    reference: int = 20_000
    turns: int = 50
    operations: int = 2_000
    latencies: tuple = (0.0, 0.02, 0.05, 0.1)
    row: int = 200
    settled: int = 1_000
    tries: int = 5
    tries_of_others: int = 3
    memory_secrets: int = 100_000
    refreshes: int = 4
    growth: tuple = (100, 1_000, 10_000, 100_000, 1_000_000)
    writers: tuple = (1, 2, 4, 8, 16, 32, 64, 128, 256)
    writes_of_growth: int = 256


QUICK = Effort(sizes=(1_000,), reference=1_000, turns=3, operations=1_000, latencies=(0.0, 0.02), row=16, settled=50, tries=1, tries_of_others=1,
               memory_secrets=5_000, refreshes=1, growth=(100, 1_000), writers=(1, 8), writes_of_growth=16)


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="under a minute: that it works, not what it comes to")
    parser.add_argument("--output", type=Path, default=Path("bench-results"), help="where results go (%(default)s)")
    parser.add_argument("--build", type=Path, help="where sstorefs is built (a release build is made in a temporary place)")
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=list(GROUPS), metavar="GROUP", help=", ".join(GROUPS))
    parser.add_argument("--processor", type=int, default=0, help="where what is compared runs (%(default)s)")
    return parser.parse_args()


class Progress:
    """One line that changes on a terminal; else a line for each group."""

    def __init__(self, count):
        self.begun = time.monotonic()
        self.count = count
        self.number = 0
        self.group = ""

    def enter(self, group):
        self.number += 1
        self.group = group
        self.say("")
        if not sys.stderr.isatty():
            print(f"{self.number} of {self.count}: {group}", file=sys.stderr, flush=True)

    def say(self, what):
        if sys.stderr.isatty():
            line = f"[{self.number}/{self.count}] {self.group}: {what} ({time.monotonic() - self.begun:.0f} s)"
            print(f"\r\033[K{line[:os.get_terminal_size(2).columns - 1]}", end="", file=sys.stderr, flush=True)

    def end(self):
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr)


def machine():
    """Returns its text without its name."""
    with open("/proc/cpuinfo") as processors:
        kind = "virtual machine" if any("hypervisor" in line for line in processors) else "machine"
    return f"{os.cpu_count()}-core {kind}, Linux {'.'.join(platform.release().split('.')[:2])}"


def write_results(folder, groups, effort):
    import plots  # only here: matplotlib takes its time

    command = f"contrib/bench/run.sh {shlex.join(word for word in sys.argv[1:])}".rstrip()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.md").write_text(report.markdown(groups, machine(), command))
    (folder / "results.json").write_text(json.dumps({"machine": machine(), "effort": asdict(effort), "groups": [asdict(group) for group in groups]},
                                                    indent=1))
    for group in groups:
        for plot in group.plots:
            plots.draw(plot, folder)


def main():
    arguments = read_arguments()
    effort = QUICK if arguments.quick else Effort()
    progress = Progress(len(arguments.only))
    output = arguments.output.resolve()
    given = arguments.build and arguments.build.resolve()
    groups = []
    enter_own_mounts()
    with tempfile.TemporaryDirectory(prefix="sstorefs-bench.") as directory:
        work = Path(directory)
        with Stage(work, build(work, given), arguments.processor) as stage:
            for name in arguments.only:
                progress.enter(name)
                groups.append(GROUPS[name].measure(stage, effort, progress.say))
    write_results(output, groups, effort)
    progress.end()
    print((output / "results.md").read_text())
    print(f"in {output}")


if __name__ == "__main__":
    main()
