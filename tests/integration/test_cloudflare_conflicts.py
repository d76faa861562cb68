"""Cloudflare Secrets Store: ids that are others by now, names that are duplicates, answers that are lost (doc/apis.md, Cloudflare)."""

import errno
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from programs import errno_of, write_file

pytestmark = pytest.mark.usefixtures("watched")


@pytest.fixture
def mount(cloudflare_mount):
    return cloudflare_mount


# Names and ids


def test_a_secret_made_anew_elsewhere_is_found_again(mount, cloudflare):
    cloudflare.put("prod", "NAME", b"old")
    os.stat(mount / "prod/NAME")
    cloudflare.delete("prod", "NAME")
    cloudflare.put("prod", "OTHER", b"x", comment="mentions NAME")
    cloudflare.put("prod", "NAME", b"theirs")
    told = cloudflare.secret("NAME")
    cloudflare.sandbox.clear()
    write_file(mount / "prod/NAME", b"ours")
    assert [(call["method"], call["status"]) for call in cloudflare.calls()] == [("PATCH", 404), ("GET", 200), ("PATCH", 200)]
    assert cloudflare.value("prod", "NAME") == b"ours" and cloudflare.secret("NAME")["id"] == told["id"]


def test_a_secret_deleted_elsewhere_is_created(mount, cloudflare):
    cloudflare.put("prod", "NAME", b"old")
    os.stat(mount / "prod/NAME")
    cloudflare.delete("prod", "NAME")
    cloudflare.sandbox.clear()
    write_file(mount / "prod/NAME", b"ours")
    assert cloudflare.names() == ["patch_secret", "list_secrets", "create_secrets"]
    assert "search=NAME" in cloudflare.calls("list_secrets")[0]["path"]
    assert cloudflare.value("prod", "NAME") == b"ours"


def test_a_secret_deleted_and_made_anew_while_we_look_is_replaced(mount, cloudflare):
    """What we look for is not there any more, and there again when we create it."""
    cloudflare.put("prod", "NAME", b"old")
    os.stat(mount / "prod/NAME")
    cloudflare.delete("prod", "NAME")
    cloudflare.fault("list_secrets", hold="after", times=1)
    cloudflare.sandbox.clear()
    with ThreadPoolExecutor() as pool:
        writer = pool.submit(write_file, mount / "prod/NAME", b"ours")
        cloudflare.sandbox.wait_for_call("cloudflare.list_secrets", state="held")
        cloudflare.put("prod", "NAME", b"theirs")
        cloudflare.sandbox.release()
        writer.result()
    assert cloudflare.names() == ["patch_secret", "list_secrets", "create_secrets", "list_secrets", "patch_secret"]
    assert cloudflare.value("prod", "NAME") == b"ours"


@pytest.mark.parametrize("status", [409, 400])
def test_a_secret_created_elsewhere_is_replaced(mount, cloudflare, status):
    cloudflare.variant(conflict_status=status)
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
    cloudflare.variant(conflict_status=status)
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
        assert cloudflare.secret("NAME")["comment"] == "ours"


def test_an_edit_of_a_secret_that_went_away_is_enoent(mount, cloudflare):
    cloudflare.put("prod", "NAME", b"old")
    os.stat(mount / "prod/NAME")
    cloudflare.delete("prod", "NAME")
    assert errno_of(os.setxattr, mount / "prod/NAME", "user.comment", b"ours") == errno.ENOENT


# Other names


@pytest.mark.parametrize("comment", ["drop", "keep"])
def test_mv_and_ln_duplicate(mount, cloudflare, comment):
    cloudflare.variant(duplicate_comment=comment)
    cloudflare.put("prod", "NAME", b"val", scopes=["dex", "workers"], comment="what for")
    os.stat(mount / "prod/NAME")
    cloudflare.sandbox.clear()
    os.link(mount / "prod/NAME", mount / "prod/COPY")
    assert cloudflare.names() == ["duplicate_secret"]
    os.rename(mount / "prod/NAME", mount / "prod/NEW")
    assert cloudflare.names() == ["duplicate_secret", "duplicate_secret", "delete_secret"]
    assert sorted(os.listdir(mount / "prod")) == ["COPY", "NEW"]
    for name in ("COPY", "NEW"):
        told = cloudflare.secret(name)
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
    cloudflare.variant(quota_secrets=1)
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
