"""Who takes the daemon's descriptors or its time: no half is ever stored for want of them, and others go on (SECURITY.md, "Denial of service")."""

import errno
import os
import signal
import subprocess

import pytest
from daemon import Mount
from private_mount import PYTHON

# As many writers as there are names: each opens one, writes half and waits to be killed. Prints what open(2) said to each of them.
WRITERS = """
import os, signal, sys
names, children = sys.argv[1:], []
read_end, write_end = os.pipe()
for name in names:
    child = os.fork()
    if child == 0:
        error = 0
        try:
            os.write(os.open(name, os.O_WRONLY), b"half")
        except OSError as why:
            error = why.errno
        os.write(write_end, bytes([error]))
        signal.pause()
    children.append(child)
seen = b""
while len(seen) < len(children):
    seen += os.read(read_end, 4096)
print(sorted(set(seen)), seen.count(0), flush=True)
sys.stdin.readline()
for child in children:
    os.kill(child, signal.SIGKILL)
for child in children:
    os.waitpid(child, 0)
"""


class LimitedMount(Mount):
    """Its daemon has a limit of open files, soft and hard."""

    limit = ""

    def arguments(self, *more):
        return ["prlimit", f"--nofile={self.limit}", *super().arguments(*more)]


@pytest.fixture
def limited(request, tmp_path, direct, sandbox):
    """limited(limit, secrets): a mount, and its secrets' paths."""
    made = request.node.mounts = []

    def make(limit, secrets):
        sandbox.seed("prod", secrets)
        mount = LimitedMount(tmp_path, direct, options="timeout=5")
        mount.limit = limit
        made.append(mount)
        mount.start()
        return mount, [str(mount / f"prod/{name}") for name in os.listdir(mount / "prod")]

    yield make
    for mount in made:
        mount.finish()


def begin(names):
    """The writers, once each knows whether it could open; and their results."""
    writers = subprocess.Popen([PYTHON, "-c", WRITERS, *names], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    errors, _, count = writers.stdout.readline().rpartition(" ")
    return writers, set(map(int, errors.strip("[]").split(", "))), int(count)


def end(writers):
    writers.communicate("\n", timeout=120)
    assert writers.returncode == 0


@pytest.mark.parametrize("limit", ["1024:20000", "512:512"])
def test_of_1500_writers_that_are_killed_half_way_none_stores_its_half(limited, sandbox, limit):
    """The soft limit is raised; where the hard one is low who finds no room waits, and then fails."""
    mount, names = limited(limit, 1500)
    writers, errors, opened = begin(names)
    low = limit == "512:512"
    assert errors == ({0, errno.ENOBUFS} if low else {0}) and (opened < 512 if low else opened == 1500)
    assert ("LimitNOFILE=" in mount.control("errors")) == low
    end(writers)
    assert mount.unmount() == 0
    assert sandbox.calls(operation="fastly.put_secret") == []


def test_1100_files_held_open_change_nothing_for_others(limited, sandbox):
    mount, names = limited("1024:20000", 1101)
    writers, *_ = begin(names[1:])
    done = subprocess.run(["sh", "-c", 'exec 3> "$0"; echo half >&3; kill -KILL $$', names[0]])
    assert done.returncode == -signal.SIGKILL
    subprocess.run(["cp", "/etc/hostname", names[0]], check=True)
    end(writers)
    assert mount.unmount() == 0
    assert len(sandbox.calls(operation="fastly.put_secret")) == 1


def test_what_is_freed_goes_to_the_waiters(limited, sandbox):
    mount, names = limited("512:512", 300)
    writers, *_ = begin(names[:256])
    waiting = subprocess.Popen(["cp", "/etc/hostname", names[299]])
    end(writers)
    assert waiting.wait(60) == 0
    assert len(sandbox.calls(operation="fastly.put_secret")) == 1


def test_a_process_with_1600_groups_is_seen(direct_mount, sandbox):
    """The fields that show its end are behind them in /proc/PID/status."""
    done = subprocess.run([PYTHON, "-c", """if True:
        import os, signal, sys
        os.setgroups(range(1000000000, 1000001700))
        os.write(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o600), b"half")
        os._exit(3)
        """, direct_mount / "prod/NAME"])
    assert done.returncode == 3
    assert direct_mount.unmount() == 0
    assert sandbox.calls(operation="fastly.put_secret") == []


def test_a_writer_whose_descriptors_take_long_to_look_at_does_not_stop_others(direct_mount, sandbox):
    """fdinfo of an epoll instance lists its watches: 18 000 of them, 1500 times, are half a minute. The search is given up, with a message; others write meanwhile."""
    attacker = subprocess.Popen([PYTHON, "-c", """if True:
        import errno, os, resource, select, sys
        resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
        poll = select.epoll()
        null, _ = os.pipe()
        for _ in range(18000):
            poll.register(os.dup(null), select.EPOLLIN)
        for _ in range(1500):
            os.dup(poll.fileno())
        descriptor = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(descriptor, b"whole")
        print("written", flush=True)
        try:
            os.close(descriptor)
        except OSError as why:
            print(errno.errorcode[why.errno])
        """, direct_mount / "prod/NAME"], stdout=subprocess.PIPE, text=True)
    assert attacker.stdout.readline() == "written\n"
    for number in range(5):
        (direct_mount / f"prod/OTHER{number}").write_bytes(b"val")
        os.stat(direct_mount / "prod")
    assert attacker.poll() is None, "it is still being looked through"
    assert attacker.communicate(timeout=60)[0] == "ENOBUFS\n"
    assert sandbox.value("prod", "NAME") is None and sandbox.value("prod", "OTHER4") == b"val"
    assert "ENOBUFS" in direct_mount.control("errors")
