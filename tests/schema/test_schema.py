"""
What sstorefs sends, and what the sandbox answers, is what the services' published schemas have: Prism stands between them and validates both. Fastly
publishes no schema; its own library is compared instead (test_sdks.py).
"""

import os
import subprocess
import urllib.error
import urllib.request

import pytest

from prism import Prism
from programs import errno_of, write_file
from services import SERVICES, GitHub

VALIDATED = {**{name: SERVICES[name] for name in ("cloudflare", "stripe")}, "github": GitHub}


@pytest.fixture(scope="session")
def prisms(running_sandbox, tmp_path_factory):
    """One for each service; all start at once."""
    work = tmp_path_factory.mktemp("prism")
    made = {name: Prism(kind("direct", running_sandbox), work) for name, kind in VALIDATED.items()}
    try:
        for prism in made.values():
            prism.wait()
        yield made
    finally:
        for prism in made.values():
            prism.stop()


@pytest.fixture(params=VALIDATED)
def service(request, sandbox):
    sandbox.variant(cloudflare__quota_stores=5)
    return VALIDATED[request.param]("direct", sandbox).make_store()


@pytest.fixture
def prism(service, prisms):
    prisms[service.name].violations()  # of the tests before
    return prisms[service.name]


def mount_through(prism, service, make_mount, options="", source=None):
    upstream, service.url = service.url, prism.url
    try:
        if service.name != "cloudflare":
            return make_mount(service, source=source, options=options)
        # Its schema knows no tokens that are sent as such.
        mount = make_mount(service, start=False, CLOUDFLARE_API_KEY=service.token, CLOUDFLARE_EMAIL="you@example.com")
        mount.options = f"{service.options},{options}"
        return mount.start()
    finally:
        service.url = upstream


def use(mount, service):
    """Each operation that the service has, by what users do; and what is refused."""
    store = mount / service.store
    for number in range(3):
        write_file(store / f"NAME_{number}", b"one & two=\xc3\xbc [3]")
    write_file(store / "NAME_0", b"another")
    mount.refresh()
    assert sorted(os.listdir(store)) == ["NAME_0", "NAME_1", "NAME_2"]
    for name in ("NAME_0", "ABSENT"):
        errno_of(os.stat, store / name)
        subprocess.run(["getfattr", "-d", store / name], capture_output=True)
    assert errno_of(os.open, store / "NAME_0", os.O_WRONLY | os.O_CREAT | os.O_EXCL) != 0
    assert errno_of(os.rename, store / "NAME_1", store / "NAME_3") == 0 or service.name == "stripe"
    os.unlink(store / "NAME_0")
    errno_of(os.setxattr, store / "NAME_2", "user.comment", b"rotated")
    errno_of(os.setxattr, store / "NAME_2", "user.scopes", b"workers:ai_gateway")
    os.statvfs(mount.path)
    for other in ("usr_other",) if service.name == "stripe" else ("another",):
        errno_of(os.mkdir, mount / other)
        errno_of(os.listdir, mount / other)
        errno_of(os.rmdir, mount / other)


def use_organization(mount):
    """What GitHub has for organizations alone."""
    for kind in ("actions", "agents", "codespaces", "dependabot"):
        name = mount / kind / "NAME"
        write_file(name, b"val")
        assert os.getxattr(name, "user.repositories") == b"web"
        os.setxattr(name, "user.visibility", b"all")
        write_file(name, b"another")
        os.unlink(name)


def test_nothing_violates_the_schema(prism, service, make_mount, sandbox):
    mount = mount_through(prism, service, make_mount)
    use(mount, service)
    if service.name == "github":
        use_organization(mount_through(prism, service, make_mount, "repositories=web", "github:octo-org"))
    sandbox.tokens("another-token")
    mount.refresh()
    errno_of(os.listdir, mount / service.store)
    assert service.calls()[-1]["status"] == 401
    assert mount.unmount() == 0
    assert prism.violations() == []
    assert {call["operation"] for call in service.calls()} >= EXPECTED[service.name]


EXPECTED = {
    "cloudflare": {f"cloudflare.{name}" for name in ("list_stores", "list_secrets", "create_secrets", "patch_secret", "delete_secret",
                                                     "duplicate_secret", "create_store", "delete_store", "get_quota")},
    "stripe": {f"stripe.{name}" for name in ("list_secrets", "find_secret", "set_secret", "delete_secret")},
    "github": {f"github.{name}" for name in ("list_environments", "get_environment", "put_environment", "delete_environment", "get_public_key", "list_secrets",
                                             "get_secret", "put_secret", "delete_secret", "get_repository", "list_selected")},
}


WRONG_REQUESTS = {
    "cloudflare": ("POST", "/accounts/{account}/secrets_store/stores", b'{"nme": "prod"}', "application/json"),
    "stripe": ("POST", "/v1/apps/secrets", b"name=NAME&scope[type]=account", "application/x-www-form-urlencoded"),
    "github": ("PUT", "/repos/octo/app/actions/secrets/NAME", b'{"encrypted_value": 1}', "application/json"),
}


def test_a_wrong_request_is_seen(prism, service, sandbox):
    """Or the test above could never fail."""
    method, path, body, kind = WRONG_REQUESTS[service.name]
    request = urllib.request.Request(prism.url + path.format(account=sandbox.account), body, method=method,
                                     headers={"Content-Type": kind, "Authorization": f"Bearer {service.token}", "User-Agent": "test"})
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(request)
    assert any("request.body" in line or "request body" in line.lower() for line in prism.violations())


def test_a_wrong_answer_is_seen(prism, service, make_mount):
    mount = mount_through(prism, service, make_mount, "timeout=1")
    service.fault("list_secrets", body="object")
    errno_of(os.listdir, mount / service.store)
    assert any("response" in line for line in prism.violations())
