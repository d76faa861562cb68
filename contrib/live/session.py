"""A service that is asked by HTTP: sends requests, and keeps each exchange, redacted, for the question that is being asked."""

import http.client
import json
import ssl
from urllib.parse import quote, urlencode, urlsplit

# Headers of responses that say something of the API.
HEADERS = ("content-type", "cache-control", "retry-after", "deprecation", "sunset", "link", "allow", "location", "stripe-version", "idempotent-replayed")
LIMITS = "ratelimit"


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body
        try:
            self.json = json.loads(body)
        except ValueError:
            self.json = None

    def __getitem__(self, name):
        """A member of an object; None if there is none."""
        return self.json.get(name) if isinstance(self.json, dict) else None

    @property
    def said(self):
        """The status, and what the body is."""
        kind = "empty" if not self.body else type(self.json).__name__ if self.json is not None else "no JSON"
        return {"status": self.status, "body": kind}


class Session:
    def __init__(self, endpoint, headers, redactor, form=False):
        address = urlsplit(endpoint)
        if address.scheme != "https" and address.hostname not in ("127.0.0.1", "::1", "localhost"):
            raise SystemExit(f"{endpoint}: the token is sent by https, or to this machine, only")
        self.address, self.headers, self.redactor, self.is_form = address, headers, redactor, form
        self.exchanges = []
        self.changes = 0

    def ask(self, method, path, body=None, headers=None, **query):
        """`headers` of None in a value leaves that header out."""
        kind = http.client.HTTPSConnection if self.address.scheme == "https" else http.client.HTTPConnection
        more = {"context": ssl.create_default_context()} if self.address.scheme == "https" else {}
        sent = {"User-Agent": "sstorefs-live", **self.headers}
        text = None
        if body is not None:
            text = urlencode(body, quote_via=quote) if self.is_form else json.dumps(body)
            sent["Content-Type"] = "application/x-www-form-urlencoded" if self.is_form else "application/json"
        sent.update(headers or {})
        target = self.address.path.rstrip("/") + path + ("?" + urlencode(query, quote_via=quote) if query else "")
        connection = kind(self.address.hostname, self.address.port, timeout=30, **more)
        try:
            connection.request(method, target, text, {name: value for name, value in sent.items() if value is not None})
            answer = connection.getresponse()
            response = Response(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()
        self.changes += method != "GET"
        self._keep(method, path, query, body, response)
        return response

    def _keep(self, method, path, query, body, response):
        redactor = self.redactor
        shown = redactor.words(path) + "".join(f" {name}={redactor.words(str(value))}" for name, value in query.items())
        headers = {name: value if name == "content-type" else redactor.form(value) for name, value in response.headers.items()
                   if name in HEADERS or LIMITS in name}
        exchange = {"request": f"{method} {shown}", "status": response.status, "headers": dict(sorted(headers.items()))}
        if body is not None:
            exchange["sent"] = redactor.form(body)
        if response.json is not None:
            exchange["body"] = redactor.form(response.json)
        elif response.body:
            exchange["body"] = redactor.words(response.body.decode("utf-8", "replace"))[:500]
        self.exchanges.append(exchange)


