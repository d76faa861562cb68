"""
What happens while the daemon still looks for the descriptors of a writer that closes (doc/semantics.md, rules 4, 5 and 12). Reading the fdinfo of an epoll
instance takes the kernel milliseconds where it has thousands of watches: a writer that holds copies of one is looked through for a second.
"""

import os
import subprocess
from pathlib import Path

from programs import PYTHON
from waiting import PROGRAM_TIMEOUT, wait_until

SLOW = """
import errno, os, resource, select, sys

def be_slow():
    resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
    poll, (null, _) = select.epoll(), os.pipe()
    for _ in range(18000):
        poll.register(os.dup(null), select.EPOLLIN)
    for _ in range(60):
        os.dup(poll.fileno())

def say(word, action, *arguments):
    try:
        action(*arguments)
        print(word, 0, flush=True)
    except OSError as why:
        print(word, errno.errorcode[why.errno], flush=True)

descriptor = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o600)
"""


def begin(program, path):
    return subprocess.Popen([PYTHON, "-c", SLOW + program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def wait_for_close(process):
    """Until it is in close(2), which is number 3."""
    wait_until(lambda: Path(f"/proc/{process}/syscall").read_text().startswith("3 "))


def test_what_is_unlinked_meanwhile_is_not_stored(direct_mount, sandbox):
    writer = begin("""
os.write(descriptor, b"val")
be_slow()
print("written", flush=True)
say("close", os.close, descriptor)
""", direct_mount / "prod/NAME")
    assert writer.stdout.readline() == "written\n"
    wait_for_close(writer.pid)
    os.unlink(direct_mount / "prod/NAME")
    output, _ = writer.communicate(timeout=PROGRAM_TIMEOUT)
    assert output == "close 0\n"
    assert direct_mount.unmount() == 0
    assert sandbox.calls(operation="fastly.put_secret") == []


def test_a_write_that_is_refused_meanwhile_fails_the_close(direct_mount, sandbox):
    writer = begin("""
os.write(descriptor, b"val")
if os.fork() == 0:
    sys.stdin.readline()
    say("write", os.write, descriptor, bytes(70000))
    os._exit(0)
be_slow()
print("written", flush=True)
say("close", os.close, descriptor)
""", direct_mount / "prod/NAME")
    assert writer.stdout.readline() == "written\n"
    wait_for_close(writer.pid)
    output, _ = writer.communicate("\n", timeout=PROGRAM_TIMEOUT)
    assert output == "write EFBIG\nclose EFBIG\n"
    assert sandbox.calls(operation="fastly.put_secret") == []


def test_of_two_unrelated_writers_neither_publishes_the_half_of_the_other(direct_mount, sandbox):
    """The first closes one of its two descriptors, and while it is looked through, another process writes: what they write is stored when both have closed it."""
    writer = begin("""
def as_orphan(action):
    if os.fork() == 0:
        if os.fork() == 0:
            action()
        os._exit(0)
    os.wait()

def write_more():
    sys.stdin.readline()
    say("write", os.write, descriptor, b" and half")
    sys.stdin.readline()
    os._exit(0)

as_orphan(write_more)
if child := os.fork():
    os.close(descriptor)
    os.waitpid(child, 0)
    os._exit(0)
os.write(descriptor, b"half")
be_slow()
os.dup2(descriptor, 19999)
print("written", os.getpid(), flush=True)
say("close", os.close, descriptor)
""", direct_mount / "prod/NAME")
    word, process = writer.stdout.readline().split()
    assert word == "written"
    wait_for_close(int(process))
    writer.stdin.write("\n")
    writer.stdin.flush()
    assert writer.stdout.readline() == "write 0\n"
    assert writer.stdout.readline() == "close 0\n"
    assert writer.wait(PROGRAM_TIMEOUT) == 0
    assert sandbox.calls(operation="fastly.put_secret") == []
    writer.communicate("\n", timeout=PROGRAM_TIMEOUT)
    sandbox.wait_for_call("fastly.put_secret", state="answered")
    assert sandbox.uploads() == [b"half and half"]
