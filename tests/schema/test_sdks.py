"""
The requests of the services' own libraries beside those of sstorefs, field by field: method, path, query, headers and body of each operation. What differs
is in the table, with its reason, and nothing else does.
"""

import json
import os
import re
import subprocess
from pathlib import Path
from urllib.parse import parse_qsl, unquote

import pytest

from prism import PACKAGES, require_packages
from programs import errno_of, write_file
from services import SERVICES, GitHub

SDK = Path(__file__).resolve().parent / "sdk"
TARGETS = {**SERVICES, "github": GitHub}
VALUE = "one & two=ü [3]".encode()

# Headers that say who asks and over which connection, and not what is asked.
OF_THE_CLIENT = re.compile(r"host|user-agent|connection|content-length|transfer-encoding|accept-encoding|accept-language|sec-fetch-mode|x-stainless-.*"
                           r"|x-stripe-client-user-agent|x-stripe-client-telemetry|expect|te|keep-alive")
# What is another each time.
RANDOM = {"idempotency-key", "encrypted_value", "secret", "client_key", "key_id"}

# Service, operation, field; what the library sends, what sstorefs sends (None: nothing): patterns; and why.
DIFFERENCES = [
    ("stripe", ".*", "header stripe-version", r"20\d\d-\d\d-\d\d\..*", r"20\d\d-\d\d-\d\d\..*", "each names the version that it was written for"),
    ("stripe", "list_secrets|find_secret", "header content-type", "application/x-www-form-urlencoded", None, "a GET has no body"),
    ("github", ".*", "header accept", r"application/vnd\.github\.v3\+json", r"application/vnd\.github\+json", "the older name of the same"),
    ("github", ".*", "header x-github-api-version", None, "2022-11-28", "the service's documents ask for it, the library leaves it out"),
    ("github", "put_environment", "header content-type", "text/plain;charset=UTF-8", None, "neither sends a body; fetch names a type all the same"),
    ("github", "put_secret", "header content-type", "application/json; charset=utf-8", "application/json", "JSON is UTF-8 anyway (RFC 8259)"),
    ("cloudflare", ".*", "header api-version", r"20\d\d-\d\d-\d\d", None, "today, which the service assumes without it"),
    ("fastly", "create_client_key", "header content-type", None, "application/json", "as the service's other client, the CLI, sends it"),
    ("fastly", "delete_secret|delete_store", "header accept", None, "application/json", "as the CLI sends it"),
]


def use(mount, service):
    """The same operations as in sdk/NAME.mjs."""
    store = mount / service.store
    os.listdir(mount.path)
    os.listdir(store)
    mount.refresh()
    errno_of(os.stat, store / "NAME_0")
    write_file(store / "NAME_0", VALUE)
    write_file(store / "NAME_0", VALUE)
    if service.name == "cloudflare":
        os.statvfs(mount.path)
        os.rename(store / "NAME_0", store / "NAME_1")
        os.rename(store / "NAME_1", store / "NAME_0")
    os.unlink(store / "NAME_0")
    if service.name != "stripe":
        os.mkdir(mount / "another")
        os.rmdir(mount / "another")


def use_organization(mount):
    name = mount / "actions/NAME_0"
    for _ in range(2):  # a replacement asks which repositories were selected
        write_file(name, VALUE)
    os.unlink(name)


def leaves(value, name="body"):
    """A JSON value as fields: body.name, body[0].value."""
    if isinstance(value, dict):
        return {field: one for key, part in value.items() for field, one in leaves(part, f"{name}.{key}").items()}
    if isinstance(value, list):
        return {field: one for number, part in enumerate(value) for field, one in leaves(part, f"{name}[{number}]").items()}
    return {name: value}


def fields(exchange):
    """All that a request says, by field."""
    path, _, query = exchange["path"].partition("?")
    found = {"method": exchange["method"], "path": re.sub(r"(?<=/)([0-9a-f]{32}|[0-9A-Za-z]{22})(?=/|$)", "ID", unquote(path))}
    found |= {f"query {name}": value for name, value in parse_qsl(query, keep_blank_values=True)}
    headers = {name: value for name, value in exchange["headers"].items() if not OF_THE_CLIENT.fullmatch(name)}
    found |= {f"header {name}": "*" if name in RANDOM else value for name, value in headers.items()}
    if "urlencoded" in headers.get("content-type", ""):
        found |= {f"body.{name}": value for name, value in parse_qsl(exchange["body"].decode(), keep_blank_values=True)}
    elif exchange["body"]:
        found |= {name: "*" if name.rpartition(".")[2] in RANDOM else value for name, value in leaves(json.loads(exchange["body"])).items()}
    return found


OF_AN_ORGANIZATION = ", of an organization"


def first_of_each(exchanges):
    """The first request of each operation, or, where a body has more members than that, the fullest."""
    found = {}
    for exchange in exchanges:
        asked, operation = fields(exchange), exchange["operation"] + (OF_AN_ORGANIZATION if "/orgs/" in exchange["path"] else "")
        if len(asked) > len(found.get(operation, ())):
            found[operation] = asked
    return found


@pytest.fixture(params=TARGETS)
def service(request, sandbox):
    require_packages()
    sandbox.variant(cloudflare__quota_stores=5, cloudflare__quota_secrets=1000)
    return TARGETS[request.param]("direct", sandbox).make_store()


def test_what_is_sent_is_what_the_library_sends(service, sandbox, make_mount):
    if service.name == "cloudflare":
        service.seed(service.store, 250, prefix="OTHER_")  # three pages: a name is searched for
    sandbox.record()
    mount = make_mount(service)
    use(mount, service)
    assert mount.unmount() == 0
    if service.name == "github":
        mount = make_mount(service, source="github:octo-org", options="repositories=web")
        use_organization(mount)
        assert mount.unmount() == 0
    ours = first_of_each(sandbox.exchanges())
    sandbox.reset()
    service.make_store()
    sandbox.variant(cloudflare__quota_stores=5)
    sandbox.record()
    done = subprocess.run(["node", "--input-type=module", "-"], input=(SDK / f"{service.name}.mjs").read_text(), cwd=PACKAGES,
                          env={**os.environ, "ADDRESS": service.url, "TOKEN": service.token, "ACCOUNT": sandbox.account},
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    theirs = first_of_each(sandbox.exchanges())
    assert set(theirs) == set(ours), "an operation is compared with none"
    found = [(operation.partition(".")[2].removesuffix(OF_AN_ORGANIZATION), field, theirs[operation].get(field), ours[operation].get(field))
             for operation in sorted(theirs) for field in sorted({**theirs[operation], **ours[operation]})
             if theirs[operation].get(field) != ours[operation].get(field)]
    known = [row for name, *row in DIFFERENCES if name == service.name]
    new = [row for row in found if not any(fits(row, one) for one in known)]
    assert not new, "not the same, operation, field, theirs, ours:\n" + "\n".join(map(str, new))
    assert [one for one in known if not any(fits(row, one) for row in found)] == [], "it does not differ any more"


def fits(row, known):
    return all(re.fullmatch(pattern, text) if pattern and text else pattern == text for pattern, text in zip(known[:4], row))
