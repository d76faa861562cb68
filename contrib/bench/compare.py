#!/usr/bin/python3
"""Compares warm metadata of sstorefs with a file system that does nothing: same machine, same moment, same load.

    sudo contrib/bench/compare.py [--build DIRECTORY] [--rounds N]

Both are mounted side by side, with the kernel's time-outs at 0, and worked on in turns; figures are operations a second,
best against best, and the median of the ratios of all turns. On one processor (--processor), for on two it is the wake-ups
of an idle processor that are measured. Status 1 if a ratio of the best is below --target.
"""

import argparse
import ctypes
import os
import select
import shlex
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
sys.path.insert(0, str(TOP / "contrib/sandbox"))

from control import Sandbox  # noqa: E402

CLONE_NEWNS = 0x00020000


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, help="where sstorefs is built (a release build is made in a temporary place)")
    parser.add_argument("--rounds", type=int, default=20, help="turns of each (%(default)s)")
    parser.add_argument("--secrets", type=int, default=20_000, help="files in the store (%(default)s)")
    parser.add_argument("--operations", type=int, default=20_000, help="of each kind in a turn (%(default)s)")
    parser.add_argument("--processor", type=int, default=0, help="where all of it runs (%(default)s)")
    parser.add_argument("--target", type=float, default=0.97, help="the least ratio (%(default)s)")
    parser.add_argument("--ceiling", help="another program for the ceiling: COMMAND with {mountpoint} and {secrets} in it")
    return parser.parse_args()


def run(*words, **more):
    return subprocess.run([str(word) for word in words], check=True, **more)


def build_all(work, build):
    """The program, the ceiling and the load."""
    if not build:
        build = work / "build"
        run("meson", "setup", build, TOP, "--buildtype=release", "-Dtests=false", "-Dman=disabled", stdout=subprocess.DEVNULL)
        run("ninja", "-C", build, stdout=subprocess.DEVNULL)
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "fuse3"], check=True, capture_output=True, text=True).stdout
    for name in ("nothing", "load"):
        run("cc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-o", work / name, HERE / f"{name}.c", *flags.split())
    return build / "sstorefs"


def own_mounts():
    """Nothing that is mounted here is seen elsewhere, and all of it goes with us."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS):
        sys.exit("compare.py: mounting needs root")
    run("mount", "--make-rprivate", "/")


class Mounted:
    """with Mounted(words, path): … a file system that stays in the foreground, until it is unmounted."""

    def __init__(self, processor, words, path):
        self.words = ["nice","-n","-20","taskset", "-c", str(processor), *map(str, words)]
        self.path = path

    def __enter__(self):
        self.path.mkdir()
        with open("/proc/self/mounts") as mounts:
            changes = select.poll()
            changes.register(mounts, select.POLLPRI)
            self.process = subprocess.Popen(self.words)
            while not os.path.ismount(self.path):
                if self.process.poll() is not None:
                    sys.exit(f"compare.py: {shlex.join(self.words)} ended with status {self.process.returncode}")
                changes.poll(100)
        return self

    def __exit__(self, *failure):
        run("umount", self.path)
        self.process.wait(60)


def measure(options, work, directory):
    """One turn: {kind: operations a second}."""
    words = ["nice","-n","-20","taskset", "-c", options.processor, work / "load", directory, options.secrets, options.operations]
    lines = run(*words, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return {kind: float(figure) for kind, figure in (line.split() for line in lines)}


def compare(options, work, ours, ceiling):
    """Turns of both, each time the other one first. [(kind, our figures, the ceiling's)]"""
    turns = []
    for turn in range(options.rounds):
        pair = [(0, ours), (1, ceiling)]
        figures = dict((which, measure(options, work, path)) for which, path in (pair if turn % 2 else reversed(pair)))
        turns.append((figures[0], figures[1]))
    return [(kind, [turn[0][kind] for turn in turns], [turn[1][kind] for turn in turns]) for kind in turns[0][0]]


def report(options, results):
    least = 9.0
    print(f"{'':10}{'sstorefs':>10}{'ceiling':>10}{'ratio':>8}{'median':>8}")
    for kind, ours, ceiling in results:
        ratio = max(ours) / max(ceiling)
        median = statistics.median(mine / other for mine, other in zip(ours, ceiling))
        least = min(least, ratio)
        print(f"{kind:10}{max(ours):10.0f}{max(ceiling):10.0f}{ratio:8.3f}{median:8.3f}")
    return 0 if least >= options.target else 1


def main():
    options = read_arguments()
    with tempfile.TemporaryDirectory(prefix="sstorefs-bench.") as directory:
        work = Path(directory)
        program = build_all(work, options.build)
        own_mounts()
        with Sandbox() as sandbox:
            sandbox.seed("store", options.secrets)
            (work / "token").write_text(sandbox.token)
            (work / "token").chmod(0o600)
            mine, other = work / "sstorefs", work / "ceiling"
            settings = (f"token_file={work}/token,endpoint={sandbox.url},signing_key={sandbox.signing_key},indefinite,"
                        "entry_timeout=0,attr_timeout=0")
            words = shlex.split(options.ceiling or f"{work}/nothing {{mountpoint}} {{secrets}}")
            words = [word.format(mountpoint=other, secrets=options.secrets) for word in words]
            with Mounted(options.processor, [program, "fastly:", mine, "-f", "-o", settings], mine), \
                    Mounted(options.processor, words, other):
                assert len(os.listdir(mine / "store")) == options.secrets
                results = compare(options, work, mine / "store", other / "store")
        return report(options, results)


if __name__ == "__main__":
    sys.exit(main())
