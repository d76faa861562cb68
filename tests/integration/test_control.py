"""The control directory .sstorefs (doc/semantics.md, chapter 8)."""

import errno
import json
import os
import re
import signal
import stat

import pytest

from programs import errno_of, shell, write_file
from waiting import wait_until


def test_it_is_found_by_name_and_not_listed(direct_mount):
    assert ".sstorefs" not in os.listdir(direct_mount.path)
    assert {"errors", "refresh", "status"} <= set(os.listdir(direct_mount / ".sstorefs"))


def test_status_is_json(mount, sandbox, service):
    write_file(mount / "prod/NAME", b"val")
    os.listdir(mount / "prod")
    text = mount.control("status")
    status = json.loads(text)
    assert status["source"] == "fastly:" and status["endpoint"] == service.url
    assert "prod" in text
    assert service.token not in text


def test_status_and_errors_are_for_the_owner_alone(direct_mount):
    for name in ("status", "errors"):
        assert stat.S_IMODE(os.stat(direct_mount / ".sstorefs" / name).st_mode) == 0o400
    assert stat.S_IMODE(os.stat(direct_mount / ".sstorefs/refresh").st_mode) & 0o444 == 0


def test_they_can_be_read_in_pieces_and_with_cat(direct_mount):
    done = shell("cat status; dd if=status bs=1 status=none", cwd=direct_mount / ".sstorefs")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("{")


def test_errors_is_empty_at_first(direct_mount):
    assert direct_mount.control("errors") == ""


def test_what_is_there_cannot_be_changed(direct_mount):
    for action in (lambda: write_file(direct_mount / ".sstorefs/new", b"x"), lambda: os.unlink(direct_mount / ".sstorefs/errors"),
                   lambda: os.mkdir(direct_mount / ".sstorefs/dir"), lambda: os.rmdir(direct_mount / ".sstorefs"),
                   lambda: os.open(direct_mount / ".sstorefs/status", os.O_WRONLY)):
        assert errno_of(action) in (errno.EACCES, errno.EPERM, errno.EROFS)


@pytest.mark.parametrize("how", ["echo", "SIGHUP"])
def test_refresh_makes_other_clients_changes_seen(direct_mount, sandbox, how):
    assert os.listdir(direct_mount / "prod") == []
    sandbox.put("prod", "NAME", b"theirs")
    assert os.listdir(direct_mount / "prod") == []
    if how == "echo":
        assert shell("echo x > .sstorefs/refresh", cwd=direct_mount.path).returncode == 0
        assert os.listdir(direct_mount / "prod") == ["NAME"]
        return
    direct_mount.signal(signal.SIGHUP)
    wait_until(lambda: os.listdir(direct_mount / "prod") == ["NAME"], timeout=10)


def test_sighup_reads_the_token_again(direct_mount, sandbox):
    direct_mount.write_token("next-token")
    direct_mount.signal(signal.SIGHUP)
    sandbox.tokens("next-token")
    write_file(direct_mount / "prod/NAME", b"val")
    assert sandbox.uploads() == [b"val"]


EFFECTS = {"fastly": ["created", "replaced"], "cloudflare": ["created", "replaced"], "stripe": [], "github": ["created", "replaced"]}


def test_the_log_tells_a_new_secret_from_one_that_was_replaced(place):
    """Where the service says so: Fastly's `recreated`, and Cloudflare's verb. Stripe has one verb and says nothing."""
    for value in (b"old", b"new"):
        write_file(place / "NAME", value)
    wait_until(lambda: place.mount.log().count(" publish ") == 2)
    assert re.findall(r'effect="(\w+)"', place.mount.log()) == EFFECTS[place.name]


def test_it_is_there_when_one_store_is_mounted(make_mount, direct):
    mount = make_mount(direct, source="fastly:prod")
    assert json.loads(mount.control("status"))["source"] == "fastly:prod"
