"""The log as an attacker would have it: stopped, flooded, or telling another story."""

import errno
import os
import re
import shutil
import socket
import subprocess
import termios

import pytest

from daemon import Mount, environment, wait_until_mounted
from daemonized import InTheBackground
from programs import errno_of, write_file
from services import Stripe
from private_mount import NOBODY, PYTHON, as_user

WRITES = 1700

WRITER = """
import os, sys
for number in range(int(sys.argv[2])):
    descriptor = os.open(f"{sys.argv[1]}/NAME{number}", os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(descriptor, b"val")
    os.fsync(descriptor)
    os.close(descriptor)
"""


def write_many(path, user=0):
    done = subprocess.run([PYTHON, "-c", WRITER, path, str(WRITES)], timeout=240, capture_output=True, text=True, cwd="/", **as_user(user))
    assert done.returncode == 0, done.stderr


# A reader that sleeps


class UnreadMount(Mount):
    """What it says goes to `unread`, of which nothing is read. The daemon is another user than the one whose pipe that is where `user` is given."""

    unread, user = None, 0

    def start(self):
        self.path.mkdir()
        arguments = self.arguments("-f")
        if self.user:
            for path in (self.path, self.token_file):
                os.chown(path, self.user, self.user)
            arguments[0] = shutil.copy(arguments[0], self.work)  # the build may lie in root's home, where no other user comes
        self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=self.unread, stderr=self.unread,
                                        env=environment(self.work), cwd="/", **as_user(self.user))
        self.pid = self.process.pid
        wait_until_mounted(self.path, self.process)
        return self


def a_pipe():
    return os.pipe()


def a_socket():
    ours, theirs = socket.socketpair()
    return ours.detach(), theirs.detach()


def a_terminal():
    """On which Ctrl-S was pressed."""
    ours, theirs = os.openpty()
    termios.tcflow(theirs, termios.TCOOFF)
    return ours, theirs


def read_to_the_end(reader, mount, output=b""):
    """What was kept for the reader, and what is said until the daemon has ended."""
    os.set_blocking(reader, False)
    if os.isatty(mount.unread):
        termios.tcflow(mount.unread, termios.TCOON)
    subprocess.run(["umount", mount.path], check=True)
    while True:
        has_ended = mount.process.poll() is not None
        try:
            piece = os.read(reader, 65536)
        except BlockingIOError:
            piece = b""
        output += piece
        if has_ended and not piece:
            return output.decode()


@pytest.mark.parametrize("user", [0, NOBODY])
@pytest.mark.parametrize("kind", [a_pipe, a_socket, a_terminal])
def test_a_reader_that_sleeps_stops_nothing(place, direct, devices, sandbox, kind, user):
    """Every write is answered; what was lost is counted, and reported to the reader once it reads again."""
    mount = UnreadMount(place, direct)
    reader, mount.unread = kind()
    mount.user = user
    try:
        mount.start()
        write_many(mount / "prod", user)
        assert len(sandbox.calls(operation="fastly.put_secret")) == WRITES
        output = read_to_the_end(reader, mount)
    finally:
        mount.kill()
        os.close(reader)
        os.close(mount.unread)
    lost = sum(map(int, re.findall(r"sstorefs: (\d+) lines were lost here", output)))
    kept = output.count("publish errno=0 ")
    assert lost and kept and kept + lost >= WRITES, (kept, lost, output[-500:])


def test_a_full_syslog_stops_nothing(tmp_path, direct, devices, sandbox):
    """The queue of /dev/log is full, and its reader looks elsewhere."""
    with InTheBackground(tmp_path, direct, devices) as mount:
        filler = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        filler.connect("/dev/log")
        assert errno_of(lambda: [filler.send(b"noise") for _ in range(100000)]) == errno.EAGAIN
        write_many(mount / "prod")
        assert len(sandbox.calls(operation="fastly.put_secret")) == WRITES
        devices.wait_for("lines were lost here")
        output = devices.log()
    lost = sum(map(int, re.findall(r"sstorefs\[\d+\]: (\d+) lines were lost here", output)))
    assert lost and output.count("publish errno=0 ") + lost >= WRITES


def test_a_syslog_that_is_started_again_is_found_again(tmp_path, direct, devices):
    with InTheBackground(tmp_path, direct, devices) as mount:
        write_file(mount / "prod/BEFORE", b"val")
        devices.wait_for('name="BEFORE"')
        devices.stop_log()
        write_file(mount / "prod/MEANWHILE", b"val")
        devices.start_log()
        write_file(mount / "prod/AFTER", b"val")
        devices.wait_for('name="AFTER"')
        assert devices.log().count('name="MEANWHILE"') == 1


# Another story

STRANGE = 'a" errno=0 uid=0 program="sh \u202e\u0085\u200b\U000e0041'
SHOWN = r'a\" errno=0 uid=0 program=\"sh \u202e\u0085\u200b\udb40\udc41'
PROGRAM_NAME = b"x\xff uid=0 \x1b[2K"


def strange_writer(path):
    """A program with a hostile name, run by the user nobody."""
    text = f"""
import ctypes, os
ctypes.CDLL(None).prctl(15, {PROGRAM_NAME!r}, 0, 0, 0)
descriptor = os.open({path!r}, os.O_WRONLY | os.O_CREAT, 0o600)
os.write(descriptor, b"val")
try:
    os.fsync(descriptor)
    os.close(descriptor)
except OSError:
    pass
"""
    writer = subprocess.Popen([PYTHON, "-c", text], cwd="/", stderr=subprocess.PIPE, text=True, **as_user(NOBODY))
    assert not writer.communicate()[1]
    return writer.pid


def is_shown_as_it_is(text):
    return all(character.isprintable() or character in "\n\t" for character in text)


@pytest.mark.parametrize("fails", [False, True])
def test_no_name_imitates_or_hides_a_field(place, make_mount, sandbox, fails):
    service = Stripe("direct", sandbox, sandbox.url)
    mount = make_mount(service, start=False, source="stripe:", options="allow_other,umask=0")
    mount.path = place / "mnt"
    mount.start()
    if fails:
        service.fault("set_secret", status=400, detail="no uid=0\u202e\u009b\u001b[2K")
    pid = strange_writer(str(mount / "account" / STRANGE))
    line = mount.log().splitlines()[-1]
    assert re.match(rf"sstorefs: [0-9-]+T[0-9:.]+Z publish errno={'EINVAL' if fails else '0'} uid={NOBODY} gid={NOBODY} pid={pid} "
                    rf'status={400 if fails else 200} store="account" name="{re.escape(SHOWN)}" '
                    r'program="x\\xff uid=0 \\u001b\[2K" ', line), line
    shown = mount.log() + mount.control("errors") + mount.control("status")
    assert is_shown_as_it_is(shown), [character for character in shown if not character.isprintable()]
    if fails:
        assert r"no uid=0\u202e\u009b\u001b[2K" in mount.control("errors")
