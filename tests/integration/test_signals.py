"""Signals that arrive while a request waits for the service (doc/semantics.md, rule 18)."""

import ctypes
import errno
import os
import signal
from pathlib import Path

import pytest

from programs import PYTHON, shell, start
from waiting import PROGRAM_TIMEOUT, wait_until

# Catches the signals of its second argument, calls the function of libc that is the third, and prints the errno.
CALLER = """
import ctypes, os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
for number in map(int, sys.argv[2].split()):
    signal.signal(number, lambda *_: None)
    signal.siginterrupt(number, True)
libc = ctypes.CDLL(None, use_errno=True)
if sys.argv[3] == "close":
    argument = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(argument, b"val")
else:
    argument = os.fsencode(sys.argv[1])
print(ctypes.get_errno() if libc[sys.argv[3]](argument) else 0)
"""
CAN_WAIT = ["SIGCHLD", "SIGCONT", "SIGURG", "SIGWINCH", "SIGPROF", "SIGVTALRM", "SIGIO", "SIGPWR", "SIGXCPU", "SIGTSTP", "SIGRTMIN"]


def calling(path, *signals, function="close"):
    return start(PYTHON, "-c", CALLER, path, " ".join(str(int(getattr(signal, name))) for name in signals), function)


def children_of(process):
    return Path(f"/proc/{process}/task/{process}/children").read_text().split()


def is_zombie(process):
    return "\nState:\tZ" in Path(f"/proc/{process}/status").read_text()


def look(mount):
    """The daemon reads requests in their order: it has seen what the kernel sent before these."""
    for _ in range(3):
        (mount / ".sstorefs/status").read_text()


@pytest.fixture
def name(direct_mount, sandbox):
    """The next upload of it is not answered before `sandbox.release()`."""
    sandbox.fault(operation="fastly.put_secret", hold="before", times=1)
    return direct_mount / "prod/NAME"


@pytest.mark.parametrize("number", CAN_WAIT)
def test_a_signal_that_can_wait_ends_no_upload(name, direct_mount, sandbox, number):
    writer = calling(name, number)
    sandbox.wait_for_call("fastly.put_secret", state="held")
    writer.send_signal(getattr(signal, number))
    look(direct_mount)
    sandbox.release()
    assert writer.communicate(timeout=PROGRAM_TIMEOUT) == ("0\n", "")
    assert sandbox.uploads() == [b"val"]


@pytest.mark.parametrize("number", ["SIGINT", "SIGQUIT"])
def test_a_signal_from_the_keyboard_ends_it(name, direct_mount, sandbox, number):
    """Also after one that can wait, of which alone the kernel tells."""
    writer = calling(name, number, "SIGURG")
    sandbox.wait_for_call("fastly.put_secret", state="held")
    writer.send_signal(signal.SIGURG)
    look(direct_mount)
    assert writer.poll() is None
    writer.send_signal(getattr(signal, number))
    assert writer.communicate(timeout=PROGRAM_TIMEOUT) == (f"{errno.EINTR}\n", "")
    (line,) = direct_mount.control("errors").splitlines()
    assert "\tpublish\tprod/NAME\tEINTR\t" in line and line.endswith("whether it was stored is not known")


@pytest.mark.parametrize("number", ["SIGHUP", "SIGALRM", "SIGTERM", "SIGUSR1", "SIGUSR2"])
def test_another_that_is_caught_ends_the_wait_for_it(name, direct_mount, sandbox, number):
    """A shell with `trap ... TERM` would go on after it as if all was well."""
    writer = calling(name, number)
    sandbox.wait_for_call("fastly.put_secret", state="held")
    writer.send_signal(getattr(signal, number))
    assert writer.communicate(timeout=PROGRAM_TIMEOUT) == (f"{errno.EINTR}\n", "")
    (line,) = direct_mount.control("errors").splitlines()
    assert "\tpublish\tprod/NAME\tEINTR\t" in line and line.endswith("its upload goes on")
    sandbox.release()
    assert shell('sync "$NAME"', NAME=name).returncode == 0
    assert sandbox.uploads() == [b"val"]


@pytest.mark.parametrize("number", ["SIGINT", "SIGPIPE", "SIGPWR", "SIGRTMIN", "SIGKILL"])
def test_a_signal_that_ends_the_writer_ends_it(name, direct_mount, sandbox, number):
    writer = calling(name, "SIGURG")
    sandbox.wait_for_call("fastly.put_secret", state="held")
    writer.send_signal(signal.SIGURG)
    look(direct_mount)
    writer.send_signal(getattr(signal, number))
    assert writer.wait(PROGRAM_TIMEOUT) == -getattr(signal, number)
    assert "\tEINTR\t" in direct_mount.control("errors")


def test_what_another_process_waits_for_goes_on(name, direct_mount, sandbox):
    writer = calling(name, "SIGINT")
    sandbox.wait_for_call("fastly.put_secret", state="held")
    waiting = start("sync", name)
    fsync = "74 "  # its number in /proc/PID/syscall, on x86-64
    wait_until(lambda: Path(f"/proc/{waiting.pid}/syscall").read_text().startswith(fsync), "sync does not come to wait")
    look(direct_mount)
    writer.send_signal(signal.SIGINT)
    assert writer.communicate(timeout=PROGRAM_TIMEOUT) == (f"{errno.EINTR}\n", "")
    sandbox.release()
    assert (waiting.wait(PROGRAM_TIMEOUT), waiting.stderr.read()) == (0, "")
    assert sandbox.uploads() == [b"val"]


def test_a_writer_that_is_stopped_and_continued_stores(name, direct_mount, sandbox):
    """As by Ctrl-Z and fg: cp would end with 1, and could not be told to go on."""
    writer = start("cp", "/etc/hostname", name)
    sandbox.wait_for_call("fastly.put_secret", state="held")
    writer.send_signal(signal.SIGSTOP)
    look(direct_mount)
    sandbox.release()
    writer.send_signal(signal.SIGCONT)
    assert (writer.wait(PROGRAM_TIMEOUT), writer.stderr.read()) == (0, "")
    assert len(sandbox.uploads()) == 1


def test_a_writer_whose_threads_are_attached_to_stores(name, direct_mount, sandbox):
    """PTRACE_SEIZE and PTRACE_INTERRUPT, as strace -p does: a thread leaves its wait for it without any signal."""
    writer = start("cp", "/etc/hostname", name)
    sandbox.wait_for_call("fastly.put_secret", state="held")
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.ptrace(0x4206, writer.pid, None, None) == 0
    assert libc.ptrace(0x4207, writer.pid, None, None) == 0
    look(direct_mount)
    sandbox.release()
    os.waitpid(writer.pid, 0)  # it has stopped
    assert libc.ptrace(17, writer.pid, None, None) == 0
    assert (writer.wait(PROGRAM_TIMEOUT), writer.stderr.read()) == (0, "")
    assert len(sandbox.uploads()) == 1


def test_what_deletes_waits_as_well(direct_mount, sandbox):
    """Go's os.Remove calls again after EINTR, and would find nothing."""
    sandbox.put("prod", "NAME", b"old")
    sandbox.fault(operation="fastly.delete_secret", hold="before")
    program = calling(direct_mount / "prod/NAME", "SIGURG", function="unlink")
    sandbox.wait_for_call("fastly.delete_secret", state="held")
    program.send_signal(signal.SIGURG)
    look(direct_mount)
    sandbox.release()
    assert program.communicate(timeout=PROGRAM_TIMEOUT) == ("0\n", "")
    assert len(sandbox.calls(operation="fastly.delete_secret")) == 1


@pytest.mark.parametrize("which", ["bash", "dash", "zsh", "ksh"])
@pytest.mark.parametrize("event", ["a child ends", "the window is resized"])
def test_a_shell_stores_while(name, direct_mount, sandbox, tmp_path, which, event):
    """Its `echo` ends with 0 whatever close returns: an upload that ended here would be lost in silence."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    program = start(which, "-c", 'trap : WINCH; read line < "$FIFO" & echo val > "$NAME"', FIFO=fifo, NAME=name)
    with open(fifo, "w") as end_of_child:
        sandbox.wait_for_call("fastly.put_secret", state="held")
        if event == "the window is resized":
            program.send_signal(signal.SIGWINCH)
        else:
            end_of_child.write("line\n")
            end_of_child.flush()
            wait_until(lambda: all(is_zombie(child) for child in children_of(program.pid)), "the child does not end")
        look(direct_mount)
        sandbox.release()
    assert (program.wait(PROGRAM_TIMEOUT), program.stderr.read()) == (0, "")
    assert sandbox.uploads() == [b"val"] and direct_mount.control("errors") == ""


def test_go_stores_once(name, direct_mount, sandbox):
    """Its runtime preempts threads with SIGURG, those too that have just begun to close a file. rclone would delete the file and begin again."""
    program = start("rclone", "--config", "/dev/null", "--retries", "1", "--low-level-retries", "1", "copyto", "/etc/hostname", name)
    sandbox.wait_for_call("fastly.put_secret", state="held")
    libc = ctypes.CDLL(None, use_errno=True)
    for thread in os.listdir(f"/proc/{program.pid}/task"):
        assert libc.tgkill(program.pid, int(thread), signal.SIGURG) == 0
    look(direct_mount)
    sandbox.release()
    assert (program.wait(PROGRAM_TIMEOUT), program.stderr.read()) == (0, "")
    assert len(sandbox.uploads()) == 1 and sandbox.calls(operation="fastly.delete_secret") == []
