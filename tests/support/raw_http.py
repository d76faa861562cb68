"""A plain HTTP client, the services' requests as methods of it, and HTTP by hand for what no client does."""

import base64
import http.client
import json
import socket
from urllib.parse import urlencode

from nacl.public import PublicKey, SealedBox

TOKEN = "sandbox-token"
FASTLY = "/resources/stores/secret"
STRIPE = "/v1/apps/secrets"


class Reply:
    def __init__(self, answer):
        self.status = answer.status
        self.headers = dict(answer.getheaders())
        self.body = answer.read()
        self.type = self.headers.get("Content-Type")

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:400]!r}"


class Client:
    """One connection, kept alive."""

    def __init__(self, port, **headers):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        self.headers = headers

    def send(self, method, path, body=None, headers=None):
        """`headers` are added; one that is None is left out."""
        all_headers = {name: value for name, value in {**self.headers, **(headers or {})}.items() if value is not None}
        try:
            self.connection.request(method, path, body, all_headers)
            return Reply(self.connection.getresponse())
        except (OSError, http.client.HTTPException):
            self.connection.close()
            raise

    def close(self):
        self.connection.close()


class Fastly(Client):
    def __init__(self, port, token=TOKEN):
        super().__init__(port, **{"Fastly-Key": token, "Content-Type": "application/json"})

    def call(self, method, path="", body=None, **headers):
        return self.send(method, FASTLY + path, None if body is None else json.dumps(body), headers)

    def store(self, name="prod"):
        return self.call("POST", "", {"name": name}).json["id"]

    def put(self, store, name, value, method="PUT", **more):
        return self.call(method, f"/{store}/secrets", {"name": name, "secret": text(value), **more})

    def client_key(self):
        return self.call("POST", "/client-key").json["public_key"]

    def put_sealed(self, store, name, value, key):
        return self.put(store, name, seal(key, value), client_key=key)

    def walk(self, path, limit=None):
        """All pages of a listing."""
        pages, cursor = [], ""
        while True:
            query = f"?cursor={cursor}" + (f"&limit={limit}" if limit else "")
            pages.append(self.call("GET", path + query).json)
            cursor = pages[-1]["meta"].get("next_cursor")
            if not cursor:
                return pages


class Cloudflare(Client):
    def __init__(self, port, account, token=TOKEN):
        super().__init__(port, Authorization=f"Bearer {token}", **{"Content-Type": "application/json"})
        self.base = f"/client/v4/accounts/{account}/secrets_store"

    def call(self, method, path, body=None, **headers):
        return self.send(method, self.base + path, None if body is None else json.dumps(body), headers)

    def store(self, name="default_secrets_store"):
        return self.call("POST", "/stores", {"name": name}).json["result"]["id"]

    def create(self, store, *names, value="v", scopes=("workers",), **more):
        return self.call("POST", f"/stores/{store}/secrets",
                         [{"name": name, "value": value, "scopes": list(scopes), **more} for name in names])

    def slug(self, reply):
        return reply.json["errors"][0]["message"].partition(":")[0]


class Stripe(Client):
    def __init__(self, port, key=TOKEN):
        super().__init__(port, Authorization=f"Bearer {key}")

    def get(self, path="", headers=None, user=None, **parameters):
        return self.send("GET", f"{STRIPE}{path}?{urlencode({**scope(user), **named(parameters)})}", None, headers)

    def post(self, path="", headers=None, user=None, **parameters):
        return self.post_raw(path, urlencode({**scope(user), **named(parameters)}), headers)

    def post_raw(self, path, body, headers=None):
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.send("POST", STRIPE + path, body, {**form, **(headers or {})})


class GitHub(Client):
    """`store` is below a repository, or an organization's with a leading slash: "actions", "/orgs/octo-org/actions"."""

    def __init__(self, port, token=TOKEN):
        super().__init__(port, Authorization=f"Bearer {token}", **{
            "Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28", "User-Agent": "tests"})

    def call(self, method, path, body=None, **headers):
        path = path if path.startswith("/") else f"/repos/octo/app/{path}"
        return self.send(method, path, None if body is None else json.dumps(body), headers)

    def key(self, store):
        return self.call("GET", f"{store}/secrets/public-key").json

    def put(self, store, name, value, key=None, **more):
        key = key or self.key(store)
        return self.call("PUT", f"{store}/secrets/{name}",
                         {"encrypted_value": text(seal(key["key"], value)), "key_id": key["key_id"], **more})


def scope(user):
    return {"scope[type]": "user", "scope[user]": user} if user else {"scope[type]": "account"}


def named(parameters):
    """expand=… means expand[]=…"""
    return {"expand[]" if name == "expand" else name: value for name, value in parameters.items()}


def text(value):
    return base64.b64encode(value).decode()


def seal(key, value):
    return SealedBox(PublicKey(base64.b64decode(key))).encrypt(value)


def exchange_raw(port, data):
    """Sends bytes as they are, and returns all that comes until the other end closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        raw.sendall(data)
        raw.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := raw.recv(65536):
            answer += piece
        return answer


def read_head(connection):
    """Reads a request or response up to the empty line, with what came along; less if the other side ends before."""
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(4096)
        if not piece:
            break
        head += piece
    return head
