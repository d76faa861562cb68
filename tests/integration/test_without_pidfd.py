"""
A daemon whose kernel has no pidfd_open(2), or that a container's filter of system calls keeps from it: writers are told apart all the same, by their status
in /proc (doc/semantics.md, rules 4 to 6).
"""

import errno
import json
import signal
import subprocess
import sys

import pytest

from programs import PYTHON, shell

# Runs a program in which pidfd_open fails with an errno, as in valgrind, before Linux 5.3 (ENOSYS), or in a container of older engines (EPERM).
WITHOUT_PIDFD = """if True:
    import ctypes, os, sys
    ALLOW, ERRNO = 0x7FFF0000, 0x00050000
    libseccomp = ctypes.CDLL("libseccomp.so.2")
    libseccomp.seccomp_init.restype = ctypes.c_void_p
    filter = ctypes.c_void_p(libseccomp.seccomp_init(ALLOW))
    call = libseccomp.seccomp_syscall_resolve_name(b"pidfd_open")
    failed = libseccomp.seccomp_rule_add(filter, ERRNO | int(sys.argv[1]), call, 0) or libseccomp.seccomp_load(filter)
    failed or os.execv(sys.argv[2], sys.argv[2:])
    """


@pytest.fixture(params=["ENOSYS", "EPERM"])
def mount(request, make_mount, direct):
    mount = make_mount(direct, options="timeout=5", before=[sys.executable, "-c", WITHOUT_PIDFD, getattr(errno, request.param)])
    yield mount
    assert json.loads(mount.control("status"))["writers_can_be_told_apart"]


@pytest.mark.parametrize("which", ["bash", "dash"])
@pytest.mark.parametrize("command, value", [
    ('echo val > "$NAME"', b"val"),
    ('exec 3> "$NAME"; echo a >&3; /bin/true; echo b >&3; exec 3>&-', b"a\nb\n"),
    ('{ echo a; ( echo b ); } > "$NAME"', b"a\nb\n"),
    ('sh -c "echo a; echo b" > "$NAME"', b"a\nb\n"),
])
def test_what_is_whole_is_stored_once_at_its_close(mount, sandbox, which, command, value):
    assert shell(command, which, NAME=mount / "prod/NAME").returncode == 0
    assert sandbox.uploads() == [value]


@pytest.mark.parametrize("end", ["kill -KILL $$", "kill -TERM $$", "exit 3"])
def test_half_a_value_is_not_stored(mount, sandbox, end):
    done = shell(f'exec 3> "$NAME"; echo half >&3; {end}', NAME=mount / "prod/NAME")
    assert done.returncode in (-signal.SIGKILL, -signal.SIGTERM, 3)
    assert mount.control("errors").splitlines()[0].count("killed or failed")
    assert not (mount / "prod/NAME").exists() and sandbox.uploads() == []


@pytest.mark.parametrize("end, stored", [("os._exit(0)", [b"half and half"]), ("os.kill(os.getpid(), 9)", [])])
def test_the_writer_takes_the_place_of_an_opener_that_has_ended(mount, sandbox, end, stored):
    """The opener is a zombie until its parent has seen the end of the writer."""
    writer = subprocess.run([PYTHON, "-c", f"""if True:
        import os, select, sys
        ended, may_end = os.pipe()
        if os.fork() == 0:
            descriptor, opener = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o600), os.getpid()
            if os.fork():
                os._exit(0)
            select.select([os.pidfd_open(opener)], [], [])
            os.write(descriptor, b"half")
            os.write(descriptor, b" and half")
            {end}
        os.close(may_end)
        os.read(ended, 1)
        os.wait()
        """, mount / "prod/NAME"], timeout=60)
    assert writer.returncode == 0
    assert sandbox.uploads() == stored
