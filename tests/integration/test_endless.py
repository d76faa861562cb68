"""Listings that do not end: found out once, remembered, and not walked again by each lookup."""

import errno
import json
import os
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from programs import errno_of, write_file
from services import SERVICES

# A walk is given up after 64 pages in a row that brought nothing new; eight pages may be under way.
WALK = 75
TIME = "2026-01-01T00:00:00Z"


def fastly(path, query):
    if path == "/resources/stores/secret":
        return {"data": [{"id": "S", "name": "prod", "created_at": TIME}], "meta": {}}
    if path.endswith("/secrets"):
        number = int(query.get("cursor", ["0"])[0]) + 1
        return {"data": [{"name": "SAME", "digest": "AA==", "created_at": TIME}], "meta": {"next_cursor": str(number)}}
    return None


def cloudflare(path, query):
    entry = {"id": "0" * 32, "name": "prod", "created": TIME, "modified": TIME, "status": "active"}
    if path.endswith("/quota"):
        result = {"secrets": {"quota": 1000, "usage": 100}}
    elif path.endswith("/stores"):
        result = [entry] if query["page"] == ["1"] else []
    else:
        result = [entry | {"name": "SAME"}] * 100
    return {"success": True, "errors": [], "messages": [], "result": result}


def stripe(path, query):
    if path.endswith("/find"):
        return None
    last = query.get("starting_after", ["appsecret_0"])[0]
    secret = {"id": f"appsecret_{int(last.partition('_')[2]) + 1}", "object": "apps.secret", "name": "SAME", "created": 1}
    return {"object": "list", "data": [secret], "has_more": True}


def github(path, query):
    if path.endswith("/secrets"):
        return {"total_count": 10**6, "secrets": [{"name": "SAME", "created_at": TIME, "updated_at": TIME}] * 100}
    environment = {"name": "prod", "created_at": TIME, "updated_at": TIME}
    if path.endswith("/environments"):
        return {"total_count": 1, "environments": [environment]}
    return environment if path.endswith("/environments/prod") else None


class Endless(ThreadingHTTPServer):
    """A service as `answer` has it, which counts its calls."""

    def __init__(self, answer):
        self.paths = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 65536  # head and body in one packet

            def do_GET(self):
                parts = urlsplit(self.path)
                self.server.paths.append(parts.path)
                found = answer(re.sub("^/client/v4/accounts/[^/]*/secrets_store", "", parts.path), parse_qs(parts.query))
                self.reply(200 if found else 404, found or {"error": {"message": "No such secret"}})

            def reply(self, status, content):
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                self.rfile.read(int(self.headers["Content-Length"]))
                self.server.paths.append(self.path)
                self.reply(409, answer(self.path, None))

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def stop(self):
        """From now on connections are refused, not left waiting."""
        self.shutdown()
        self.server_close()

    def count(self, end):
        return sum(path.endswith(end) for path in self.paths)


@pytest.fixture(params=[fastly, cloudflare, stripe, github], ids=lambda answer: answer.__name__)
def endless(request, make_mount, sandbox):
    """(server, mount, directory)"""
    server = Endless(request.param)
    service = SERVICES[request.param.__name__]("direct", sandbox, f"http://127.0.0.1:{server.server_port}")
    mount = make_mount(service, source=service.source, options="ttl=1,negative_ttl=0")
    yield server, mount, mount / service.store
    server.stop()


def test_a_listing_without_end_is_walked_once(endless):
    """Whatever is looked up then, and however often it is listed; a `refresh` may walk it again."""
    server, mount, directory = endless
    end = "/secrets"
    assert errno_of(os.listdir, directory) == errno.EIO
    assert "the listing does not end" in mount.control("errors")
    walked = server.count(end)
    assert 64 <= walked <= WALK
    for number in range(12):
        # Where a name can be asked for by itself it still is, by one call.
        assert errno_of(os.stat, directory / f"NAME{number}") == (errno.EIO if mount.source.startswith("cloudflare") else errno.ENOENT)
        assert errno_of(os.listdir, directory) == errno.EIO
    assert server.count(end) == walked and len(server.paths) < walked + 20
    mount.refresh()
    assert errno_of(os.listdir, directory) == errno.EIO
    assert walked < server.count(end) <= 2 * WALK


def test_lookups_alone_walk_it_once(endless):
    server, mount, directory = endless
    errors = {errno_of(os.stat, directory / f"NAME{number}") for number in range(12)}
    assert errors <= {errno.EIO, errno.ENOENT}
    assert server.count("/secrets") <= WALK and len(server.paths) < WALK + 20


def endless_search(path, query):
    """A listing with an end, a search without one, and a name that is taken each time it is created."""
    if query is None:
        return {"success": False, "errors": [{"code": 1003, "message": "secret_name_already_exists"}], "messages": [], "result": None}
    found = cloudflare(path, query)
    return found | {"result": []} if path.endswith("/secrets") and "search" not in query else found


def test_a_search_without_end_is_not_repeated_by_each_writer(make_mount, sandbox):
    server = Endless(endless_search)
    service = SERVICES["cloudflare"]("direct", sandbox, f"http://127.0.0.1:{server.server_port}")
    mount = make_mount(service, source=service.source)
    for number in range(5):
        assert errno_of(write_file, mount / f"prod/NAME{number}", b"val") == errno.EIO
    assert "the search does not end" in mount.control("errors")
    assert server.count("/secrets") < 120
    server.stop()
