"""Measures the daemon's own work: processor time, and instructions as callgrind counts them, which repeat exactly."""

import os
import shutil

from report import Group, Table, seconds
from stage import STORE, processor_time, run

SECRETS = 2000


def lookups(mount, count):
    for number in range(count):
        os.stat(mount / f"{STORE}/SECRET_{number % SECRETS:07}")


def digests(mount, count):
    for number in range(count):
        os.getxattr(mount / f"{STORE}/SECRET_{number % SECRETS:07}", "user.digest")


def writes(mount, count):
    for number in range(count):
        descriptor = os.open(mount / f"{STORE}/SECRET_{number % SECRETS:07}", os.O_WRONLY | os.O_TRUNC)
        os.write(descriptor, b"the value\n")
        os.close(descriptor)


KINDS = (("one `stat`", lookups, 1), ("one `getxattr`", digests, 1), ("one write", writes, 10))
SETTINGS = "indefinite,entry_timeout=0,attr_timeout=0"


def get_ready(mount):
    os.listdir(mount / STORE)
    writes(mount, 2)
    lookups(mount, 2)


def times(stage, effort, say):
    """Returns {kind: seconds}, the best of some turns."""
    stage.empty(secrets=SECRETS)
    found = {}
    with stage.mount(SETTINGS) as mount:
        get_ready(mount)
        for kind, work, share in KINDS:
            say(kind)
            figures = []
            for _ in range(effort.turns):
                before = processor_time(mount.pid)
                work(mount, SECRETS // share)
                figures.append((processor_time(mount.pid) - before) / (SECRETS // share))
            found[kind] = min(figures)
    return found


def instructions(stage, work, count):
    """Returns the instructions of one operation, as valgrind counts them: the daemon's, and none of the kernel's."""
    out = stage.work / "callgrind"
    stage.empty(secrets=SECRETS)
    before = ["valgrind", "-q", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}"]
    with stage.mount(SETTINGS, before=before) as mount:
        get_ready(mount)
        run("callgrind_control", "-i", "on", mount.pid, capture_output=True)
        work(mount, count)
        run("callgrind_control", "-i", "off", mount.pid, capture_output=True)
    with open(out) as lines:
        return sum(int(line.split()[1]) for line in lines if line.startswith("totals:")) / count


def measure(stage, effort, say):
    table = Table("The daemon's own work", ["", "processor time", "instructions"])
    found = times(stage, effort, say)
    for kind, work, share in KINDS:
        count = "–"
        if shutil.which("valgrind"):
            say(f"{kind} under callgrind")
            count = f"{instructions(stage, work, 500 // share):,.0f}"
        table.rows.append([kind, seconds(found[kind]), count])
    table.notes = ["A `stat` is three requests of the kernel, a write seven or so and one HTTP request. The time is the kernel's part included, the "
                   "instructions are those in user space."]
    return Group("Processor", [table])
