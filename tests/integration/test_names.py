"""Names that a file system or a service cannot hold (doc/semantics.md, chapter 3)."""

import errno
import os

import pytest

from programs import errno_of, shell, write_file

REFUSED = ["a b", "a:b", "ü", "a+b", "a~b", "%41", "a%2Fb", "a\tb", "%2e", "%2E%2e", "x" * 256]


@pytest.mark.parametrize("name", REFUSED)
def test_names_that_the_service_refuses_are_refused_without_a_call(direct_mount, sandbox, name):
    os.listdir(direct_mount / "prod")
    calls = len(sandbox.calls())
    long = len(name) > 255
    assert errno_of(os.stat, direct_mount / "prod" / name) == (errno.ENAMETOOLONG if long else errno.ENOENT)
    assert errno_of(write_file, direct_mount / "prod" / name, b"val") == (errno.ENAMETOOLONG if long else errno.EINVAL)
    assert errno_of(os.mkdir, direct_mount / name) == (errno.ENAMETOOLONG if long else errno.EINVAL)
    assert len(sandbox.calls()) == calls


def test_a_name_that_is_not_utf8(direct_mount):
    name = os.fsencode(direct_mount / "prod") + b"/\xff\xfe"
    assert errno_of(os.stat, name) == errno.ENOENT
    assert errno_of(os.open, name, os.O_WRONLY | os.O_CREAT) == errno.EINVAL


@pytest.mark.parametrize("name", ["A", "a-b_c.d", ".hidden", "...", "0", "x" * 255, "-", "NAME.", "client-key"])
def test_names_that_the_service_takes(mount, sandbox, name):
    write_file(mount / "prod" / name, b"val")
    assert os.listdir(mount / "prod") == [name]
    assert sandbox.value("prod", name) == b"val"
    os.unlink(mount / "prod" / name)
    assert sandbox.value("prod", name) is None


@pytest.mark.parametrize("raw,shown", [(".", "%2E"), ("..", "%2E%2E")])
def test_dots_are_legal_names_there_and_shown_encoded(mount, sandbox, raw, shown):
    sandbox.put("prod", raw, b"old")
    assert os.listdir(mount / "prod") == [shown]
    assert os.getxattr(mount / "prod" / shown, "user.digest")
    write_file(mount / "prod" / shown, b"new")
    assert sandbox.value("prod", raw) == b"new"


def test_a_secret_and_a_store_called_like_the_control_directory(direct_mount, sandbox):
    sandbox.put(".sstorefs", ".sstorefs", b"old")
    direct_mount.refresh()
    assert sorted(os.listdir(direct_mount.path)) == ["%2Esstorefs", "prod"]
    assert os.listdir(direct_mount / "%2Esstorefs") == ["%2Esstorefs"]
    write_file(direct_mount / "%2Esstorefs/%2Esstorefs", b"new")
    assert sandbox.value(".sstorefs", ".sstorefs") == b"new"


def test_only_the_canonical_spelling_exists(direct_mount, sandbox):
    sandbox.put("prod", "..", b"old")
    sandbox.put("prod", "A", b"old")
    for name in ("%2e%2E", "%41", ".%2E", "%2E."):
        assert errno_of(os.stat, direct_mount / "prod" / name) == errno.ENOENT
        assert errno_of(os.open, direct_mount / "prod" / name, os.O_WRONLY | os.O_CREAT) == errno.EINVAL


def test_names_over_255_bytes_are_left_out_and_counted(direct_mount, sandbox):
    sandbox.put("prod", "SHORT", b"old")
    sandbox.put("prod", "n" * 300, b"old")
    assert os.listdir(direct_mount / "prod") == ["SHORT"]
    assert "1" in direct_mount.control("status")


def test_two_stores_of_one_name_are_distinguished_by_their_ids(make_mount, direct, sandbox):
    first, second = (sandbox.seed(stores=1, prefix="twin")["stores"][0] for _ in range(2))
    mount = make_mount(direct)
    names = sorted(set(os.listdir(mount.path)) - {"prod"})
    assert names[0] == "twin0000" and names[1].startswith("twin0000~") and len(names) == 2
    ids = {os.getxattr(mount / name, "user.id").decode() for name in names}
    assert ids == {first, second}
    assert names[1].removeprefix("twin0000~") in ids
    for name in names:
        write_file(mount / name / "NAME", f"value of {name}".encode())
    assert sorted(sandbox.uploads()) == sorted(f"value of {name}".encode() for name in names)


def test_the_second_of_two_stores_of_one_name_can_be_mounted_alone(make_mount, direct, sandbox):
    for _ in range(2):
        sandbox.seed(stores=1, prefix="twin")
    shown = max(os.listdir(make_mount(direct).path))
    alone = make_mount(direct, source=f"fastly:{shown}")
    assert os.getxattr(alone.path, "user.id").decode() == shown.partition("~")[2]
    write_file(alone / "NAME", b"val")
    assert sandbox.uploads() == [b"val"]


def test_shell_patterns(direct_mount, sandbox):
    sandbox.seed("prod", 3, prefix="DB_")
    sandbox.put("prod", "API", b"old")
    assert shell("echo DB_*", cwd=direct_mount / "prod").stdout.split() == ["DB_0000000", "DB_0000001", "DB_0000002"]
