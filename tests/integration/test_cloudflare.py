"""Cloudflare Secrets Store: every endpoint has its place in the file system (DESIGN 5; API-FACTS 2 and 6)."""

import errno
import json
import os
import subprocess
import time
import urllib.request

import pytest

from mounting import PROGRAM, run_program
from services import Cloudflare
from writers import errno_of, shell, write_file


@pytest.fixture
def cloudflare(sandbox):
    service = Cloudflare("direct", sandbox, sandbox.url)
    service.seed("prod", 0)
    with service.watched():
        yield service


@pytest.fixture
def mount(request, make_mount, cloudflare):
    marker = request.node.get_closest_marker("mount_options")
    made = make_mount(cloudflare, source=cloudflare.source, options=marker.args[0] if marker else "")
    cloudflare.sandbox.clear()
    return made


def asked(cloudflare, path):
    """The service's own words about something."""
    url = f"{cloudflare.url}/accounts/{cloudflare.sandbox.account}/secrets_store{path}"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {cloudflare.token}"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["result"]


def secret(cloudflare, name, store="prod"):
    """One secret as the service lists it."""
    (found,) = [one for one in asked(cloudflare, "/stores") if one["name"] == store]
    return next((one for one in asked(cloudflare, f"/stores/{found['id']}/secrets?per_page=100") if one["name"] == name), None)


def attributes(path):
    return {name: os.getxattr(path, name).decode() for name in os.listxattr(path) if name.startswith("user.")}


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
    told = secret(cloudflare, "NAME")
    shown = attributes(mount / "prod/NAME")
    assert len(shown.pop("user.digest")) == 44
    assert shown == {"user.id": told["id"], "user.status": told["status"], "user.scopes": "dex:workers",
                     "user.comment": "what it is for", "user.created_at": "2023-11-14T22:13:20Z",
                     "user.modified_at": "2024-03-09T16:00:00Z", "user.expires_at": "never"}
    assert os.stat(mount / "prod/NAME").st_mtime == 1.71e9 + 0.5
    (store,) = asked(cloudflare, "/stores")
    assert attributes(mount / "prod")["user.id"] == store["id"]


# Writing


def test_a_new_file_is_an_array_of_one(mount, cloudflare):
    write_file(mount / "prod/NAME", b"val")
    assert cloudflare.value("prod", "NAME") == b"val"
    assert cloudflare.names() == ["list_secrets", "create_secrets"]
    assert secret(cloudflare, "NAME")["scopes"] == ["workers"]
    assert "comment" not in secret(cloudflare, "NAME")


def test_an_overwrite_is_exactly_one_patch_of_the_same_id(mount, cloudflare):
    cloudflare.put("prod", "NAME", b"old", comment="kept", scopes=["dex"])
    before = secret(cloudflare, "NAME")
    os.stat(mount / "prod/NAME")
    cloudflare.sandbox.clear()
    write_file(mount / "prod/NAME", b"new")
    (call,) = cloudflare.calls()
    assert (call["method"], call["operation"]) == ("PATCH", "cloudflare.patch_secret")
    after = secret(cloudflare, "NAME")
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
    assert secret(cloudflare, "NAME")["scopes"] == ["ai_gateway", "workers"]
    assert secret(cloudflare, "NAME")["comment"] == "from the option"
    write_file(mount / "prod/OLD", b"new")
    assert secret(cloudflare, "OLD")["scopes"] == ["dex"] and "comment" not in secret(cloudflare, "OLD")


def test_attributes_set_before_the_value_join_the_create(mount, cloudflare):
    done = shell("exec 3> NAME; setfattr -n user.scopes -v dex,workers NAME && setfattr -n user.comment -v 'a \"quoted\" é' NAME && "
                 "getfattr -d NAME && echo val >&3 && exec 3>&-", cwd=mount / "prod")
    assert (done.returncode, done.stderr) == (0, "")
    assert 'user.scopes="dex:workers"' in done.stdout and "user.comment=" in done.stdout
    assert cloudflare.names() == ["list_secrets", "create_secrets"]
    made = secret(cloudflare, "NAME")
    assert (made["scopes"], made["comment"]) == (["dex", "workers"], 'a "quoted" é')
    assert os.getxattr(mount / "prod/NAME", "user.scopes") == b"dex:workers"


def test_attributes_that_came_true_are_not_said_again(mount, cloudflare):
    name = mount / "prod/NAME"
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT, 0o600)
    os.setxattr(name, "user.comment", b"first")
    os.write(descriptor, b"one")
    os.fsync(descriptor)
    assert secret(cloudflare, "NAME")["comment"] == "first"
    os.setxattr(name, "user.comment", b"second")
    assert secret(cloudflare, "NAME")["comment"] == "second", "what is stored is changed at once"
    os.write(descriptor, b"two")
    os.close(descriptor)
    assert cloudflare.value("prod", "NAME") == b"onetwo"
    assert secret(cloudflare, "NAME")["comment"] == "second"
    assert [name for name in cloudflare.names() if "list" not in name] == ["create_secrets", "patch_secret", "patch_secret"]


def test_attributes_of_a_stored_secret_are_patched(mount, cloudflare):
    cloudflare.put("prod", "NAME", b"old", comment="old", scopes=["dex"])
    name = mount / "prod/NAME"
    os.stat(name)
    cloudflare.sandbox.clear()
    os.setxattr(name, "user.comment", "new ä".encode())
    os.setxattr(name, "user.scopes", b"workers,access")
    assert cloudflare.names() == ["patch_secret", "patch_secret"]
    assert (secret(cloudflare, "NAME")["comment"], secret(cloudflare, "NAME")["scopes"]) == ("new ä", ["access", "workers"])
    assert os.getxattr(name, "user.comment") == "new ä".encode()
    assert os.getxattr(name, "user.scopes") == b"access:workers"
    os.setxattr(name, "user.comment", b"")
    assert "comment" not in secret(cloudflare, "NAME") and "user.comment" not in os.listxattr(name)
    assert cloudflare.value("prod", "NAME") == b"old"


def test_attributes_that_can_not_be_set(mount, cloudflare):
    cloudflare.put("prod", "NAME", b"old")
    name = mount / "prod/NAME"
    refusals = [("user.scopes", b"", errno.EINVAL), ("user.scopes", b"a::b", errno.EINVAL), ("user.scopes", b":a", errno.EINVAL),
                ("user.scopes", b"a b", errno.EINVAL), ("user.scopes", b"a\0", errno.EINVAL), ("user.scopes", b"nosuch", errno.EINVAL),
                ("user.comment", b"\xff", errno.EILSEQ), ("user.comment", b"a\0b", errno.EINVAL),
                ("user.expires_at", b"never", errno.EOPNOTSUPP), ("user.digest", b"x", errno.EOPNOTSUPP),
                ("user.other", b"x", errno.EOPNOTSUPP), ("security.other", b"x", errno.EOPNOTSUPP)]
    for attribute, value, expected in refusals:
        assert errno_of(os.setxattr, name, attribute, value) == expected, (attribute, value)
    assert errno_of(os.setxattr, name, "user.comment", b"x", os.XATTR_REPLACE) == errno.ENODATA
    assert errno_of(os.setxattr, name, "user.scopes", b"dex", os.XATTR_CREATE) == errno.EEXIST
    assert errno_of(os.setxattr, mount / "prod", "user.comment", b"x") == errno.EOPNOTSUPP
    assert errno_of(os.removexattr, name, "user.comment") == errno.EOPNOTSUPP
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
    cloudflare.play(delete_status=status)
    cloudflare.put("prod", "NAME", b"old")
    told = secret(cloudflare, "NAME")
    os.unlink(mount / "prod/NAME")
    assert cloudflare.value("prod", "NAME") is None
    (call,) = cloudflare.calls("delete*")
    assert call["method"] == "DELETE" and call["path"].endswith(f"/secrets/{told['id']}")
    assert os.listdir(mount / "prod") == [] and not (mount / "prod/NAME").exists()
    assert errno_of(os.unlink, mount / "prod/NAME") == errno.ENOENT
    assert len(cloudflare.calls("delete*")) == 1


@pytest.mark.parametrize("shown", ["deleted", "active"])
def test_a_listing_may_show_what_is_deleted_a_moment_longer(mount, cloudflare, shown):
    cloudflare.play(deleted_rows=60, deleted_status=shown)
    cloudflare.put("prod", "NAME", b"old")
    os.unlink(mount / "prod/NAME")
    assert secret(cloudflare, "NAME")["status"] == shown, "the sandbox still lists it"
    mount.refresh()
    assert os.listdir(mount / "prod") == [] and not (mount / "prod/NAME").exists()
    write_file(mount / "prod/NAME", b"new")
    mount.refresh()
    assert os.listdir(mount / "prod") == ["NAME"]
    assert cloudflare.value("prod", "NAME") == b"new" and len(cloudflare.calls("create_secrets")) == 1


def test_mkdir_and_rmdir(mount, cloudflare):
    cloudflare.play(quota_stores=3)
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


# Names and ids


def test_a_secret_made_anew_elsewhere_is_found_again(mount, cloudflare):
    cloudflare.put("prod", "NAME", b"old")
    os.stat(mount / "prod/NAME")
    cloudflare.delete("prod", "NAME")
    cloudflare.put("prod", "OTHER", b"x", comment="mentions NAME")
    cloudflare.put("prod", "NAME", b"theirs")
    told = secret(cloudflare, "NAME")
    cloudflare.sandbox.clear()
    write_file(mount / "prod/NAME", b"ours")
    assert [(call["method"], call["status"]) for call in cloudflare.calls()] == [("PATCH", 404), ("GET", 200), ("PATCH", 200)]
    assert cloudflare.value("prod", "NAME") == b"ours" and secret(cloudflare, "NAME")["id"] == told["id"]


def test_a_secret_deleted_elsewhere_is_created(mount, cloudflare):
    cloudflare.put("prod", "NAME", b"old")
    os.stat(mount / "prod/NAME")
    cloudflare.delete("prod", "NAME")
    cloudflare.sandbox.clear()
    write_file(mount / "prod/NAME", b"ours")
    assert cloudflare.names() == ["patch_secret", "list_secrets", "create_secrets"]
    assert "search=NAME" in cloudflare.calls("list_secrets")[0]["path"]
    assert cloudflare.value("prod", "NAME") == b"ours"


@pytest.mark.parametrize("status", [409, 400])
def test_a_secret_created_elsewhere_is_replaced(mount, cloudflare, status):
    cloudflare.play(conflict_status=status)
    assert os.listdir(mount / "prod") == []
    for number in range(120):
        cloudflare.put("prod", f"A{number}_NAME", b"x")
    cloudflare.put("prod", "NAME", b"theirs")
    cloudflare.sandbox.clear()
    write_file(mount / "prod/NAME", b"ours")
    assert cloudflare.names() == ["create_secrets", "list_secrets", "list_secrets", "patch_secret"]
    assert cloudflare.value("prod", "NAME") == b"ours"


@pytest.mark.parametrize("status", [409, 400])
def test_under_o_excl_it_is_eexist(mount, cloudflare, status):
    cloudflare.play(conflict_status=status)
    assert os.listdir(mount / "prod") == []
    cloudflare.put("prod", "NAME", b"theirs")
    assert errno_of(write_file, mount / "prod/NAME", b"ours", os.O_CREAT | os.O_EXCL) == errno.EEXIST
    assert cloudflare.value("prod", "NAME") == b"theirs"
    assert cloudflare.calls("patch_secret") == []


@pytest.mark.mount_options("entry_timeout=0,attr_timeout=0")
def test_a_store_that_went_away_is_enoent_and_nothing_is_created(mount, cloudflare):
    cloudflare.put("prod", "NAME", b"old")
    os.stat(mount / "prod/NAME")
    cloudflare.delete("prod")
    cloudflare.sandbox.clear()
    assert errno_of(write_file, mount / "prod/NAME", b"val") == errno.ENOENT
    assert cloudflare.names() == ["patch_secret"], "store_not_found must not become a POST"
    assert not (mount / "prod").exists()


@pytest.mark.parametrize("action", ["unlink", "edit"])
def test_other_changes_find_a_new_id_too(mount, cloudflare, action):
    cloudflare.put("prod", "NAME", b"old")
    os.stat(mount / "prod/NAME")
    cloudflare.delete("prod", "NAME")
    cloudflare.put("prod", "NAME", b"theirs")
    if action == "unlink":
        errno_of(os.unlink, mount / "prod/NAME")
        assert cloudflare.value("prod", "NAME") is None
    else:
        os.setxattr(mount / "prod/NAME", "user.comment", b"ours")
        assert secret(cloudflare, "NAME")["comment"] == "ours"


def test_an_edit_of_a_secret_that_went_away_is_enoent(mount, cloudflare):
    cloudflare.put("prod", "NAME", b"old")
    os.stat(mount / "prod/NAME")
    cloudflare.delete("prod", "NAME")
    assert errno_of(os.setxattr, mount / "prod/NAME", "user.comment", b"ours") == errno.ENOENT


# Other names


@pytest.mark.parametrize("comment", ["drop", "keep"])
def test_mv_and_ln_duplicate(mount, cloudflare, comment):
    cloudflare.play(duplicate_comment=comment)
    cloudflare.put("prod", "NAME", b"val", scopes=["dex", "workers"], comment="what for")
    os.stat(mount / "prod/NAME")
    cloudflare.sandbox.clear()
    os.link(mount / "prod/NAME", mount / "prod/COPY")
    assert cloudflare.names() == ["duplicate_secret"]
    os.rename(mount / "prod/NAME", mount / "prod/NEW")
    assert cloudflare.names() == ["duplicate_secret", "duplicate_secret", "delete_secret"]
    assert sorted(os.listdir(mount / "prod")) == ["COPY", "NEW"]
    for name in ("COPY", "NEW"):
        told = secret(cloudflare, name)
        assert (told["scopes"], told["comment"]) == (["dex", "workers"], "what for")
        assert cloudflare.value("prod", name) == b"val"
        assert os.getxattr(mount / "prod" / name, "user.comment") == b"what for"
    cloudflare.sandbox.clear()
    assert errno_of(os.rename, mount / "prod/NEW", mount / "prod/COPY") == errno.EOPNOTSUPP
    assert errno_of(os.link, mount / "prod/NEW", mount / "prod/COPY") == errno.EEXIST
    assert "duplicate_secret" not in cloudflare.names(), "what is known to be taken is not tried"


def test_a_rename_never_replaces_what_another_client_has_just_made(mount, cloudflare):
    cloudflare.put("prod", "NAME", b"val")
    os.listdir(mount / "prod")
    cloudflare.put("prod", "NEW", b"theirs")
    assert errno_of(os.rename, mount / "prod/NAME", mount / "prod/NEW") == errno.EOPNOTSUPP
    assert (cloudflare.value("prod", "NAME"), cloudflare.value("prod", "NEW")) == (b"val", b"theirs")


def test_a_name_with_a_full_quota_can_not_be_duplicated(mount, cloudflare):
    cloudflare.put("prod", "NAME", b"val")
    cloudflare.play(quota_secrets=1)
    assert errno_of(os.rename, mount / "prod/NAME", mount / "prod/NEW") == errno.EDQUOT
    assert cloudflare.value("prod", "NAME") == b"val"


# Lost answers


@pytest.mark.parametrize("how", ["reset=before", "reset=after", "reset=middle", "body=nonsense"])
def test_a_create_whose_answer_is_lost_is_settled(mount, cloudflare, how):
    effect, _, value = how.partition("=")
    cloudflare.fault("create_secrets", times=1, **{effect: value})
    write_file(mount / "prod/NAME", b"val")
    assert cloudflare.value("prod", "NAME") == b"val"
    assert len(cloudflare.sandbox.uploads("NAME")) <= 2


def test_under_o_excl_a_create_of_ours_whose_answer_is_lost_is_a_success(mount, cloudflare):
    cloudflare.fault("create_secrets", times=1, reset="after")
    write_file(mount / "prod/NAME", b"val", os.O_CREAT | os.O_EXCL)
    assert cloudflare.sandbox.uploads("NAME") == [b"val"]


@pytest.mark.parametrize("age, error", [(0, 0), (3600, errno.EOPNOTSUPP)])
def test_a_duplicate_whose_answer_is_lost_is_ours_only_if_it_is_new(mount, cloudflare, age, error):
    """Else another client made it, and deleting the old name would lose what was to be renamed."""
    cloudflare.put("prod", "NAME", b"val")
    os.listdir(mount / "prod")
    if age:
        cloudflare.put("prod", "NEW", b"theirs", created=time.time() - age)
    cloudflare.fault("duplicate_secret", times=1, reset="after")
    assert errno_of(os.rename, mount / "prod/NAME", mount / "prod/NEW") == error
    assert cloudflare.value("prod", "NEW") == (b"theirs" if age else b"val")
    assert cloudflare.value("prod", "NAME") == (b"val" if age else None)


@pytest.mark.parametrize("age, error", [(0, 0), (3600, errno.EEXIST)])
def test_and_so_is_one_more_name(mount, cloudflare, age, error):
    cloudflare.put("prod", "NAME", b"val")
    os.listdir(mount / "prod")
    if age:
        cloudflare.put("prod", "NEW", b"theirs", created=time.time() - age)
    cloudflare.fault("duplicate_secret", times=1, reset="after")
    assert errno_of(os.link, mount / "prod/NAME", mount / "prod/NEW") == error
    assert cloudflare.value("prod", "NEW") == (b"theirs" if age else b"val")


# The quota


def figures(path):
    told = os.statvfs(path)
    return told.f_files, told.f_files - told.f_ffree


def test_df_shows_quota_and_usage(mount, cloudflare):
    for number in range(7):
        cloudflare.put("prod", f"NAME{number}", b"x")
    done = shell(f"df --output=itotal,iused,iavail {mount.path}")
    assert done.stdout.split()[-3:] == ["100", "7", "93"]
    assert cloudflare.names() == ["get_quota"]
    write_file(mount / "prod/NEW", b"val")
    assert figures(mount.path) == (100, 8)
    write_file(mount / "prod/NEW", b"again")
    assert figures(mount / "prod") == (100, 8)
    os.unlink(mount / "prod/NEW")
    assert figures(mount.path) == (100, 7)
    assert len(cloudflare.calls("get_quota")) == 1
    mount.refresh()
    cloudflare.play(quota_secrets=50)
    assert figures(mount.path) == (50, 7)


def test_df_goes_on_when_the_quota_may_not_be_seen(mount, cloudflare):
    cloudflare.fault("get_quota", status=403)
    assert figures(mount.path) == (0, 0)


@pytest.mark.parametrize("slug", ["maximum_secrets_exceeded", "secrets_quota_exceeded", "quota_exceeded"])
def test_one_secret_more_than_the_quota_is_edquot_and_told_at_the_next_open(mount, cloudflare, slug):
    cloudflare.put("prod", "OLD", b"old")
    cloudflare.play(quota_secrets=1, quota_slug=slug)
    assert errno_of(write_file, mount / "prod/NEW", b"val") == errno.EDQUOT
    assert slug in mount.control("errors")
    assert not (mount / "prod/NEW").exists()
    calls = len(cloudflare.calls())
    refused = shell('echo val > "$NAME"', NAME=mount / "prod/NEWER")
    assert refused.returncode != 0 and "quota" in refused.stderr.lower()
    assert len(cloudflare.calls()) == calls
    write_file(mount / "prod/OLD", b"new")
    os.unlink(mount / "prod/OLD")
    write_file(mount / "prod/NEW", b"val")


def test_a_quota_that_df_has_shown_to_be_used_up_is_told_at_open(mount, cloudflare):
    cloudflare.put("prod", "OLD", b"old")
    cloudflare.play(quota_secrets=1)
    assert figures(mount.path) == (1, 1)
    refused = shell('echo val > "$NAME"', NAME=mount / "prod/NEW")
    assert refused.returncode != 0 and "quota" in refused.stderr.lower()
    assert cloudflare.calls("create_secrets") == []
    cloudflare.play(quota_secrets=2)
    mount.refresh()
    write_file(mount / "prod/NEW", b"val")


def test_find_lists_what_was_not_changed_for_ninety_days(mount, cloudflare):
    now = time.time()
    cloudflare.put("prod", "OLD", b"x", created=now - 200 * 86400, modified=now - 100 * 86400)
    cloudflare.put("prod", "ROTATED", b"x", created=now - 200 * 86400, modified=now - 10 * 86400)
    cloudflare.put("prod", "NEW", b"x")
    done = shell("find . -mtime +90 -type f", cwd=mount.path)
    assert (done.stdout.split(), done.stderr) == (["./prod/OLD"], "")


# Credentials, and what else is answered


def test_an_address_and_a_key(make_mount, cloudflare):
    mount = make_mount(cloudflare, start=False, source=cloudflare.source, CLOUDFLARE_API_KEY=cloudflare.token,
                       CLOUDFLARE_EMAIL="you@example.com", CLOUDFLARE_API_TOKEN="not-this-one")
    mount.options = cloudflare.options
    mount.start()
    write_file(mount / "prod/NAME", b"val")
    headers = cloudflare.calls("create_secrets")[0]["headers"]
    assert headers["x-auth-email"] == "you@example.com" and headers["x-auth-key"] == "present" and "authorization" not in headers


@pytest.mark.parametrize("variable", ["CLOUDFLARE_API_BASE_URL", "CLOUDFLARE_BASE_URL"])
def test_token_and_address_from_the_environment(make_mount, cloudflare, variable):
    mount = make_mount(cloudflare, start=False, source=cloudflare.source, CLOUDFLARE_API_TOKEN=cloudflare.token,
                       **{variable: cloudflare.url + "/"})
    mount.options = "timeout=30"
    mount.start()
    write_file(mount / "prod/NAME", b"val")


@pytest.mark.parametrize("source,options", [("cloudflare:", ""), ("cloudflare:x", ""), ("cloudflare:/prod", ""),
                                            ("cloudflare:ACCOUNT/a/b", ""), ("cloudflare:ACCOUNT", "scopes=a b"),
                                            ("cloudflare:ACCOUNT", "scopes=:"), ("cloudflare:ACCOUNT", "users=usr_a"),
                                            ("cloudflare:ACCOUNT", "expires=1h")])
def test_sources_and_options_that_make_no_sense(cloudflare, tmp_path, source, options):
    (tmp_path / "mnt").mkdir()
    words = ",".join(filter(None, (cloudflare.options, options)))
    source = source.replace("ACCOUNT", cloudflare.sandbox.account)
    done = run_program([PROGRAM, source, tmp_path / "mnt", "-o", words], tmp_path, CLOUDFLARE_API_TOKEN=cloudflare.token)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert cloudflare.calls() == []


def test_a_store_that_is_not_there_can_not_be_mounted(cloudflare, tmp_path):
    (tmp_path / "mnt").mkdir()
    done = run_program([PROGRAM, f"{cloudflare.source}/none", tmp_path / "mnt", "-o", cloudflare.options], tmp_path,
                       CLOUDFLARE_API_TOKEN=cloudflare.token)
    assert done.returncode == 32 and "no such store" in done.stderr and len(done.stderr.splitlines()) == 1


# what goes wrong with a create, what its close says, and what the errors then tell
REFUSALS = [
    ({"status": 401}, errno.EACCES, "10000"),
    ({"status": 403, "detail": "Authentication error", "code": "10000"}, errno.EACCES, "Authentication error"),
    ({"status": 400, "detail": "Authentication failed", "code": "9106"}, errno.EACCES, "9106"),
    ({"status": 400, "detail": "secret_value_too_long"}, errno.EFBIG, "secret_value_too_long"),
    ({"status": 400, "detail": "secret_scope_invalid: x"}, errno.EINVAL, "secret_scope_invalid"),
    ({"status": 404, "detail": "store_not_found"}, errno.ENOENT, "store_not_found"),
    ({"status": 400, "detail": "some_new_slug"}, errno.EINVAL, "some_new_slug"),
    ({"status": 403, "header": "cf-mitigated:challenge", "body": "html"}, errno.EACCES, "firewall"),
    ({"status": 500}, errno.EIO, "EIO"),
    ({"body": "html"}, errno.EIO, "EIO"),
    ({"hang": "forever"}, errno.ETIMEDOUT, "ETIMEDOUT"),
]


@pytest.mark.parametrize("fault,expected,words", REFUSALS, ids=[str(fault) for fault, *_ in REFUSALS])
def test_refusals(make_mount, cloudflare, fault, expected, words):
    mount = make_mount(cloudflare, source=cloudflare.source, options="timeout=2")
    assert os.listdir(mount / "prod") == []
    cloudflare.fault("*", **fault)
    assert errno_of(write_file, mount / "prod/NAME", b"val") == expected
    newest = mount.control("errors").splitlines()[0]
    assert errno.errorcode[expected] in newest and words in newest
    if "status" in fault:
        assert cloudflare.calls()[-1]["request_id"] in newest


def test_success_must_be_said(make_mount, cloudflare):
    mount = make_mount(cloudflare, source=cloudflare.source, options="timeout=2")
    cloudflare.put("prod", "NAME", b"old")
    os.stat(mount / "prod/NAME")
    cloudflare.fault("patch_secret", body="object")
    assert errno_of(write_file, mount / "prod/NAME", b"val") == errno.EIO


# Listings


@pytest.mark.parametrize("info", ["full", "total_pages", "no_total", "null", "absent"])
@pytest.mark.parametrize("cap", [100, 30])
def test_listings_are_whole_whatever_pages_tell(mount, cloudflare, info, cap):
    cloudflare.seed("prod", 345)
    cloudflare.play(result_info=info, page_cap=cap)
    assert len(os.listdir(mount / "prod")) == 345
    if (info, cap) == ("full", 100):
        assert len(cloudflare.calls("list_secrets")) == 4


def test_pages_are_fetched_side_by_side(mount, cloudflare):
    cloudflare.seed("prod", 1000)
    cloudflare.fault("list_secrets", hold="before", after=1)
    child = subprocess.Popen(["ls", mount / "prod"], stdout=subprocess.PIPE, text=True)
    cloudflare.sandbox.wait_for_calls(8, operation="cloudflare.list_secrets", state="held")
    cloudflare.sandbox.release()
    assert len(child.communicate(timeout=30)[0].split()) == 1000
    assert len(cloudflare.calls("list_secrets")) == 10


def test_a_stat_of_a_stale_name_asks_for_that_one(make_mount, cloudflare):
    cloudflare.seed("prod", 500)
    mount = make_mount(cloudflare, source=f"{cloudflare.source}/prod", options="ttl=1,attr_timeout=0,entry_timeout=0")
    assert len(os.listdir(mount.path)) == 500
    cloudflare.sandbox.clear()
    time.sleep(1.1)  # the time-to-live is what is tested
    os.stat(mount / "SECRET_0000007")
    assert cloudflare.sandbox.wait_for_calls(1, service="cloudflare")[0]["operation"] == "cloudflare.get_secret"


# Rate limits


def test_the_last_tenth_of_the_budget_is_for_writes(make_mount, cloudflare):
    cloudflare.play(rate_limit=40, rate_window=300)
    mount = make_mount(cloudflare, source=cloudflare.source, options="timeout=2")
    cloudflare.put("prod", "NAME", b"old")
    for _ in range(60):
        mount.refresh()
        os.listdir(mount / "prod")
    assert len(cloudflare.calls()) in (37, 38)
    assert '"rate_limit_remaining": 2' in mount.control("status")
    write_file(mount / "prod/NAME", b"new")
    assert cloudflare.value("prod", "NAME") == b"new"


def test_nobody_walks_into_the_lockout(make_mount, cloudflare):
    cloudflare.play(rate_limit=20, rate_window=300)
    mount = make_mount(cloudflare, source=cloudflare.source, options="timeout=2")
    cloudflare.put("prod", "NAME", b"old")
    os.stat(mount / "prod/NAME")
    results = [errno_of(write_file, mount / "prod/NAME", b"new") for _ in range(25)]
    assert set(results) == {0, errno.EAGAIN}
    assert "the rate-limit budget is used up until 2" in mount.control("errors")
    refused = shell('echo val > "$NAME"', NAME=mount / "prod/NAME")
    assert refused.returncode != 0 and "temporarily unavailable" in refused.stderr, "it is told already at open"
    assert {call["status"] for call in cloudflare.calls()} == {200}


def test_a_lockout_is_waited_for_in_silence(make_mount, cloudflare):
    """Another client has used up what there was."""
    mount = make_mount(cloudflare, source=cloudflare.source, options="timeout=2")
    cloudflare.put("prod", "NAME", b"old")
    os.stat(mount / "prod/NAME")
    cloudflare.fault("*", status=429, header="Retry-After:300")
    assert errno_of(write_file, mount / "prod/NAME", b"new") == errno.EAGAIN
    calls = len(cloudflare.calls())
    for _ in range(3):
        assert errno_of(write_file, mount / "prod/NAME", b"new") == errno.EAGAIN
        os.stat(mount / "prod/NAME")
        time.sleep(1.2)  # longer in all than a service counts as down
    assert len(cloudflare.calls()) == calls
