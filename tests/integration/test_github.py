"""GitHub's secrets: stores of a repository, environments, organizations (doc/apis.md, GitHub)."""

import errno
import os

import pytest

from dirents import attributes
from programs import errno_of, shell, write_file
from services import GitHub

KINDS = ["actions", "agents", "codespaces", "dependabot"]


@pytest.fixture
def github(sandbox):
    return GitHub("direct", sandbox).make_store()


@pytest.fixture
def mount(request, make_mount, github):
    marker = request.node.get_closest_marker("mount_options")
    made = make_mount(github, options=marker.args[0] if marker else "")
    github.sandbox.clear()
    return made


def message(mount):
    return mount.control("errors").splitlines()[0].split("\t")[-1]


# Stores


def test_a_repository_has_a_directory_a_kind_and_one_for_each_environment(mount):
    assert sorted(os.listdir(mount.path)) == sorted(KINDS + ["prod"])


@pytest.mark.parametrize("source, store", [("github:octo/app/actions", "actions"), ("github:octo/app/prod", "prod")])
def test_one_store_can_be_mounted(make_mount, github, source, store):
    mount = make_mount(github, source=source)
    write_file(mount / "NAME", b"val")
    assert github.value(store, "NAME") == b"val" and os.listdir(mount.path) == ["NAME"]


def test_an_organization_has_a_directory_a_kind_and_no_other(make_mount, github):
    mount = make_mount(github, source="github:octo-org")
    assert sorted(os.listdir(mount.path)) == KINDS
    assert errno_of(os.mkdir, mount / "prod") == errno.EPERM


def test_mkdir_makes_an_environment_and_never_resets_one(mount, github):
    os.mkdir(mount / "new")
    assert errno_of(os.mkdir, mount / "new") == errno.EEXIST
    github.seed("behind", 0)
    assert errno_of(os.mkdir, mount / "behind") == errno.EEXIST
    assert [call["mode"] for call in github.calls("put_environment")] == ["create"]
    assert "behind" in os.listdir(mount.path)


def test_rmdir_removes_environments_without_secrets_and_no_fixed_directory(mount, github):
    write_file(mount / "prod/NAME", b"val")
    assert errno_of(os.rmdir, mount / "prod") == errno.ENOTEMPTY
    os.remove(mount / "prod/NAME")
    os.rmdir(mount / "prod")
    assert sorted(os.listdir(mount.path)) == KINDS
    for kind in KINDS:
        assert errno_of(os.rmdir, mount / kind) == errno.EPERM
        assert errno_of(os.mkdir, mount / kind) == errno.EEXIST
    assert len(github.calls("delete_environment")) == 1


def test_environments_are_escaped_as_other_names_are(mount, github):
    os.mkdir(mount / "a%2Fb")
    os.mkdir(mount / "50%2525")
    write_file(mount / "a%2Fb/NAME", b"val")
    assert github.value("a/b", "NAME") == b"val"
    assert attributes(mount / "50%2525")["user.id"] == "environments/50%25"


def test_an_environment_called_as_a_kind_is_shown_with_its_id(make_mount, mount, github):
    github.seed("repos/octo/app/environments/actions", 0)
    mount.refresh()
    other = mount / "actions~environments%2Factions"
    write_file(other / "NAME", b"env")
    write_file(mount / "actions/NAME", b"kind")
    assert github.value("repos/octo/app/environments/actions", "NAME") == b"env"
    assert github.value("actions", "NAME") == b"kind"
    alone = make_mount(github, source="github:octo/app/actions~environments%2Factions")
    assert os.listdir(alone.path) == ["NAME"]
    os.remove(other / "NAME")
    os.rmdir(other)
    assert "actions" in os.listdir(mount.path)


# Names


@pytest.mark.parametrize("name", ["lower", "Mixed", "9NINE", "GITHUB_TOKEN", "A-B", "A.B"])
def test_a_name_that_the_service_changes_or_refuses_is_refused_and_explained(mount, github, name):
    assert errno_of(write_file, mount / "actions" / name, b"val") == errno.EINVAL
    assert "capitals" in message(mount) and "GITHUB_" in message(mount)
    assert not os.path.exists(mount / "actions" / name)
    assert github.calls("put_secret") == []
