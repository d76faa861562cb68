"""Cloudflare Secrets Store: every endpoint has its place in the file system (doc/apis.md, Cloudflare)."""

import errno
import os
import subprocess

import pytest

from dirents import attributes
from programs import errno_of, shell, write_file

pytestmark = pytest.mark.usefixtures("watched")


@pytest.fixture
def mount(cloudflare_mount):
    return cloudflare_mount


# What is there


def test_stores_and_secrets_are_listed(mount, cloudflare):
    cloudflare.put("prod", "ONE", b"1")
    cloudflare.put("prod", "TWO", b"2")
    assert os.listdir(mount.path) == ["prod"]
    assert sorted(os.listdir(mount / "prod")) == ["ONE", "TWO"]
    assert cloudflare.names() == ["list_secrets"]
    assert cloudflare.calls("list_secrets")[0]["path"].endswith("?page=1&per_page=100&order=name&direction=asc")


@pytest.mark.parametrize("kind", ["account", "account/store", "variable", "variable/store"])
def test_sources(make_mount, cloudflare, kind):
    account, _, store = kind.partition("/")
    source = cloudflare.source if account == "account" else "cloudflare:"
    variables = {} if account == "account" else {"CLOUDFLARE_ACCOUNT_ID": cloudflare.sandbox.account}
    mount = make_mount(cloudflare, source=source + ("/prod" if store else ""), **variables)
    name = mount / ("NAME" if store else "prod/NAME")
    write_file(name, b"val")
    assert cloudflare.value("prod", "NAME") == b"val"
    assert os.listdir(name.parent) == ["NAME"]


def test_a_store_on_a_later_page_can_be_mounted(make_mount, cloudflare):
    cloudflare.seed(stores=150, prefix="a")
    mount = make_mount(cloudflare, source=f"{cloudflare.source}/prod")
    write_file(mount / "NAME", b"val")
    assert cloudflare.value("prod", "NAME") == b"val"
    assert cloudflare.names()[:2] == ["list_stores", "list_stores"]


def test_attributes_are_the_services_own(mount, cloudflare):
    cloudflare.put("prod", "NAME", b"old", created=1.7e9 + 0.25, modified=1.71e9 + 0.5, scopes=["workers", "dex"],
                   comment="what it is for")
    told = cloudflare.secret("NAME")
    shown = attributes(mount / "prod/NAME")
    assert len(shown.pop("user.digest")) == 44
    assert shown == {"user.id": told["id"], "user.status": told["status"], "user.scopes": "dex:workers",
                     "user.comment": "what it is for", "user.created_at": "2023-11-14T22:13:20Z",
                     "user.modified_at": "2024-03-09T16:00:00Z", "user.expires_at": "never"}
    assert os.stat(mount / "prod/NAME").st_mtime == 1.71e9 + 0.5
    (store,) = cloudflare.get("/stores")
    assert attributes(mount / "prod")["user.id"] == store["id"]


def test_a_secret_that_was_never_changed_tells_when_it_was_last_changed(mount, cloudflare):
    cloudflare.put("prod", "NAME", b"old", created=1.7e9, modified=1.7e9)
    asked = ["getfattr", "--only-values", "-n", "user.modified_at", mount / "prod/NAME"]
    assert subprocess.run(asked, check=True, capture_output=True, text=True).stdout == "2023-11-14T22:13:20Z"


# Writing


def test_a_new_file_is_an_array_of_one(mount, cloudflare):
    write_file(mount / "prod/NAME", b"val")
    assert cloudflare.value("prod", "NAME") == b"val"
    assert cloudflare.names() == ["create_secrets"]
    assert cloudflare.secret("NAME")["scopes"] == ["workers"]
    assert "comment" not in cloudflare.secret("NAME")


def test_an_overwrite_is_exactly_one_patch_of_the_same_id(mount, cloudflare):
    cloudflare.put("prod", "NAME", b"old", comment="kept", scopes=["dex"])
    before = cloudflare.secret("NAME")
    os.stat(mount / "prod/NAME")
    cloudflare.sandbox.clear()
    write_file(mount / "prod/NAME", b"new")
    (call,) = cloudflare.calls()
    assert (call["method"], call["operation"]) == ("PATCH", "cloudflare.patch_secret")
    after = cloudflare.secret("NAME")
    assert after["id"] == before["id"] and after["modified"] > before["modified"]
    assert (after["comment"], after["scopes"]) == ("kept", ["dex"])
    assert cloudflare.value("prod", "NAME") == b"new"


def test_an_overwrite_changes_digest_and_time(mount, cloudflare):
    cloudflare.put("prod", "NAME", b"old", created=1.7e9, modified=1.7e9)
    before = attributes(mount / "prod/NAME")
    write_file(mount / "prod/NAME", b"old")
    after = attributes(mount / "prod/NAME")
    assert after["user.id"] == before["user.id"] and after["user.created_at"] == before["user.created_at"]
    assert after["user.digest"] != before["user.digest"] and after["user.modified_at"] > "2026"


VALUES = {
    "quotes": b'"quoted\\" \\ /',
    "control": bytes(range(1, 32)) + b"\x7f\nmore",
    "nul": b"a\0b\0",
    "latin": "äöü ß é\u0080\u009f".encode(),
    "astral": "\U0001f511\U0010ffff \U00010000".encode(),
    "separators": "\u2028\u2029\ufeff\ufffe".encode(),
    "blank": b"  \t val \r\n\n",
    "looks-escaped": b"\\u0041\\n%00&amp;",
    "largest": b"x" * 65536,
    "largest-escaped": b"\x01" * 65536,
    "largest-multibyte": "é".encode() * 32768,
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_text_arrives_byte_for_byte(mount, cloudflare, value):
    for _ in ("create", "replace"):
        write_file(mount / "prod/NAME", value)
        assert cloudflare.value("prod", "NAME") == value
    assert cloudflare.names()[-2:] == ["create_secrets", "patch_secret"]


@pytest.mark.parametrize("value", [b"\xff", b"a\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80", b"\x80"])
def test_what_is_not_utf8_is_eilseq(mount, cloudflare, value):
    assert errno_of(write_file, mount / "prod/NAME", value) == errno.EILSEQ
    assert not (mount / "prod/NAME").exists()
    assert cloudflare.sandbox.uploads() == []
    assert "EILSEQ" in mount.control("errors") and "base64" in mount.control("errors")


def test_the_limit_is_65536_bytes(mount, cloudflare):
    assert errno_of(write_file, mount / "prod/NAME", b"x" * 65537) == errno.EFBIG
    assert errno_of(write_file, mount / "prod/NAME", "é".encode() * 32768 + b"x") == errno.EFBIG
    assert not (mount / "prod/NAME").exists()
    write_file(mount / "prod/NAME", b"x" * 65535 + b"\n")
    assert len(cloudflare.value("prod", "NAME")) == 65535


@pytest.mark.mount_options("scopes=ai_gateway:workers,comment=from the option")
def test_new_secrets_have_the_scopes_and_comment_of_the_options(mount, cloudflare):
    cloudflare.put("prod", "OLD", b"old", scopes=["dex"])
    write_file(mount / "prod/NAME", b"val")
    assert cloudflare.secret("NAME")["scopes"] == ["ai_gateway", "workers"]
    assert cloudflare.secret("NAME")["comment"] == "from the option"
    write_file(mount / "prod/OLD", b"new")
    assert cloudflare.secret("OLD")["scopes"] == ["dex"] and "comment" not in cloudflare.secret("OLD")


def test_attributes_set_before_the_value_join_the_create(mount, cloudflare):
    done = shell("exec 3> NAME; setfattr -n user.scopes -v dex,workers NAME && setfattr -n user.comment -v 'a \"quoted\" é' NAME && "
                 "getfattr -d NAME && echo val >&3 && exec 3>&-", cwd=mount / "prod")
    assert (done.returncode, done.stderr) == (0, "")
    assert 'user.scopes="dex:workers"' in done.stdout and "user.comment=" in done.stdout
    assert cloudflare.names() == ["create_secrets"]
    made = cloudflare.secret("NAME")
    assert (made["scopes"], made["comment"]) == (["dex", "workers"], 'a "quoted" é')
    assert os.getxattr(mount / "prod/NAME", "user.scopes") == b"dex:workers"


def test_attributes_that_hold_already_are_not_sent_again(mount, cloudflare):
    name = mount / "prod/NAME"
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT, 0o600)
    os.setxattr(name, "user.comment", b"first")
    os.write(descriptor, b"one")
    os.fsync(descriptor)
    assert cloudflare.secret("NAME")["comment"] == "first"
    os.setxattr(name, "user.comment", b"second")
    assert cloudflare.secret("NAME")["comment"] == "second", "what is stored is changed at once"
    os.write(descriptor, b"two")
    os.close(descriptor)
    assert cloudflare.value("prod", "NAME") == b"onetwo"
    assert cloudflare.secret("NAME")["comment"] == "second"
    assert [name for name in cloudflare.names() if "list" not in name] == ["create_secrets", "patch_secret", "patch_secret"]


def test_attributes_of_a_stored_secret_are_patched(mount, cloudflare):
    cloudflare.put("prod", "NAME", b"old", comment="old", scopes=["dex"])
    name = mount / "prod/NAME"
    os.stat(name)
    cloudflare.sandbox.clear()
    os.setxattr(name, "user.comment", "new ä".encode())
    os.setxattr(name, "user.scopes", b"workers,access")
    assert cloudflare.names() == ["patch_secret", "patch_secret"]
    assert (cloudflare.secret("NAME")["comment"], cloudflare.secret("NAME")["scopes"]) == ("new ä", ["access", "workers"])
    assert os.getxattr(name, "user.comment") == "new ä".encode()
    assert os.getxattr(name, "user.scopes") == b"access:workers"
    os.setxattr(name, "user.comment", b"")
    assert "comment" not in cloudflare.secret("NAME") and "user.comment" not in os.listxattr(name)
    os.setxattr(name, "user.comment", b"once more")
    os.removexattr(name, "user.comment")
    assert "comment" not in cloudflare.secret("NAME") and "user.comment" not in os.listxattr(name)
    os.removexattr(name, "user.scopes")
    assert os.getxattr(name, "user.scopes") == b"access:workers", "there is no secret without scopes"
    assert cloudflare.value("prod", "NAME") == b"old"


def test_attributes_that_can_not_be_set(mount, cloudflare):
    cloudflare.put("prod", "NAME", b"old")
    name = mount / "prod/NAME"
    refusals = [("user.scopes", b"", errno.EINVAL), ("user.scopes", b"a::b", errno.EINVAL), ("user.scopes", b":a", errno.EINVAL),
                ("user.scopes", b"a b", errno.EINVAL), ("user.scopes", b"a\0", errno.EINVAL), ("user.scopes", b"nosuch", errno.EINVAL),
                ("user.comment", b"\xff", errno.EILSEQ), ("user.comment", b"a\0b", errno.EINVAL),
                ("user.expires_at", b"2040-01-01T00:00:00Z", errno.EOPNOTSUPP), ("user.digest", b"x", errno.EOPNOTSUPP),
                ("user.other", b"x", errno.EOPNOTSUPP), ("security.other", b"x", errno.EOPNOTSUPP)]
    for attribute, value, expected in refusals:
        assert errno_of(os.setxattr, name, attribute, value) == expected, (attribute, value)
    assert errno_of(os.setxattr, name, "user.comment", b"x", os.XATTR_REPLACE) == errno.ENODATA
    assert errno_of(os.setxattr, name, "user.scopes", b"dex", os.XATTR_CREATE) == errno.EEXIST
    assert errno_of(os.setxattr, mount / "prod", "user.comment", b"x") == errno.EOPNOTSUPP
    assert errno_of(os.removexattr, name, "user.comment") == errno.ENODATA
    assert [call["status"] for call in cloudflare.calls("patch_secret")] == [400]
    assert "secret_scope_invalid" in mount.control("errors")


@pytest.mark.mount_options("nocreate")
def test_nocreate(mount, cloudflare):
    cloudflare.put("prod", "NAME", b"old")
    write_file(mount / "prod/NAME", b"new")
    assert cloudflare.value("prod", "NAME") == b"new"
    assert errno_of(write_file, mount / "prod/OTHER", b"val") == errno.EPERM
    assert errno_of(os.setxattr, mount / "prod/NAME", "user.comment", b"x") == errno.EPERM
    cloudflare.delete("prod", "NAME")
    assert errno_of(write_file, mount / "prod/NAME", b"val") == errno.ENOENT
    assert {call["method"] for call in cloudflare.calls()} == {"GET", "PATCH"}


# Deleting, and stores


@pytest.mark.parametrize("status", [202, 200])
def test_unlink(mount, cloudflare, status):
    cloudflare.variant(delete_status=status)
    cloudflare.put("prod", "NAME", b"old")
    told = cloudflare.secret("NAME")
    os.unlink(mount / "prod/NAME")
    assert cloudflare.value("prod", "NAME") is None
    (call,) = cloudflare.calls("delete*")
    assert call["method"] == "DELETE" and call["path"].endswith(f"/secrets/{told['id']}")
    assert os.listdir(mount / "prod") == [] and not (mount / "prod/NAME").exists()
    assert errno_of(os.unlink, mount / "prod/NAME") == errno.ENOENT
    assert len(cloudflare.calls("delete*")) == 1


@pytest.mark.parametrize("shown", ["deleted", "active"])
def test_a_listing_may_show_what_is_deleted_a_moment_longer(mount, cloudflare, shown):
    cloudflare.variant(deleted_rows=60, deleted_status=shown)
    cloudflare.put("prod", "NAME", b"old")
    os.unlink(mount / "prod/NAME")
    assert cloudflare.secret("NAME")["status"] == shown, "the sandbox still lists it"
    mount.refresh()
    assert os.listdir(mount / "prod") == [] and not (mount / "prod/NAME").exists()
    write_file(mount / "prod/NAME", b"new")
    mount.refresh()
    assert os.listdir(mount / "prod") == ["NAME"]
    assert cloudflare.value("prod", "NAME") == b"new" and len(cloudflare.calls("create_secrets")) == 1


def test_the_kernel_never_gives_two_deletions_in_a_directory_at_once(mount, cloudflare):
    """Why the call that deletes several secrets is of no use: each `rm` of a directory waits until the one before was answered."""
    for number in range(6):
        cloudflare.put("prod", f"NAME{number}", b"old")
    assert len(os.listdir(mount / "prod")) == 6
    cloudflare.fault("delete_secret", hold="before")
    removers = [subprocess.Popen(["rm", mount / f"prod/NAME{number}"]) for number in range(6)]
    try:
        for done in range(6):
            cloudflare.sandbox.wait_for_calls(done + 1, operation="cloudflare.delete_secret")
            assert len(cloudflare.calls("delete_secret", state="open")) == 1
            cloudflare.sandbox.release(1)
    finally:
        cloudflare.sandbox.release()
        assert [remover.wait() for remover in removers] == [0] * 6
    assert os.listdir(mount / "prod") == []


def test_mkdir_and_rmdir(mount, cloudflare):
    cloudflare.variant(quota_stores=3)
    os.mkdir(mount / "new")
    write_file(mount / "new/NAME", b"val")
    assert errno_of(os.mkdir, mount / "new") == errno.EEXIST
    assert errno_of(os.rmdir, mount / "new") == errno.ENOTEMPTY
    os.unlink(mount / "new/NAME")
    os.rmdir(mount / "new")
    assert sorted(os.listdir(mount.path)) == ["prod"]
    paths = [call["path"] for call in cloudflare.calls("delete_store")]
    assert len(paths) >= 1 and not any("force" in path for path in paths)


def test_rmdir_goes_by_the_services_word(mount, cloudflare):
    assert os.listdir(mount / "prod") == []
    cloudflare.put("prod", "NAME", b"another client's")
    assert errno_of(os.rmdir, mount / "prod") == errno.ENOTEMPTY
    assert [call["status"] for call in cloudflare.calls("delete_store")] == [409]
    assert cloudflare.value("prod", "NAME") == b"another client's"


def test_one_store_more_than_the_quota_is_edquot(mount, cloudflare):
    assert errno_of(os.mkdir, mount / "new") == errno.EDQUOT
    assert "maximum_stores_exceeded" in mount.control("errors")


def test_a_virgin_account_has_no_stores(make_mount, cloudflare):
    cloudflare.delete("prod")
    mount = make_mount(cloudflare, source=cloudflare.source)
    assert os.listdir(mount.path) == []
    os.mkdir(mount / "first")
    write_file(mount / "first/NAME", b"val")
    assert cloudflare.value("first", "NAME") == b"val"


# Names


def test_names_that_the_service_would_refuse_are_refused_on_create_alone(mount, cloudflare):
    cloudflare.put("prod", "with.period", b"old")
    for name in ("a.b", "a b", "ä", "x" * 256, "a%2Fb"):
        assert errno_of(write_file, mount / "prod" / name, b"val") in (errno.EINVAL, errno.ENAMETOOLONG), name
    assert cloudflare.calls("create_secrets") == []
    write_file(mount / "prod/with.period", b"new")
    assert cloudflare.value("prod", "with.period") == b"new"
    for name in ("A-Z_09", "-", "_", "x" * 255):
        write_file(mount / "prod" / name, b"val")
