"""Open files among each other: fsync, order, unlink, exclusive creation (doc/semantics.md, rules 1, 8, 9, 11, 12, 18)."""

import errno
import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from daemon import wait_for_end
from programs import PYTHON, close, errno_of, shell, start, write_file
from waiting import wait_until


def opened(path, flags=os.O_CREAT):
    return os.open(path, os.O_WRONLY | flags, 0o600)


def puts(sandbox):
    return [(call["mode"], call["status"]) for call in sandbox.calls(operation="fastly.put_secret")]


@pytest.mark.parametrize("which", ["own", "existing"])
def test_nothing_can_be_read_not_even_by_root(direct_mount, sandbox, which):
    name = direct_mount / "prod/NAME"
    if which == "existing":
        sandbox.put("prod", "NAME", b"old")
    else:
        write_file(name, b"val")
    if which == "existing":  # what was written here may be opened to read for ten minutes, for fsync's sake (test_sync.py)
        assert errno_of(os.open, name, os.O_RDONLY) == errno.EACCES
    done = shell('cat "$NAME"', NAME=name)
    assert done.returncode == 1 and done.stdout == "" and "Permission denied" in done.stderr
    descriptor = os.open(name, os.O_RDWR)
    assert errno_of(os.read, descriptor, 10) == errno.EACCES
    os.close(descriptor)


def test_a_writer_cannot_read_its_own_bytes(direct_mount):
    descriptor = os.open(direct_mount / "prod/NAME", os.O_RDWR | os.O_CREAT, 0o600)
    os.write(descriptor, b"val")
    assert errno_of(os.pread, descriptor, 3, 0) == errno.EACCES
    os.close(descriptor)


def test_fsync_publishes_and_a_later_write_extends(direct_mount, sandbox):
    descriptor = opened(direct_mount / "prod/NAME")
    os.write(descriptor, b"one ")
    os.fsync(descriptor)
    assert sandbox.uploads() == [b"one "]
    os.fsync(descriptor)
    assert sandbox.uploads() == [b"one "], "nothing new, nothing sent"
    os.write(descriptor, b"two")
    close(descriptor)
    assert sandbox.uploads() == [b"one ", b"one two"]


def test_dd_with_fsync_is_one_put(direct_mount, sandbox):
    done = shell('printf val | dd of="$NAME" conv=fsync status=none', NAME=direct_mount / "prod/NAME")
    assert (done.returncode, done.stderr) == (0, "")
    assert sandbox.uploads() == [b"val"]


def test_fsync_never_publishes_what_is_still_being_written(direct_mount, sandbox):
    name = direct_mount / "prod/NAME"
    sandbox.put("prod", "NAME", b"old")
    writer = opened(name, 0)
    os.write(writer, b"half")
    assert shell('sync "$NAME"', NAME=name).returncode == 0
    assert sandbox.uploads() == []
    os.write(writer, b" and half")
    close(writer)
    assert sandbox.uploads() == [b"half and half"]


@pytest.mark.parametrize("which", ["bash", "dash"])
def test_sync_tells_what_a_builtin_has_dropped_once(direct_mount, sandbox, which):
    name = direct_mount / "prod/NAME"
    sandbox.put("prod", "NAME", b"old")
    sandbox.fault(operation="fastly.put_secret", status=403, times=1)
    assert shell('echo val > "$NAME"', which, NAME=name).returncode == 0, "builtins ignore what close says"
    first = shell('sync "$NAME"', which, NAME=name)
    assert first.returncode == 1 and "Permission denied" in first.stderr
    assert shell('sync "$NAME"', which, NAME=name).returncode == 0
    assert sandbox.value("prod", "NAME") == b"old"


@pytest.mark.parametrize("which", ["bash", "dash"])
def test_echo_and_sync_is_honest_for_a_new_name(direct_mount, sandbox, which):
    sandbox.fault(operation="fastly.put_secret", status=403)
    assert shell('echo val > "$NAME" && sync "$NAME"', which, NAME=direct_mount / "prod/NAME").returncode != 0
    sandbox.clear_faults()
    assert shell('echo val > "$NAME" && sync "$NAME"', which, NAME=direct_mount / "prod/NAME").returncode == 0
    assert sandbox.uploads() == [b"val"]


def test_a_later_success_clears_the_failure(direct_mount, sandbox):
    name = direct_mount / "prod/NAME"
    sandbox.put("prod", "NAME", b"old")
    sandbox.fault(operation="fastly.put_secret", status=403, times=1)
    shell('echo val > "$NAME"', NAME=name)
    assert shell('echo val > "$NAME"; sync "$NAME"', NAME=name).returncode == 0


def test_what_was_refused_is_not_sent_again_behind_the_writers_back(direct_mount, sandbox):
    sandbox.fault(operation="fastly.put_secret", status=403)
    descriptor = opened(direct_mount / "prod/NAME")
    os.write(descriptor, b"val")
    assert errno_of(os.fsync, descriptor) == errno.EACCES
    errno_of(close, descriptor)
    direct_mount.unmount()
    assert len(puts(sandbox)) == 1


def test_a_refused_create_leaves_no_file(direct_mount, sandbox):
    sandbox.fault(operation="fastly.put_secret", status=403)
    assert errno_of(write_file, direct_mount / "prod/NAME", b"val") == errno.EACCES
    assert os.listdir(direct_mount / "prod") == []
    assert not (direct_mount / "prod/NAME").exists()


def test_exclusive_creation_creates_only(mount, sandbox):
    assert shell('cp /etc/hostname "$NAME"', NAME=mount / "prod/NAME").returncode == 0
    assert shell('cp /etc/hostname "$NAME"', NAME=mount / "prod/NAME").returncode == 0
    assert puts(sandbox) == [("create", 200), ("either", 200)]


def test_exclusive_creation_of_what_exists(direct_mount, sandbox):
    sandbox.put("prod", "NAME", b"old")
    assert errno_of(opened, direct_mount / "prod/NAME", os.O_CREAT | os.O_EXCL) == errno.EEXIST
    refused = shell('set -C; echo val > "$NAME"', NAME=direct_mount / "prod/NAME")
    assert refused.returncode != 0
    assert puts(sandbox) == []


def test_exclusive_creation_when_another_client_was_first(direct_mount, sandbox):
    descriptor = opened(direct_mount / "prod/NAME", os.O_CREAT | os.O_EXCL)
    sandbox.put("prod", "NAME", b"theirs")
    os.write(descriptor, b"ours")
    assert errno_of(close, descriptor) == errno.EEXIST
    assert sandbox.value("prod", "NAME") == b"theirs"
    assert puts(sandbox) == [("create", 400)]


def test_a_plain_write_replaces_what_another_client_made(direct_mount, sandbox):
    descriptor = opened(direct_mount / "prod/NAME")
    sandbox.put("prod", "NAME", b"theirs")
    os.write(descriptor, b"ours")
    close(descriptor)
    assert sandbox.value("prod", "NAME") == b"ours"


def test_an_unlinked_handle_publishes_nothing(direct_mount, sandbox):
    sandbox.put("prod", "NAME", b"old")
    descriptor = opened(direct_mount / "prod/NAME", 0)
    os.write(descriptor, b"val")
    os.unlink(direct_mount / "prod/NAME")
    errno_of(close, descriptor)
    direct_mount.unmount()
    assert puts(sandbox) == []
    assert sandbox.value("prod", "NAME") is None


def test_an_unlinked_handle_and_a_new_file_of_its_name_do_not_mix(direct_mount, sandbox):
    name = direct_mount / "prod/NAME"
    write_file(name, b"first")
    old = opened(name, 0)
    os.write(old, b"never")
    os.unlink(name)
    write_file(name, b"second")
    errno_of(close, old)
    assert sandbox.uploads() == [b"first", b"second"]


def test_a_name_that_was_never_stored_can_be_unlinked_while_it_is_open(direct_mount, sandbox):
    name = direct_mount / "prod/NAME"
    descriptor = opened(name)
    os.write(descriptor, b"val")
    os.unlink(name)
    errno_of(close, descriptor)
    assert not name.exists()
    direct_mount.unmount()
    assert puts(sandbox) == []


def test_publications_of_one_name_happen_in_order_and_the_last_close_wins(mount, sandbox):
    sandbox.fault(operation="fastly.put_secret", hold="before", times=1)
    first = start("sh", "-c", 'printf first > "$NAME"', NAME=mount / "prod/NAME")
    sandbox.wait_for_call("fastly.put_secret", state="held")
    second = start("sh", "-c", 'printf second > "$NAME"', NAME=mount / "prod/NAME")
    other = start("sh", "-c", 'printf other > "$NAME"', NAME=mount / "prod/OTHER")
    assert other.wait(30) == 0, "another name does not wait"
    assert sandbox.uploads() == [b"other"]
    sandbox.release()
    assert (first.wait(30), second.wait(30)) == (0, 0)
    assert sandbox.uploads() == [b"other", b"first", b"second"]
    assert sandbox.value("prod", "NAME") == b"second"


def test_an_unlink_waits_for_the_publication_before_it(mount, sandbox):
    sandbox.fault(operation="fastly.put_secret", hold="before", times=1)
    writer = start("sh", "-c", 'printf val > "$NAME"', NAME=mount / "prod/NAME")
    sandbox.wait_for_call("fastly.put_secret", state="held")
    remover = start("rm", "-f", mount / "prod/NAME")
    sandbox.release()
    assert (writer.wait(30), remover.wait(30)) == (0, 0)
    assert sandbox.value("prod", "NAME") is None


def test_unlink_is_one_delete_and_seen_at_once(mount, sandbox):
    write_file(mount / "prod/NAME", b"val")
    os.unlink(mount / "prod/NAME")
    assert not (mount / "prod/NAME").exists()
    assert os.listdir(mount / "prod") == []
    assert len(sandbox.calls(operation="fastly.delete_secret")) == 1
    assert errno_of(os.unlink, mount / "prod/NAME") == errno.ENOENT
    assert len(sandbox.calls(operation="fastly.delete_secret")) == 1


def test_what_another_client_deleted_first_is_gone(direct_mount, sandbox):
    write_file(direct_mount / "prod/NAME", b"val")
    sandbox.delete("prod", "NAME")
    assert errno_of(os.unlink, direct_mount / "prod/NAME") in (0, errno.ENOENT)
    assert not (direct_mount / "prod/NAME").exists()


def test_interrupting_a_writer_ends_its_upload(mount, sandbox, service):
    sandbox.fault(operation="fastly.put_secret", hang="forever")
    writer = start("cp", "/etc/hostname", mount / "prod/NAME")
    sandbox.wait_for_call("fastly.put_secret")
    begun = time.monotonic()
    writer.send_signal(signal.SIGINT)
    assert writer.wait(60) == -signal.SIGINT
    if service.way == "direct":  # over HTTP/2 the connection lives on, and libcurl tells the server with its next frame
        sandbox.wait_for_call("fastly.put_secret", state="ended", timeout=60)
    assert time.monotonic() - begun < 25  # `timeout` is 30


def test_an_interrupted_writer_learns_eintr(direct_mount, sandbox):
    sandbox.fault(operation="fastly.put_secret", hang="forever")
    writer = start("/usr/bin/python3", "-c", """
import ctypes, os, signal, sys
signal.signal(signal.SIGUSR1, lambda *_: None)
signal.siginterrupt(signal.SIGUSR1, True)
descriptor = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o600)
os.write(descriptor, b"val")
libc = ctypes.CDLL(None, use_errno=True)
libc.close(descriptor)
print(ctypes.get_errno())
""", direct_mount / "prod/NAME")
    sandbox.wait_for_call("fastly.put_secret")
    writer.send_signal(signal.SIGUSR1)
    assert writer.communicate(timeout=30)[0] == f"{errno.EINTR}\n"


@pytest.mark.mount_options("timeout=2")
def test_a_writer_never_waits_longer_than_the_time_out(mount, sandbox):
    sandbox.put("prod", "NAME", b"old")
    sandbox.fault(operation="fastly.put_secret", hang="forever")
    begun = time.monotonic()
    assert errno_of(write_file, mount / "prod/NAME", b"val") == errno.ETIMEDOUT
    assert 1.5 < time.monotonic() - begun < 25  # and not the 30 of the default


@pytest.mark.mount_options("timeout=2")
def test_an_outcome_is_unknown_until_it_is_read_again(mount, sandbox):
    name = mount / "prod/NAME"
    sandbox.put("prod", "NAME", b"old")
    sandbox.fault(operation="fastly.put_secret", hang="forever")
    descriptor = opened(name, 0)
    os.write(descriptor, b"val")
    assert errno_of(os.fsync, descriptor) == errno.ETIMEDOUT
    assert os.getxattr(descriptor, "user.sstorefs.state") == b"unknown", "by its descriptor nothing is looked up"
    os.stat(name)
    assert os.getxattr(descriptor, "user.sstorefs.state") == b"failed"
    errno_of(close, descriptor)


def test_a_file_that_lost_its_name_is_not_mixed_up_with_the_next_one(direct_mount, sandbox):
    """The new one is published at its own close, though its process still holds the old one."""
    sandbox.put("prod", "NAME", b"old")
    lost = opened(direct_mount / "prod/NAME", 0)
    replacing = opened(direct_mount / "prod/OTHER")
    os.rename(direct_mount / "prod/OTHER", direct_mount / "prod/NAME")
    os.close(replacing)  # nothing was written: the secret is seen again
    found = opened(direct_mount / "prod/NAME", 0)
    assert os.fstat(found).st_ino != os.fstat(lost).st_ino
    os.write(found, b"val")
    close(found)
    assert sandbox.uploads() == [b"val"]
    os.unlink(direct_mount / "prod/NAME")
    os.ftruncate(lost, 0)
    close(lost)
    assert sandbox.uploads() == [b"val"]


def test_what_others_made_anew_is_still_the_same_name(direct_mount, sandbox):
    """Deleted and created elsewhere while it was open here: the fate of the writer's value is reported under that name."""
    name = direct_mount / "prod/NAME"
    sandbox.put("prod", "NAME", b"old")
    descriptor = opened(name, 0)
    for change in (lambda: sandbox.delete("prod", "NAME"), lambda: sandbox.put("prod", "NAME", b"new")):
        change()
        direct_mount.refresh()
        os.listdir(direct_mount / "prod")
    os.write(descriptor, b"value")
    assert os.getxattr(name, "user.sstorefs.state") == b"pending"
    later = opened(name, 0)
    os.ftruncate(descriptor, 3)
    os.ftruncate(later, 0)
    close(later)
    sandbox.fault(operation="fastly.put_secret", status=403, times=1)
    assert errno_of(close, descriptor) == errno.EACCES
    assert os.getxattr(name, "user.sstorefs.state") == b"failed"
    assert shell('sync "$NAME"', NAME=name).returncode == 1
    assert shell('sync "$NAME"', NAME=name).returncode == 0


class Orphan:
    """Two processes that write to what their parent has opened, and whose parent has gone: neither answers for it, and it is published when both are done."""

    PROGRAM = """if True:
        import os, sys
        descriptor = os.open(sys.argv[1], os.O_WRONLY | int(sys.argv[2]), 0o600)
        (come, pass_on) = os.pipe()
        if os.fork():
            if os.fork():
                os._exit(0)
            text = sys.stdin.readline()[:-1].encode().decode("unicode_escape").encode()
            os.write(descriptor, text[:1])
            os.write(pass_on, text[1:] or b".")
            sys.stdin.read()
            os._exit(0)
        os.close(pass_on)
        rest = os.read(come, 100)
        os.pwrite(descriptor, rest, 1) if rest != b"." else os.pwrite(descriptor, b"\\n", 0)
        print(os.getpid(), flush=True)
        sys.stdin.read()
        """

    def __init__(self, path, flags):
        self.parent = subprocess.Popen([PYTHON, "-c", self.PROGRAM, path, str(flags)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.parent.wait(30) == 0

    def write(self, text):
        print(text.encode("unicode_escape").decode(), file=self.parent.stdin, flush=True)
        self.pid = int(self.parent.stdout.readline())

    def end(self):
        self.parent.stdin.close()
        assert wait_for_end(self.pid)


def test_a_failure_that_is_known_at_once_is_not_forgotten_for_what_was_asked_before_it(direct_mount, sandbox):
    """fsync tells of the last publication, and the last one is that of a value that no other close will publish."""
    name = direct_mount / "prod/NAME"
    orphan = Orphan(name, os.O_CREAT)
    descriptor = opened(name)
    orphan.write("\n")
    os.write(descriptor, b"val")
    assert errno_of(os.fsync, descriptor) == errno.EINVAL
    assert sandbox.uploads() == [b"val"]
    os.fsync(descriptor)
    close(descriptor)
    orphan.end()


@pytest.mark.parametrize("still_there", [True, False])
def test_what_another_client_made_first_can_be_removed(direct_mount, sandbox, still_there):
    """As before it was found out: what is to be seen is gone, here and there."""
    name = direct_mount / "prod/NAME"
    exclusive, other = opened(name, os.O_CREAT | os.O_EXCL), opened(name)
    sandbox.put("prod", "NAME", b"theirs")
    os.write(exclusive, b"val")
    assert errno_of(close, exclusive) == errno.EEXIST
    if not still_there:
        sandbox.delete("prod", "NAME")
    os.unlink(name)
    assert sandbox.value("prod", "NAME") is None
    assert not name.exists()
    close(other)


def test_a_file_of_our_own_is_not_anothers(direct_mount, sandbox):
    """Created exclusively, and written by another of our programs first: the second publication replaces it."""
    name = direct_mount / "prod/NAME"
    orphan = Orphan(name, os.O_CREAT | os.O_EXCL)
    descriptor = opened(name)
    orphan.write("exclusive")
    os.write(descriptor, b"val")
    os.fsync(descriptor)
    assert sandbox.uploads() == [b"val", b"exclusive"]
    close(descriptor)
    orphan.end()


@pytest.mark.parametrize("undeletable", [False, True])
def test_what_is_closed_while_its_name_is_removed_is_not_made_anew(direct_mount, sandbox, undeletable):
    """In the order in which they were asked for: the name goes, and then its handle has none. Unless it did not go."""
    name = direct_mount / "prod/NAME"
    sandbox.put("prod", "NAME", b"old")
    descriptor = opened(name, 0)
    os.write(descriptor, b"val")
    sandbox.fault(operation="fastly.delete_secret", hold="before", times=1)
    if undeletable:
        sandbox.fault(operation="fastly.delete_secret", status=403, times=1)
    removing = start("rm", "-f", name)
    sandbox.wait_for_calls(1, operation="fastly.delete_secret", state="held")
    closing = threading.Thread(target=close, args=(descriptor,))
    closing.start()
    while "\"uploads_in_flight\": 0" in direct_mount.control("status"):
        assert closing.is_alive()
    sandbox.release()
    assert removing.wait(60) == int(undeletable)
    closing.join()
    assert sandbox.uploads() == ([b"val"] if undeletable else [])
    assert sandbox.value("prod", "NAME") == (b"val" if undeletable else None)
    assert name.exists() == undeletable


def test_what_is_closed_while_its_name_is_changed_goes_by_the_new_one(direct_mount, sandbox):
    write_file(direct_mount / "prod/OLD", b"first")
    descriptor = opened(direct_mount / "prod/OLD", 0)
    os.write(descriptor, b"second")
    sandbox.fault(operation="fastly.delete_secret", hold="before", times=1)
    renaming = start(PYTHON, "-c", "import os, sys; os.rename(*sys.argv[1:])", direct_mount / "prod/OLD", direct_mount / "prod/NEW")
    sandbox.wait_for_calls(1, operation="fastly.delete_secret", state="held")
    closing = threading.Thread(target=close, args=(descriptor,))
    closing.start()
    while "\"uploads_in_flight\": 0" in direct_mount.control("status"):
        assert closing.is_alive()
    sandbox.release()
    assert renaming.wait(60) == 0
    closing.join()
    assert sandbox.value("prod", "OLD") is None
    assert sandbox.value("prod", "NEW") == b"second"
    assert os.listdir(direct_mount / "prod") == ["NEW"]


@pytest.mark.parametrize("status", [204, 403])
def test_a_close_waits_for_what_another_descriptor_has_published(direct_mount, sandbox, status):
    """The second descriptor is in a socket's queue, where no table of descriptors shows it, while the first is closed."""
    descriptor = opened(direct_mount / "prod/NAME")
    os.write(descriptor, b"val")
    sender, receiver = socket.socketpair()
    socket.send_fds(sender, [b"x"], [descriptor])
    sandbox.fault(operation="fastly.put_secret", hold="before", times=1, **({} if status == 204 else {"status": status}))
    outcomes = []
    first = threading.Thread(target=lambda: outcomes.append(errno_of(close, descriptor)))
    first.start()
    sandbox.wait_for_call("fastly.put_secret", state="held")
    (copy,) = socket.recv_fds(receiver, 1, 1)[1]
    second = threading.Thread(target=lambda: outcomes.append(errno_of(close, copy)))
    second.start()
    wait_until(lambda: outcomes or Path(f"/proc/self/task/{second.native_id}/syscall").read_text().startswith("3 "))  # it sleeps in close(2)
    os.statvfs(direct_mount / "prod")  # the daemon reads this after that close
    assert outcomes == []
    sandbox.release()
    first.join()
    second.join()
    assert outcomes == [0 if status == 204 else errno.EACCES] * 2
    assert sandbox.uploads() == ([b"val"] if status == 204 else [])
