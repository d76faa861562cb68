"""
Responses without a length in their headers, over HTTP/2: the end of one is noticed only when libcurl runs once more, and what
it has read for one transfer while it served another has no socket that would say so. Each is looked at in time.
"""

import os
import subprocess

import pytest

from programs import PYTHON, start

SECONDS = 12
SECRETS = 1500
# A transfer that was forgotten is seen again when libcurl's limit for finding a connection ends: a third of `timeout`, 10 s.
STALL = 9

BUSY = "while :; do :; done"
WRITER = """
import os, sys, time
name, end = sys.argv[1], time.monotonic() + float(sys.argv[2])
longest = count = 0
while time.monotonic() < end:
    began = time.monotonic()
    descriptor = os.open(f"{name}{count % 7}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.write(descriptor, b"val")
    os.close(descriptor)
    longest, count = max(longest, time.monotonic() - began), count + 1
print(count, longest)
"""
LISTER = """
import os, sys, time
mount, end = sys.argv[1], time.monotonic() + float(sys.argv[2])
longest = count = 0
while time.monotonic() < end:
    began = time.monotonic()
    with open(mount + "/.sstorefs/refresh", "w") as refresh:
        refresh.write("x")
    assert len(os.listdir(mount + "/prod")) >= int(sys.argv[3])
    longest, count = max(longest, time.monotonic() - began), count + 1
print(count, longest)
"""


@pytest.fixture
def busy():
    """Shares a processor with what is tested: it is then interrupted between any two of its steps."""
    processor = min(os.sched_getaffinity(0))
    process = subprocess.Popen(["taskset", "-c", str(processor), "sh", "-c", BUSY])
    yield processor
    process.kill()
    process.wait()


@pytest.mark.parametrize("way", ["without a length", "compressed"])
def test_no_call_is_forgotten(make_mount, tls, nginx, sandbox, busy, way):
    nginx.start(way=way)
    sandbox.seed("prod", SECRETS)
    mount = make_mount(tls)
    os.sched_setaffinity(mount.pid, {busy})
    programs = [start(PYTHON, "-c", WRITER, mount / f"prod/NAME{number}_", SECONDS) for number in (1, 2)]
    programs.append(start(PYTHON, "-c", LISTER, mount.path, SECONDS, SECRETS))
    seen = []
    for program in programs:
        output, wrong = program.communicate(timeout=120)
        assert program.returncode == 0, wrong
        seen.append(tuple(map(float, output.split())))
    assert max(longest for _, longest in seen) < STALL, f"(operations, the longest in seconds): {seen}"
