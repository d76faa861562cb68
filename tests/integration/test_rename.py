"""Other names for what is stored, where the service can't rename: from the sealed value, or not at all (doc/semantics.md, rule 15). Cloudflare's and Stripe's are in their own files."""

import errno
import os
import time

import pytest

from programs import close, errno_of, shell, write_file
from services import GitHub
from waiting import wait_until


def calls(sandbox):
    return [(call["method"], call["name"]) for call in sandbox.calls(operation="fastly.*_secret") if call["method"] != "GET"]


@pytest.mark.parametrize("existing", [False, True], ids=["free", "taken"])
def test_what_was_just_written_takes_another_name(direct_mount, sandbox, existing):
    """The new one is made first: at no moment is there none."""
    if existing:
        sandbox.put("prod", "NEW", b"old")
    write_file(direct_mount / "prod/NAME", b"val")
    sandbox.clear()
    os.rename(direct_mount / "prod/NAME", direct_mount / "prod/NEW")
    assert [name for _, name in calls(sandbox)] == ["NEW", "NAME"] and calls(sandbox)[1][0] == "DELETE"
    assert sandbox.value("prod", "NEW") == b"val" and sandbox.value("prod", "NAME") is None
    assert os.listdir(direct_mount / "prod") == ["NEW"]


def test_what_was_not_written_here_cannot_be_renamed(direct_mount, sandbox):
    """Never EXDEV: mv would copy, and there is nothing to be read."""
    sandbox.put("prod", "NAME", b"val")
    done = shell('mv "$DIR/NAME" "$DIR/NEW"', DIR=direct_mount / "prod")
    assert done.returncode == 1 and "Operation not supported" in done.stderr
    assert calls(sandbox) == []
    assert sandbox.value("prod", "NAME") == b"val"


def test_what_another_client_has_written_since_is_not_lost_with_the_old_name(direct_mount, sandbox):
    write_file(direct_mount / "prod/NAME", b"ours")
    sandbox.put("prod", "NAME", b"theirs")
    assert errno_of(os.rename, direct_mount / "prod/NAME", direct_mount / "prod/NEW") == errno.EOPNOTSUPP
    assert sandbox.value("prod", "NAME") == b"theirs" and sandbox.value("prod", "NEW") is None


def test_a_sealed_value_whose_key_has_expired_is_not_sent(make_mount, direct, sandbox):
    sandbox.variant(fastly__client_key_lifetime=9)
    direct_mount = make_mount(direct)
    write_file(direct_mount / "prod/NAME", b"val")
    deadline = time.monotonic() + 60
    here, there = "NAME", "NEW"
    while (error := errno_of(os.rename, direct_mount / "prod" / here, direct_mount / "prod" / there)) == 0:
        assert time.monotonic() < deadline
        here, there = there, here
        time.sleep(0.2)
    assert error == errno.EOPNOTSUPP
    assert sandbox.value("prod", here) == b"val"


def test_where_the_old_name_cannot_be_deleted_both_stay(direct_mount, sandbox):
    write_file(direct_mount / "prod/NAME", b"val")
    sandbox.fault(operation="fastly.delete_secret", status=403)
    assert errno_of(os.rename, direct_mount / "prod/NAME", direct_mount / "prod/NEW") == errno.EACCES
    assert sandbox.value("prod", "NAME") == sandbox.value("prod", "NEW") == b"val"
    assert sorted(os.listdir(direct_mount / "prod")) == ["NAME", "NEW"]
    wait_until(lambda: not errno_of(os.stat, direct_mount / "prod/NEW"))
    os.stat(direct_mount / "prod/NAME")


def test_between_stores_it_cannot_be(direct_mount, sandbox):
    sandbox.seed("other", 0)
    direct_mount.refresh()
    assert sorted(os.listdir(direct_mount.path)) == ["other", "prod"]
    write_file(direct_mount / "prod/NAME", b"val")
    assert errno_of(os.rename, direct_mount / "prod/NAME", direct_mount / "other/NAME") == errno.EOPNOTSUPP


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_is_settled(direct_mount, sandbox, when):
    write_file(direct_mount / "prod/NAME", b"val")
    sandbox.fault(operation="fastly.put_secret", reset=when, times=1)
    os.rename(direct_mount / "prod/NAME", direct_mount / "prod/NEW")
    assert sandbox.value("prod", "NEW") == b"val" and sandbox.value("prod", "NAME") is None


def test_what_is_open_and_not_yet_stored_takes_its_bytes_along(direct_mount, sandbox):
    descriptor = os.open(direct_mount / "prod/NAME", os.O_WRONLY | os.O_CREAT)
    os.write(descriptor, b"half")
    os.rename(direct_mount / "prod/NAME", direct_mount / "prod/NEW")
    os.write(descriptor, b" and half")
    close(descriptor)
    assert sandbox.value("prod", "NEW") == b"half and half" and sandbox.value("prod", "NAME") is None
    assert calls(sandbox)[-1][1] == "NEW" and len(calls(sandbox)) == 1


def test_a_handle_whose_name_was_replaced_publishes_nothing(direct_mount, sandbox):
    write_file(direct_mount / "prod/NAME", b"old")
    replaced = os.open(direct_mount / "prod/NAME", os.O_WRONLY)
    os.write(replaced, b"never")
    write_file(direct_mount / "prod/OTHER", b"new")
    os.rename(direct_mount / "prod/OTHER", direct_mount / "prod/NAME")
    errno_of(close, replaced)
    assert direct_mount.unmount() == 0
    assert sandbox.value("prod", "NAME") == b"new"


def test_after_half_a_rename_the_new_names_older_value_takes_no_name(make_mount, sandbox):
    """Both versions are of one second, and look the same: the older one would replace the newer."""
    github = GitHub("direct", sandbox).make_store()
    directory = make_mount(github) / "prod"
    write_file(directory / "WARM", b"val")
    sandbox.variant(clock=-(time.time() % 1))  # a second begins
    write_file(directory / "NEW", b"older")
    write_file(directory / "NAME", b"newer")
    github.fault("delete_secret", status=403, times=1)
    assert errno_of(os.rename, directory / "NAME", directory / "NEW") == errno.EACCES
    assert errno_of(os.rename, directory / "NEW", directory / "LAST") == errno.EOPNOTSUPP
    assert github.value("prod", "NEW") == b"newer" and github.value("prod", "LAST") is None
