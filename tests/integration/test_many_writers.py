"""Many writers at once, and many one after the other: none waits for another, and nothing of them stays (doc/semantics.md, rule 18; SECURITY.md)."""

import errno
import os
import re

from programs import errno_of, python, start
from waiting import wait_until

WRITERS = 64
HANDLES = 3000
UPLOADS_MAX = 56  # over HTTP/1.1: a connection each, and eight are left to metadata


def figure(mount, name):
    return int(re.search(rf"^sstorefs_{name}{{[^}}]*}} (\d+)$", mount.control("metrics"), re.MULTILINE)[1])


def test_sixty_four_writers_are_on_their_way_together(mount, sandbox, service):
    """So that all of them take little longer than one."""
    sandbox.put("prod", "OTHER", b"val")
    os.stat(mount / "prod/OTHER")
    sandbox.fault(operation="fastly.put_secret", hold="before")
    writers = [start("cp", "/etc/hostname", mount / f"prod/NAME_{number}") for number in range(WRITERS)]
    together = UPLOADS_MAX if service.way == "direct" else WRITERS
    sandbox.wait_for_calls(together, operation="fastly.put_secret", state="held")
    os.getxattr(mount / "prod/OTHER", "user.digest")
    sandbox.release()
    assert [writer.wait(60) for writer in writers] == [0] * WRITERS
    assert len(sandbox.uploads()) == WRITERS


def test_nothing_of_thousands_of_handles_stays(direct_mount, sandbox):
    """Written to and given up in every way that needs no call."""
    done = python("""
        import os, sys
        directory, count = sys.argv[1], int(sys.argv[2])
        for number in range(count):
            descriptor = os.open(f"{directory}/NAME_{number % 7}", os.O_WRONLY | os.O_CREAT)
            os.write(descriptor, b"val" * 20000)
            try:
                os.pwrite(descriptor, b"x", 65537) if number % 2 else os.ftruncate(descriptor, 1 << 20)
            except OSError:
                pass
            try:
                os.close(descriptor)
            except OSError:
                pass
        for number in range(200):
            os.open(f"{directory}/LEFT_{number}", os.O_WRONLY | os.O_CREAT)
        os._exit(0)
        """, direct_mount / "prod", HANDLES)
    assert (done.returncode, done.stderr) == (0, "")
    assert sandbox.uploads() == []
    assert errno_of(os.stat, direct_mount / "prod/NAME_1") == errno.ENOENT
    # A close does not wait for the RELEASE that it causes.
    wait_until(lambda: figure(direct_mount, "open_handles") == 0, 60)
    assert figure(direct_mount, "locked_bytes") <= 16384 + 65536
