"""The schema that requests and answers are checked against in all tests of Cloudflare and Stripe can tell right from wrong."""

import json
import os

import pytest

from programs import errno_of, write_file
from request_schema import ENDPOINTS, answer_problem, problems, request_problem
from services import Stripe


def go_everywhere(mount, store):
    name = mount / store / "NAME"
    os.listdir(mount.path)
    os.listdir(mount / store)
    write_file(name, "val é".encode())
    write_file(name, b"new")
    errno_of(os.setxattr, name, "user.comment", b"what for")
    errno_of(os.statvfs, mount.path)
    errno_of(os.mkdir, mount / "new")
    errno_of(os.rmdir, mount / "new")
    mount.refresh()
    errno_of(write_file, mount / store / "OTHER", b"val", os.O_CREAT | os.O_EXCL)
    errno_of(os.rename, name, mount / store / "RENAMED")
    os.unlink(mount / store / "OTHER")


def test_every_request_and_every_answer_is_as_the_schema_has_it(make_mount, cloudflare, sandbox):
    stripe = Stripe("direct", sandbox, sandbox.url)
    sandbox.record()
    cloudflare.variant(quota_stores=2)
    go_everywhere(make_mount(cloudflare, source=cloudflare.source), "prod")
    go_everywhere(make_mount(stripe, source=stripe.source), "account")
    found, count = problems(sandbox.exchanges())
    assert found == [] and count > 20
    seen = {one["operation"] for one in sandbox.exchanges()}
    assert seen >= ENDPOINTS.keys() - {"cloudflare.get_secret"}, "every endpoint was there"


def test_no_compressed_response_is_asked_for(place):
    """It would lie unpacked in one more buffer."""
    write_file(place / "NAME", b"val")
    os.listdir(place.mount / place.store)
    assert {call["headers"].get("accept-encoding") for call in place.service.calls()} == {"identity"}


CREATE = {"operation": "cloudflare.create_secrets", "method": "POST", "status": 200, "answer": None,
          "path": f"/client/v4/accounts/{'0' * 32}/secrets_store/stores/{'1' * 32}/secrets",
          "headers": {"content-type": "application/json"}, "body": b'[{"name":"N","value":"v","scopes":["workers"]}]'}
SET = {"operation": "stripe.set_secret", "method": "POST", "path": "/v1/apps/secrets", "status": 200, "answer": None,
       "headers": {"content-type": "application/x-www-form-urlencoded", "idempotency-key": "k"},
       "body": b"name=N&scope%5Btype%5D=account&payload=a%20b"}
LIST = {"operation": "cloudflare.list_secrets", "method": "GET", "body": b"", "headers": {}, "status": 200, "answer": None,
        "path": CREATE["path"] + "?page=1&per_page=100&order=name&direction=asc"}


@pytest.mark.parametrize("right", [CREATE, SET, LIST], ids=lambda one: one["operation"])
def test_what_is_right_is_right(right):
    assert request_problem(right) is None


@pytest.mark.parametrize("right,wrong", [
    (CREATE, {"body": b'{"name":"N","value":"v","scopes":["workers"]}'}),
    (CREATE, {"body": b'[{"name":"N","value":"v"}]'}),
    (CREATE, {"body": b'[{"name":"N","value":"v","scopes":["workers"],"x":1}]'}),
    (CREATE, {"body": b'[{"name":"N","value":"","scopes":["workers"]}]'}),
    (CREATE, {"body": b""}),
    (CREATE, {"method": "PUT"}),
    (CREATE, {"path": CREATE["path"] + "/"}),
    (CREATE, {"path": CREATE["path"] + "?force=true"}),
    (CREATE, {"headers": {"content-type": "text/plain"}}),
    (CREATE, {"operation": "cloudflare.delete_secrets"}),
    (SET, {"body": SET["body"] + b"&expand%5B%5D=payload"}),
    (SET, {"body": SET["body"] + b"&name=M"}),
    (SET, {"body": b"name=N&scope%5Btype%5D=account&payload=a+b"}),
    (SET, {"body": b"name=N&scope[type]=account&payload=ab"}),
    (SET, {"body": b"name=N&scope%5Btype%5D=account&payload="}),
    (SET, {"headers": {"content-type": "application/x-www-form-urlencoded"}}),
    (LIST, {"path": CREATE["path"] + "?page=1"}),
    (LIST, {"path": LIST["path"] + "&page=2"}),
    (LIST, {"body": b"x"}),
], ids=str)
def test_what_is_wrong_is_wrong(right, wrong):
    assert request_problem({**right, **wrong})


def test_answers_are_looked_at_too():
    good = {"success": True, "errors": [], "messages": [], "result": []}
    assert answer_problem({**LIST, "answer": json.dumps(good).encode()}) is None
    assert answer_problem({**LIST, "answer": json.dumps({**good, "result": [{"id": "1"}]}).encode()})
    assert answer_problem({**LIST, "status": 400, "answer": json.dumps(good).encode()})
