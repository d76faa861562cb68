"""Large stores: what they cost in memory and time. SSTOREFS_SECRETS sets how large (20 000; 1 000 000 was tried)."""

import os
import time

import pytest

from dirents import Raw
from programs import shell

SECRETS = int(os.environ.get("SSTOREFS_SECRETS", 20_000))
BYTES_A_SECRET = 100


@pytest.fixture
def many(sandbox):
    sandbox.seed("prod", SECRETS)
    sandbox.clear()
    return sandbox


def resident(mount):
    """Private memory of the daemon, in bytes."""
    with open(f"/proc/{mount.pid}/smaps_rollup") as rollup:
        figures = dict(line.split(None, 1) for line in rollup if line.startswith(("Private_Clean:", "Private_Dirty:")))
    return sum(int(figure.split()[0]) * 1024 for figure in figures.values())


def comes_down_to(mount, most):
    """What it holds, once it is at most so much: a directory that was closed is let go of a moment later. It is given ten seconds."""
    deadline = time.monotonic() + 10
    while (size := resident(mount)) > most and time.monotonic() < deadline and not is_sanitized(mount):
        time.sleep(0.05)
    return size


def is_sanitized(mount):
    return b"libasan" in open(f"/proc/{mount.pid}/maps", "rb").read()


def count(path):
    with os.scandir(path) as entries:
        return sum(1 for _ in entries)


def test_a_large_store_is_listed_whole_and_streams(make_mount, direct, many):
    mount = make_mount(direct, source="fastly:prod", options="timeout=60")
    with Raw(mount.path, 32768) as directory:
        while not [name for name, *_ in directory.step() if name.startswith("SECRET")]:
            pass
        first = time.monotonic()
        found = sum(1 for name, *_ in directory.entries())
    assert found > SECRETS - 1000 and count(mount.path) == SECRETS
    calls = many.calls(operation="fastly.list_secrets")
    assert len(calls) == min(-(-SECRETS // 200), 50_000)
    assert first < calls[len(calls) // 2]["at"]  # half of the pages were not even asked for
    many.clear()
    for number in range(0, SECRETS, max(1, SECRETS // 1000)):
        os.stat(mount / f"SECRET_{number:07}")
        os.getxattr(mount / f"SECRET_{number:07}", "user.digest")
    assert many.calls() == []


def test_memory_is_bound_and_flat(make_mount, direct, sandbox):
    secrets = max(SECRETS, 100_000)
    sandbox.seed("prod", secrets)
    bare = make_mount(direct, source="fastly:prod", options="timeout=60")
    os.stat(bare / "SECRET_0000000")  # a call was made, and all libraries are warm
    before = resident(bare)
    most = before + BYTES_A_SECRET * secrets
    sizes = []
    for _ in range(5):
        assert count(bare.path) == secrets
        sizes.append(comes_down_to(bare, most))
        bare.refresh()
    if is_sanitized(bare):
        return  # every free is delayed: nothing to be seen here
    print(f"{secrets} secrets: {(sizes[-1] - before) / secrets:.1f} bytes each; {before} before, then {sizes}")
    assert max(sizes) <= most
    assert sizes[4] <= sizes[1] * 1.1 + 500_000


def test_no_process_waits_long_while_a_large_store_is_read(make_mount, direct, many):
    """The loop takes one page, one READDIR at a time."""
    many.put("other", "NAME", b"val")
    mount = make_mount(direct, options="timeout=60")
    os.stat(mount / "other/NAME")
    reader = os.fork()
    if not reader:
        os._exit(count(mount / "prod") != SECRETS)
    answers = 0
    while os.waitpid(reader, os.WNOHANG) == (0, 0):
        os.getxattr(mount / "other/NAME", "user.digest")
        answers += 1
    # Between any two pages there is room for others.
    assert answers > 20


def test_ls_l_of_a_large_store(make_mount, direct, many):
    mount = make_mount(direct, source="fastly:prod", options="timeout=60")
    done = shell("ls -l | wc -l", cwd=mount.path, timeout=600)
    assert int(done.stdout) == SECRETS + 1
    assert len(many.calls(operation="fastly.list_secrets")) == min(-(-SECRETS // 200), 50_000)
