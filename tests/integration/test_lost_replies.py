"""Answers that never come: what took effect is found out, and what can't be is said to be unknown (doc/semantics.md, rule 13)."""

import errno
import os
import signal
import time

import pytest

from programs import errno_of, shell, start, together, write_file, write_until_stored
from services import SERVICES, Cloudflare, GitHub

PUT = "fastly.put_secret"
NEW = os.O_CREAT | os.O_EXCL


def lose(sandbox, when, operation=PUT, **arguments):
    """`when` is before or after the change."""
    sandbox.fault(operation=operation, reset=when, **arguments)


def seen(sandbox, name="NAME"):
    """The calls for one name: method and status."""
    return [(call["method"], call["status"]) for call in sandbox.calls(name=name)]


def test_a_create_that_took_effect_is_found_and_not_made_again(direct_mount, sandbox):
    os.listdir(direct_mount / "prod")
    lose(sandbox, "after", times=1)
    write_file(direct_mount / "prod/NAME", b"val", NEW)
    assert seen(sandbox) == [("POST", None), ("GET", 200)]
    assert sandbox.uploads() == [b"val"]


def test_a_create_that_did_not_take_effect_is_made_again_once_that_is_known(direct_mount, sandbox):
    os.listdir(direct_mount / "prod")
    lose(sandbox, "before", times=1)
    write_file(direct_mount / "prod/NAME", b"val", NEW)
    assert seen(sandbox) == [("POST", None), ("GET", 404), ("POST", 200)]


def test_what_another_client_made_long_ago_is_not_taken_for_ours(direct_mount, sandbox):
    descriptor = os.open(direct_mount / "prod/NAME", os.O_WRONLY | NEW)
    os.write(descriptor, b"ours")
    sandbox.put("prod", "NAME", b"theirs", created=1.7e9)
    lose(sandbox, "before", times=1)
    assert errno_of(os.fsync, descriptor) == errno.EEXIST
    os.close(descriptor)
    assert sandbox.value("prod", "NAME") == b"theirs"


def test_a_plain_write_is_simply_repeated(direct_mount, sandbox):
    os.listdir(direct_mount / "prod")
    lose(sandbox, "after", times=2)
    write_file(direct_mount / "prod/NAME", b"val")
    assert seen(sandbox) == [("PUT", None), ("PUT", None), ("PUT", 200)]


@pytest.mark.parametrize("status", [403, 404, 422])
def test_a_refusal_after_a_lost_answer_proves_nothing(direct_mount, sandbox, status):
    """It might be the first attempt that was taken, whatever is said of the second."""
    sandbox.put("prod", "NAME", b"old")
    lose(sandbox, "after", times=1)
    sandbox.fault(operation=PUT, status=status, after=1)
    assert errno_of(write_file, direct_mount / "prod/NAME", b"val") == errno.EIO
    assert sandbox.value("prod", "NAME") == b"val"


@pytest.mark.mount_options("timeout=2")
def test_an_unknown_outcome_is_looked_at_before_anything_else_is_sent(direct_mount, sandbox):
    os.listdir(direct_mount / "prod")
    sandbox.fault(operation=PUT, hang="forever")
    assert errno_of(write_file, direct_mount / "prod/NAME", b"one") == errno.ETIMEDOUT
    sandbox.clear_faults()
    sandbox.clear()
    write_until_stored(direct_mount / "prod/NAME", b"two")  # for three seconds after that the service counts as down
    assert seen(sandbox)[0][0] == "GET" and seen(sandbox)[-1] == ("PUT", 200)
    assert sandbox.uploads() == [b"two"]


@pytest.mark.mount_options("timeout=2")
@pytest.mark.parametrize("when,becomes", [("after", b"stored"), ("before", b"failed")])
def test_the_state_is_unknown_until_it_is_read_again(direct_mount, sandbox, when, becomes):
    name = direct_mount / "prod/NAME"
    write_file(name, b"old")
    sandbox.fault(operation=PUT, hang="forever", when=when)
    descriptor = os.open(name, os.O_WRONLY)
    os.write(descriptor, b"val")
    assert errno_of(os.fsync, descriptor) == errno.ETIMEDOUT
    assert os.getxattr(descriptor, "user.sstorefs.state") == b"unknown"
    sandbox.clear_faults()
    os.stat(name)
    assert os.getxattr(descriptor, "user.sstorefs.state") == becomes
    errno_of(os.close, descriptor)


def test_a_delete_that_finds_nothing_after_a_lost_one_succeeded(direct_mount, sandbox):
    write_file(direct_mount / "prod/NAME", b"val")
    sandbox.clear()
    lose(sandbox, "after", "fastly.delete_secret", times=1)
    os.unlink(direct_mount / "prod/NAME")
    assert seen(sandbox) == [("DELETE", None), ("DELETE", 404)]


@pytest.mark.parametrize("how", [{"status": 500, "detail": "boom"}, {"reset": "before"}])
@pytest.mark.mount_options("timeout=3")
def test_a_create_that_is_always_lost_is_not_asked_for_at_every_turn(direct_mount, sandbox, how):
    os.listdir(direct_mount / "prod")
    sandbox.fault(operation=PUT, **how)
    assert errno_of(write_file, direct_mount / "prod/NAME", b"val", NEW) == errno.EIO
    assert 2 <= seen(sandbox).count(("POST", how.get("status"))) <= 30
    assert "boom" in direct_mount.control("errors") or "status" not in how


@pytest.mark.parametrize("how", [{"status": 500}, {"reset": "before"}])
def test_a_rename_that_is_always_lost_is_not_asked_for_at_every_turn(make_mount, sandbox, how):
    service = Cloudflare("direct", sandbox, sandbox.url)
    service.seed("prod", 0)
    mount = make_mount(service, source=service.source, options="timeout=3")
    write_file(mount / "prod/NAME", b"val")
    service.fault("duplicate_secret", **how)
    assert errno_of(os.rename, mount / "prod/NAME", mount / "prod/OTHER") == errno.EIO
    assert 2 <= service.names().count("duplicate_secret") <= 30
    assert service.value("prod", "NAME") == b"val"


def test_a_create_that_took_effect_is_found_where_the_service_tells_no_date(make_mount, direct, sandbox):
    sandbox.fault(service="fastly", skew="none")
    mount = make_mount(direct)
    os.listdir(mount / "prod")
    lose(sandbox, "after", times=1)
    write_file(mount / "prod/NAME", b"val", NEW)
    assert sandbox.uploads() == [b"val"]
    lose(sandbox, "before", times=1)
    descriptor = os.open(mount / "prod/OTHER", os.O_WRONLY | NEW)
    os.write(descriptor, b"ours")
    sandbox.put("prod", "OTHER", b"theirs", created=time.time() + 3600)
    assert errno_of(os.fsync, descriptor) == errno.EEXIST
    os.close(descriptor)
    assert sandbox.value("prod", "OTHER") == b"theirs"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_mkdir_is_looked_for_and_made_again_if_it_is_not_there(direct_mount, sandbox, when):
    os.listdir(direct_mount.path)
    lose(sandbox, when, "fastly.create_store", times=1)
    os.mkdir(direct_mount / "new")
    write_file(direct_mount / "new/NAME", b"val")
    assert sandbox.value("new", "NAME") == b"val"
    assert len(sandbox.calls(operation="fastly.create_store")) == (1 if when == "after" else 2)


def test_a_mkdir_that_is_always_lost_ends(direct_mount, sandbox):
    lose(sandbox, "before", "fastly.create_store")
    assert errno_of(os.mkdir, direct_mount / "new") == errno.EIO
    assert not (direct_mount / "new").exists()
    assert len(sandbox.calls(operation="fastly.create_store")) == 3


@pytest.fixture(params=["fastly", "cloudflare"])
def small_letters(request, make_mount, sandbox):
    """(mount, service) where names of new stores come out in small letters, and no third store fits."""
    service = SERVICES[request.param]("direct", sandbox).make_store()
    service.variant(store_spelling="small", quota_stores=2)
    mount = make_mount(service, source=service.source)
    assert os.listdir(mount.path) == ["prod"]
    return mount, service


def test_a_store_that_was_made_in_another_spelling_is_there_under_its_name_with_a_message(small_letters):
    mount, service = small_letters
    assert errno_of(os.mkdir, mount / "NewStore") == errno.EINVAL
    assert sorted(os.listdir(mount.path)) == ["newstore", "prod"] and not (mount / "NewStore").exists()
    assert len(service.calls("create_store")) == 1
    operation, path, error, status, _, message = mount.control("errors").splitlines()[0].split("\t")[1:]
    assert (operation, path, error) == ("mkdir", "NewStore", "EINVAL") and "made the store as newstore" in message
    write_file(mount / "newstore/NAME", b"val")
    assert service.value("newstore", "NAME") == b"val"


def test_what_a_lost_mkdir_made_in_another_spelling_is_no_lack_of_room(small_letters):
    mount, service = small_letters
    service.fault("create_store", reset="after", times=1)
    assert errno_of(os.mkdir, mount / "NewStore") == errno.EIO
    assert "perhaps in another spelling" in mount.control("errors").splitlines()[0]
    assert sorted(os.listdir(mount.path)) == ["newstore", "prod"]


def test_an_answer_with_a_store_that_is_not_there_is_no_store(direct_mount, sandbox):
    """Nor is the store made again: the first one may be there."""
    sandbox.fault("operation=fastly.create_store,body=renamed")
    assert errno_of(os.mkdir, direct_mount / "new") == errno.EIO
    assert "another store" in direct_mount.control("errors") and len(sandbox.calls(operation="fastly.create_store")) == 1


def test_cp_notices_nothing_of_it(direct_mount, sandbox):
    lose(sandbox, "after", times=1)
    done = shell('cp /etc/hostname "$NAME"', NAME=direct_mount / "prod/NAME")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(sandbox.uploads()) == 1


@pytest.mark.parametrize("interrupted", [False, True], ids=["timed out", "interrupted"])
def test_a_rename_never_sends_what_was_written_before_a_lost_reply(make_mount, sandbox, interrupted):
    """GitHub tells versions by the second: two of one second look the same."""
    service = GitHub("direct", sandbox).make_store()
    name = make_mount(service, options="timeout=2") / "prod/NAME"
    write_file(name, b"one")
    second = os.stat(name).st_ctime
    service.fault("put_secret", hang="forever", when="after", times=1)
    service.fault("put_secret", reset="before", after=1)
    if interrupted:
        writer = start("bash", "-c", 'printf two > "$0"', name)
        sandbox.wait_for_calls(2, operation="github.put_secret")
        writer.send_signal(signal.SIGINT)
        writer.communicate(timeout=60)
    else:
        assert errno_of(write_file, name, b"two") == errno.ETIMEDOUT
    sandbox.clear_faults()
    assert service.value("prod", "NAME") == b"two"
    service.put("prod", "NAME", b"two", modified=second)  # on a slow machine it may have been the next one
    assert os.stat(name).st_ctime == second
    assert errno_of(os.rename, name, name.with_name("NEW")) == errno.EOPNOTSUPP
    assert service.value("prod", "NAME") == b"two" and service.value("prod", "NEW") is None


# An attempt without an answer, a look that finds nothing, and then the name is taken: by that attempt, if it is of that time.

LATE = pytest.mark.parametrize("age,error", [(0, 0), (3600, errno.EEXIST)], ids=["by the lost attempt", "by another client"])


def take(service, operation, name, value, age):
    """The first `operation` is lost; before the second one, which is held, the name is taken."""
    service.fault(operation, status=503, times=1)
    service.fault(operation, hold="before", after=1)

    def act():
        service.sandbox.wait_for_call(f"{service.name}.{operation}", state="held")
        service.put("prod", name, value, created=time.time() - age)
        service.sandbox.release()

    return act


@LATE
@pytest.mark.parametrize("which", ["fastly", "cloudflare"])
def test_a_create_that_takes_effect_late_is_ours(make_mount, sandbox, which, age, error):
    service = SERVICES[which]("direct", sandbox).make_store()
    mount = make_mount(service)
    os.listdir(mount / "prod")
    took = take(service, service.creates, "NAME", b"val", age)
    wrote, _ = together(lambda: errno_of(write_file, mount / "prod/NAME", b"val", NEW), took)
    assert wrote == error and service.value("prod", "NAME") == b"val"


@LATE
@pytest.mark.parametrize("act,taken", [(os.link, errno.EEXIST), (os.rename, errno.EOPNOTSUPP)])
def test_a_copy_that_takes_effect_late_is_ours(make_mount, cloudflare, act, taken, age, error):
    mount = make_mount(cloudflare)
    cloudflare.put("prod", "OLD", b"val")
    os.listdir(mount / "prod")
    took = take(cloudflare, "duplicate_secret", "NEW", b"val", age)
    done, _ = together(lambda: errno_of(act, mount / "prod/OLD", mount / "prod/NEW"), took)
    assert done == (taken if error else 0)
    assert cloudflare.value("prod", "NEW") == b"val" and (cloudflare.value("prod", "OLD") is None) == (act is os.rename and not error)


@pytest.mark.parametrize("act,taken", [(os.link, errno.EEXIST), (os.rename, errno.EOPNOTSUPP)])
def test_what_is_older_than_a_lost_copy_is_another_clients(make_mount, cloudflare, act, taken):
    mount = make_mount(cloudflare)
    cloudflare.put("prod", "OLD", b"val")
    os.listdir(mount / "prod")
    cloudflare.put("prod", "NEW", b"theirs", created=1.7e9)
    cloudflare.fault("duplicate_secret", status=503, times=1)
    assert errno_of(act, mount / "prod/OLD", mount / "prod/NEW") == taken
    assert cloudflare.value("prod", "OLD") == b"val" and cloudflare.value("prod", "NEW") == b"theirs"
