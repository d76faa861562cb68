"""GitHub's secrets of an organization: which repositories may use them (doc/apis.md, GitHub)."""

import errno
import os

import pytest

from dirents import attributes
from programs import errno_of, write_file, write_until_stored
from services import GitHub


@pytest.fixture
def organization(sandbox):
    service = GitHub("direct", sandbox)
    service.source = "github:octo-org"
    return service


def audience(path):
    return {name: text for name, text in attributes(path).items() if name in ("user.visibility", "user.repositories")}


def test_new_secrets_of_an_organization_are_private(make_mount, organization):
    mount = make_mount(organization)
    write_file(mount / "actions/NAME", b"val")
    assert audience(mount / "actions/NAME") == {"user.visibility": "private"}
    assert organization.value("orgs/octo-org/actions", "NAME") == b"val"


@pytest.mark.parametrize("options, shown", [
    ("visibility=all", {"user.visibility": "all"}),
    ("visibility=selected", {"user.visibility": "selected", "user.repositories": ""}),
    ("repositories=web:api", {"user.visibility": "selected", "user.repositories": "web:api"})])
def test_options_say_which_repositories_may_use_new_secrets(make_mount, organization, options, shown):
    mount = make_mount(organization, options=options)
    write_file(mount / "actions/NAME", b"val")
    assert audience(mount / "actions/NAME") == shown
    calls = len(organization.calls())
    assert audience(mount / "actions/NAME") == shown
    assert len(organization.calls()) == calls


def test_a_replacement_keeps_which_repositories_may_use_a_secret(make_mount, organization):
    first = make_mount(organization, options="repositories=web")
    write_file(first / "actions/SELECTED", b"one")
    write_file(make_mount(organization, options="visibility=all") / "actions/ALL", b"one")
    other = make_mount(organization)
    for name, shown in (("SELECTED", {"user.visibility": "selected", "user.repositories": "web"}), ("ALL", {"user.visibility": "all"})):
        write_file(other / "actions" / name, b"two")
        assert organization.value("orgs/octo-org/actions", name) == b"two"
        assert audience(other / "actions" / name) == shown


@pytest.mark.parametrize("page", ["empty", "idless", "nameless", "not_list", "total_vast", "total_missing"])
def test_a_replacement_takes_no_repository_away_that_was_not_listed(make_mount, organization, page):
    write_file(make_mount(organization, options="repositories=web:api") / "actions/NAME", b"one")
    other = make_mount(organization, options="timeout=2")
    organization.fault("list_selected", page=page)
    assert errno_of(write_file, other / "actions/NAME", b"two") == errno.EIO
    assert len(organization.calls("list_selected")) < 20
    assert organization.value("orgs/octo-org/actions", "NAME") == b"one"
    organization.sandbox.clear_faults()
    write_until_stored(other / "actions/NAME", b"three")
    assert audience(other / "actions/NAME") == {"user.visibility": "selected", "user.repositories": "web:api"}


def test_a_replacement_makes_up_no_visibility(make_mount, organization):
    write_file(make_mount(organization, options="repositories=web") / "actions/NAME", b"one")
    other = make_mount(organization, options="timeout=2")
    organization.fault("get_secret", body="no_visibility")
    assert errno_of(write_file, other / "actions/NAME", b"two") == errno.EIO
    assert organization.value("orgs/octo-org/actions", "NAME") == b"one"


@pytest.mark.parametrize("attribute, text, shown", [
    ("user.visibility", "all", {"user.visibility": "all"}),
    ("user.repositories", "api", {"user.visibility": "selected", "user.repositories": "api"})])
@pytest.mark.parametrize("exists", [False, True])
def test_it_can_be_set_while_the_value_is_not_yet_stored(make_mount, organization, attribute, text, shown, exists):
    mount = make_mount(organization)
    path = mount / "actions/NAME"
    if exists:
        write_file(path, b"old")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.setxattr(path, attribute, text.encode())
    assert audience(path) == shown
    os.write(descriptor, b"val")
    os.close(descriptor)
    assert audience(path) == shown and organization.value("orgs/octo-org/actions", "NAME") == b"val"


def test_it_can_be_set_as_long_as_the_sealed_value_is_at_hand(make_mount, organization):
    mount = make_mount(organization)
    path = mount / "actions/NAME"
    write_file(path, b"val")
    os.setxattr(path, "user.repositories", b"web,api")
    assert audience(path) == {"user.visibility": "selected", "user.repositories": "web:api"}
    os.rename(path, mount / "actions/NEW")
    path = mount / "actions/NEW"
    assert audience(path) == {"user.visibility": "selected", "user.repositories": "web:api"}
    os.setxattr(path, "user.visibility", b"all")
    assert audience(path) == {"user.visibility": "all"}
    assert organization.value("orgs/octo-org/actions", "NEW") == b"val" and os.stat(path).st_size == 3
    other = make_mount(organization)
    assert errno_of(os.setxattr, other / "actions/NEW", "user.visibility", b"private") == errno.EOPNOTSUPP
    assert "no longer at hand" in other.control("errors").splitlines()[0]


def test_what_was_sealed_under_another_key_is_not_at_hand(make_mount, organization):
    mount = make_mount(organization)
    path = mount / "actions/NAME"
    write_file(path, b"val")
    organization.variant(key_generation=1)
    assert errno_of(os.setxattr, path, "user.visibility", b"all") == errno.EOPNOTSUPP
    assert errno_of(os.rename, path, mount / "actions/NEW") == errno.EOPNOTSUPP
    assert audience(path) == {"user.visibility": "private"} and os.listdir(mount / "actions") == ["NAME"]
    write_file(path, b"new")
    os.rename(path, mount / "actions/NEW")
    assert organization.value("orgs/octo-org/actions", "NEW") == b"new"


@pytest.mark.parametrize("attribute, text, error", [("user.visibility", b"some", errno.EINVAL), ("user.repositories", b"a b", errno.EINVAL),
                                                    ("user.repositories", b"missing", errno.EINVAL)])
def test_what_is_no_visibility_and_no_repository_is_refused(make_mount, organization, attribute, text, error):
    mount = make_mount(organization)
    write_file(mount / "actions/NAME", b"val")
    assert errno_of(os.setxattr, mount / "actions/NAME", attribute, text) == error
    assert audience(mount / "actions/NAME") == {"user.visibility": "private"}


def test_secrets_of_a_repository_have_none(make_mount, sandbox):
    mount = make_mount(GitHub("direct", sandbox).make_store())
    write_file(mount / "actions/NAME", b"val")
    assert audience(mount / "actions/NAME") == {}
    assert errno_of(os.setxattr, mount / "actions/NAME", "user.visibility", b"all") == errno.EOPNOTSUPP
