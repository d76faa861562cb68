"""Every failure has a fitting errno and its story in .sstorefs/errors (doc/semantics.md, promise 5 and chapter 9)."""

import errno
import os
import subprocess
import time

import pytest

from client import Sandbox
from programs import errno_of, shell, write_file, write_until_stored
from services import Fastly

PUT = "operation=fastly.put_secret"
KEY = "operation=fastly.create_client_key"

# what goes wrong with a write, and what its close says
WRITES = [
    (f"{PUT},status=401", errno.EACCES),
    (f"{PUT},status=403", errno.EACCES),
    (f"{PUT},status=400,detail=refused", errno.EINVAL),
    (f"{PUT},status=404", errno.ENOENT),
    (f"{PUT},status=429", errno.EAGAIN),
    (f"{PUT},status=429,rate_reset=3600", errno.EAGAIN),
    (f"{PUT},status=500", errno.EIO),
    (f"{PUT},status=503", errno.EIO),
    (f"{PUT},body=nonsense", errno.EIO),
    (f"{PUT},body=truncated", errno.EIO),
    (f"{PUT},body=html", errno.EIO),
    (f"{PUT},body=empty", errno.EIO),
    (f"{PUT},hang=forever", errno.ETIMEDOUT),
    (f"{KEY},key=bad_signature", errno.EKEYREJECTED),
    (f"{KEY},key=bad_key", errno.EKEYREJECTED),
    (f"{KEY},key=other_signing_key", errno.EKEYREJECTED),
    (f"{KEY},key=short_key", errno.EKEYREJECTED),
    (f"{KEY},key=long_key", errno.EKEYREJECTED),
    (f"{KEY},key=short_signature", errno.EKEYREJECTED),
    (f"{KEY},key=expired", errno.EKEYREJECTED),
    (f"{KEY},key=zero", errno.EKEYREJECTED),
    (f"{KEY},key=no_expiry", errno.EIO),
    (f"{KEY},key=bad_base64", errno.EIO),
    (f"{KEY},status=403", errno.EACCES),
    (f"{KEY},status=503", errno.EIO),
    (f"{KEY},hang=forever", errno.ETIMEDOUT),
]


@pytest.mark.parametrize("fault,expected", WRITES, ids=[fault for fault, _ in WRITES])
def test_a_write_that_fails(make_mount, direct, sandbox, fault, expected):
    sandbox.put("prod", "NAME", b"old")
    if "key=" in fault:
        sandbox.fault(f"{KEY},status=403,times=1")  # else the mount would fail: test_start.py has that
    sandbox.fault(fault)
    mount = make_mount(direct, options="timeout=2")
    got = errno_of(write_file, mount / "prod/NAME", b"val")
    allowed = {expected, errno.EKEYREJECTED} if "bad_base64" in fault or "no_expiry" in fault else {expected}
    assert got in allowed, f"{errno.errorcode.get(got, got)} where {errno.errorcode[expected]} was to come"
    applied = "body=" in fault
    assert sandbox.value("prod", "NAME") == (b"val" if applied else b"old")
    newest = mount.control("errors").splitlines()[0]
    assert "prod/NAME" in newest and errno.errorcode[got] in newest
    if fault.startswith(KEY):
        return  # a key is fetched once a minute after failures: too long to wait for here
    if "rate_reset" in fault:
        return  # nothing is sent before the reset, whichever process asks
    # A new try, once all is well again, succeeds: nothing stays broken.
    sandbox.clear_faults()
    write_file(mount / ".sstorefs/refresh", b"now", flags=0)
    write_until_stored(mount / "prod/NAME", b"again", timeout=30)
    assert sandbox.value("prod", "NAME") == b"again"


@pytest.mark.parametrize("copy", ['cp "$FILE" "$NAME"', 'cat "$FILE" > "$NAME"', 'tee "$NAME" < "$FILE"',
                                  'dd if="$FILE" of="$NAME" status=none', '/bin/echo val > "$NAME"'])
def test_programs_tell_what_close_says(direct_mount, sandbox, copy):
    sandbox.fault(PUT + ",status=403")
    done = shell(copy, NAME=direct_mount / "prod/NAME", FILE="/etc/hostname")
    assert done.returncode != 0 and "Permission denied" in done.stderr
    assert not (direct_mount / "prod/NAME").exists()


def test_a_reply_that_is_lost_is_made_up_for(mount, sandbox):
    """PUT can simply be repeated."""
    sandbox.fault(PUT + ",reset=after,times=1")
    write_file(mount / "prod/NAME", b"val")
    assert sandbox.value("prod", "NAME") == b"val"


@pytest.mark.parametrize("fault", ["reset=after", "status=503"])
def test_a_question_whose_answer_is_lost_is_asked_again(direct_mount, sandbox, fault):
    """Unlike a change, it leaves nothing unknown: there is no such secret, and it can be made."""
    sandbox.fault(f"operation=fastly.get_secret,{fault},times=1")
    assert errno_of(os.stat, direct_mount / "prod/NAME") == errno.ENOENT
    assert [call["operation"] for call in sandbox.calls(name="NAME")] == ["fastly.get_secret"] * 2
    sandbox.fault(f"operation=fastly.get_secret,{fault},times=1")
    write_file(direct_mount / "prod/OTHER", b"val")
    assert sandbox.value("prod", "OTHER") == b"val"


def test_a_service_that_fails_once_is_asked_again(mount, sandbox):
    for fault in ("status=503,times=1", "status=429,times=1,retry_after=0", "reset=before,times=1"):
        sandbox.fault(f"{PUT},{fault}")
        write_file(mount / "prod/NAME", fault.encode())
        assert sandbox.value("prod", "NAME") == fault.encode()


def test_a_client_key_that_the_service_has_forgotten_is_fetched_anew(mount, sandbox):
    write_file(mount / "prod/NAME", b"one")
    sandbox.fault(PUT + ",status=400,detail=client_key: unknown or expired,times=1")
    write_file(mount / "prod/NAME", b"two")
    assert sandbox.value("prod", "NAME") == b"two"
    assert len(sandbox.calls(operation="fastly.create_client_key")) == 2


def test_a_key_that_lives_shortly_is_renewed(make_mount, direct, sandbox):
    sandbox.variant(fastly__client_key_lifetime=4)
    mount = make_mount(direct)
    for number in range(4):
        write_file(mount / f"prod/NAME{number}", b"val")
        time.sleep(1.5)
    assert len(sandbox.uploads()) == 4
    assert all(call["status"] == 200 for call in sandbox.calls(operation="fastly.put_secret"))


def test_quota_of_secrets(direct_mount, sandbox):
    sandbox.put("prod", "OLD", b"old")
    sandbox.variant(fastly__quota_secrets=1)
    assert errno_of(write_file, direct_mount / "prod/NEW", b"val") == errno.EDQUOT
    assert not (direct_mount / "prod/NEW").exists()
    write_file(direct_mount / "prod/OLD", b"val")


def test_quota_of_stores(direct_mount, sandbox):
    sandbox.variant(fastly__quota_stores=1)
    assert errno_of(os.mkdir, direct_mount / "new") == errno.EDQUOT


def test_an_exhausted_quota_is_reported_at_open(direct_mount, sandbox):
    sandbox.variant(fastly__quota_secrets=1)
    write_file(direct_mount / "prod/ONE", b"val")
    assert errno_of(write_file, direct_mount / "prod/TWO", b"val") == errno.EDQUOT
    refused = shell('echo val > "$NAME"', NAME=direct_mount / "prod/THREE")
    assert refused.returncode != 0 and "quota" in refused.stderr.lower()


def test_what_is_not_there(direct_mount):
    for name in ("prod/NONE", "none", "none/NAME"):
        assert errno_of(os.stat, direct_mount / name) == errno.ENOENT
    assert errno_of(write_file, direct_mount / "none/NAME", b"val") == errno.ENOENT
    assert errno_of(os.unlink, direct_mount / "prod/NONE") == errno.ENOENT
    assert errno_of(os.rmdir, direct_mount / "none") == errno.ENOENT


def test_what_cannot_be_done(direct_mount, sandbox):
    sandbox.put("prod", "NAME", b"old")
    os.mkdir(direct_mount / "other")
    assert errno_of(write_file, direct_mount / "NAME", b"val") in (errno.EPERM, errno.EACCES, errno.EINVAL)
    assert errno_of(os.mkdir, direct_mount / "prod/dir") in (errno.EPERM, errno.EACCES)
    assert errno_of(os.rename, direct_mount / "prod/NAME", direct_mount / "other/NAME") == errno.EOPNOTSUPP
    assert errno_of(os.rename, direct_mount / "prod", direct_mount / "new") == errno.EOPNOTSUPP
    assert errno_of(os.symlink, "NAME", direct_mount / "prod/LINK") in (errno.EPERM, errno.EOPNOTSUPP)
    assert errno_of(os.link, direct_mount / "prod/NAME", direct_mount / "prod/LINK") in (errno.EPERM, errno.EOPNOTSUPP)
    assert errno_of(os.mkfifo, direct_mount / "prod/PIPE") in (errno.EPERM, errno.EOPNOTSUPP)
    assert sandbox.value("prod", "NAME") == b"old"


@pytest.mark.mount_options("ro")
def test_read_only(direct_mount, sandbox):
    sandbox.put("prod", "NAME", b"old")
    assert os.listdir(direct_mount / "prod") == ["NAME"]
    for action in (lambda: write_file(direct_mount / "prod/NAME", b"val"), lambda: os.unlink(direct_mount / "prod/NAME"),
                   lambda: os.mkdir(direct_mount / "new"), lambda: os.rmdir(direct_mount / "prod")):
        assert errno_of(action) == errno.EROFS
    assert {call["method"] for call in sandbox.calls()} <= {"GET", "POST"}
    assert sandbox.calls(operation="fastly.put_secret") == []


@pytest.mark.mount_options("nocreate")
def test_nocreate(direct_mount, sandbox):
    """The role of a rotation job."""
    sandbox.put("prod", "NAME", b"old")
    write_file(direct_mount / "prod/NAME", b"new")
    assert [call["method"] for call in sandbox.calls(operation="fastly.put_secret")] == ["PATCH"]
    assert sandbox.value("prod", "NAME") == b"new"
    for action in (lambda: write_file(direct_mount / "prod/OTHER", b"val"), lambda: os.unlink(direct_mount / "prod/NAME"),
                   lambda: os.mkdir(direct_mount / "new"), lambda: os.rmdir(direct_mount / "prod"),
                   lambda: os.rename(direct_mount / "prod/NAME", direct_mount / "prod/OTHER")):
        assert errno_of(action) == errno.EPERM
    assert len(sandbox.calls(operation="fastly.put_secret")) == 1


@pytest.mark.mount_options("nocreate")
def test_nocreate_when_another_client_has_deleted_it(direct_mount, sandbox):
    sandbox.put("prod", "NAME", b"old")
    os.stat(direct_mount / "prod/NAME")
    sandbox.delete("prod", "NAME")
    assert errno_of(write_file, direct_mount / "prod/NAME", b"val") in (errno.ENOENT, errno.EPERM)
    assert sandbox.value("prod", "NAME") is None


@pytest.fixture
def own_service(tmp_path):
    """A sandbox that can be ended without others noticing."""
    with Sandbox(state=tmp_path / "state.sqlite") as sandbox:
        sandbox.put("prod", "NAME", b"old")
        yield Fastly("direct", sandbox, sandbox.url)


def test_a_host_that_went_away_is_ehostunreach_and_reported_at_open(make_mount, own_service):
    mount = make_mount(own_service, options="timeout=2")
    name = mount / "prod/NAME"
    os.stat(name)
    own_service.sandbox.stop()
    assert errno_of(write_file, name, b"val") == errno.EHOSTUNREACH
    refused = shell('echo val > "$NAME"', NAME=name)
    assert refused.returncode != 0 and "No route to host" in refused.stderr, "a shell reports only what open says"
    own_service.sandbox.start()
    write_until_stored(name, b"back", timeout=30)
    assert own_service.sandbox.value("prod", "NAME") == b"back"


def test_a_token_that_was_changed_is_read_again(direct_mount, sandbox):
    write_file(direct_mount / "prod/NAME", b"one")
    sandbox.tokens("rotated-token")
    direct_mount.write_token("rotated-token")
    write_file(direct_mount / "prod/NAME", b"two")
    assert sandbox.value("prod", "NAME") == b"two"


def test_a_token_that_was_withdrawn_is_eacces_already_at_open(direct_mount, sandbox):
    sandbox.put("prod", "NAME", b"old")
    sandbox.tokens("another-token")
    assert errno_of(write_file, direct_mount / "prod/NAME", b"val") == errno.EACCES
    refused = shell('echo val > "$NAME"', NAME=direct_mount / "prod/NAME")
    assert refused.returncode != 0 and "Permission denied" in refused.stderr
    direct_mount.write_token("another-token")
    direct_mount.signal(1)
    write_until_stored(direct_mount / "prod/NAME", b"val", timeout=30)


def test_the_errors_file_tells_the_whole_story(direct_mount, sandbox):
    sandbox.fault(PUT + ",status=403,detail=your role is too small")
    assert errno_of(write_file, direct_mount / "prod/NAME", b"val") == errno.EACCES
    call = sandbox.calls(operation="fastly.put_secret")[-1]
    line = direct_mount.control("errors").splitlines()[0]
    for word in ("prod/NAME", "EACCES", "403", call["request_id"], "your role is too small"):
        assert word in line
    assert line.startswith("20") and "T" in line.split()[0]


def test_the_newest_error_comes_first(direct_mount, sandbox):
    for number in range(3):
        sandbox.fault(PUT + f",status=403,detail=number {number},times=1")
        errno_of(write_file, direct_mount / "prod/NAME", b"val")
    lines = direct_mount.control("errors").splitlines()
    assert [next(n for n in range(3) if f"number {n}" in line) for line in lines[:3]] == [2, 1, 0]


def test_a_failed_umount_is_not_ours(direct_mount):
    """A mount in use can't be unmounted, and goes on."""
    descriptor = os.open(direct_mount.path, os.O_RDONLY)
    assert subprocess.run(["umount", direct_mount.path], capture_output=True).returncode != 0
    os.close(descriptor)
    write_file(direct_mount / "prod/NAME", b"val")
