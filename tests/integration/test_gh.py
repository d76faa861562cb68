"""GitHub's own client, Debian's `gh`, and a mount see each other's secrets in one sandbox: over TLS, on a host of one's own."""

import os
import subprocess
from types import SimpleNamespace

import pytest

from dirents import attributes
from programs import write_file
from services import GitHub

# What gh calls a repository, or an organization, and each of its stores.
REPOSITORY, ORGANIZATION = ("--repo", "octo/app"), ("--org", "octo-org")
STORES = {
    "repos/octo/app/actions": REPOSITORY,
    "repos/octo/app/dependabot": (*REPOSITORY, "--app", "dependabot"),
    "repos/octo/app/codespaces": (*REPOSITORY, "--app", "codespaces"),
    "repos/octo/app/environments/prod": (*REPOSITORY, "--env", "prod"),
    "orgs/octo-org/actions": ORGANIZATION,
    "orgs/octo-org/dependabot": (*ORGANIZATION, "--app", "dependabot"),
    "orgs/octo-org/codespaces": (*ORGANIZATION, "--app", "codespaces"),
}


@pytest.fixture
def github(sandbox, front):
    return GitHub("nginx", sandbox, f"{front.url}/api/v3", front.cacert).make_store()


@pytest.fixture
def gh(github, front, tmp_path):
    """gh(WORD…, value=None): `gh secret WORD…`, with `value` on standard input. Returns what it prints."""
    variables = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GH_HOST": front.url.removeprefix("https://"),
                 "GH_ENTERPRISE_TOKEN": github.token, "SSL_CERT_FILE": str(github.cacert), "GH_NO_UPDATE_NOTIFIER": "1"}

    def run(*words, value=None):
        ended = subprocess.run(["gh", "secret", *words], env=variables, cwd=tmp_path, timeout=60,
                               input=value or b"", capture_output=True)
        assert ended.returncode == 0, ended.stderr.decode()
        return ended.stdout.decode()

    yield run
    for call in github.sandbox.calls():
        assert call["path"].startswith(("/api/v3/", "/api/graphql")) and call["headers"]["x-front-protocol"] == "HTTP/2.0", call["path"]


@pytest.fixture(params=STORES)
def both(request, gh, github, make_mount):
    """One store: `path` in a mount, `options` of gh, listed() for the names that gh sees, and value() of NAME."""
    store, options = request.param, STORES[request.param]
    mount = make_mount(github, source="github:octo/app" if store.startswith("repos/") else "github:octo-org")
    return SimpleNamespace(
        mount=mount, path=mount / store.rpartition("/")[2], options=options, value=lambda: github.value(store, "NAME"),
        listed=lambda: [line.split()[0] for line in gh("list", *options).splitlines()])


def test_a_mount_shows_what_gh_sets_and_deletes(both, gh):
    gh("set", "NAME", *both.options, value=b"of gh")
    both.mount.refresh()
    assert both.value() == b"of gh"
    assert os.listdir(both.path) == ["NAME"] and both.listed() == ["NAME"]
    gh("delete", "NAME", *both.options)
    both.mount.refresh()
    assert os.listdir(both.path) == [] and both.listed() == []


def test_gh_lists_replaces_and_deletes_what_a_mount_wrote(both, gh):
    write_file(both.path / "NAME", b"of the mount")
    assert both.listed() == ["NAME"] and both.value() == b"of the mount"
    gh("set", "NAME", *both.options, value=b"of gh")
    assert both.value() == b"of gh"
    write_file(both.path / "NAME", b"of the mount again")
    assert both.value() == b"of the mount again"
    gh("delete", "NAME", *both.options)
    both.mount.refresh()
    assert os.listdir(both.path) == []


def test_gh_sees_no_more_of_what_a_mount_removed(both, gh):
    gh("set", "NAME", *both.options, value=b"of gh")
    both.mount.refresh()
    os.remove(both.path / "NAME")
    assert both.listed() == []


def test_a_mount_keeps_the_visibility_that_gh_chose_and_gh_shows_that_of_a_mount(make_mount, gh, github):
    gh("set", "FIRST", *ORGANIZATION, "--visibility", "all", value=b"of gh")
    store = make_mount(github, source="github:octo-org") / "actions"
    for name in ("FIRST", "SECOND"):
        write_file(store / name, b"of the mount")
    shown = {line.split()[0]: line.split()[-1].lower() for line in gh("list", *ORGANIZATION).splitlines()}
    assert shown == {"FIRST": "all", "SECOND": "private"}
    assert [attributes(store / name)["user.visibility"] for name in ("FIRST", "SECOND")] == ["all", "private"]


@pytest.mark.parametrize("kind", ["actions", "dependabot", "codespaces"])
def test_gh_and_a_mount_keep_and_show_which_repositories_were_selected(make_mount, gh, github, kind):
    options = (*ORGANIZATION, "--app", kind)
    gh("set", "FIRST", *options, "--repos", "web,api", value=b"of gh")
    store = make_mount(github, source="github:octo-org", options="repositories=api") / kind
    for name in ("FIRST", "SECOND"):
        write_file(store / name, b"of the mount")
    selected = {name: attributes(store / name)["user.repositories"] for name in ("FIRST", "SECOND")}
    assert selected == {"FIRST": "web:api", "SECOND": "api"}
    assert [line.split()[-1] for line in gh("list", *options).splitlines()] == ["SELECTED"] * 2
    gh("set", "SECOND", *options, "--repos", "web", value=b"of gh")
    again = make_mount(github, source="github:octo-org") / kind
    assert attributes(again / "SECOND")["user.repositories"] == "web"
    assert github.value(f"orgs/octo-org/{kind}", "FIRST") == b"of the mount"
