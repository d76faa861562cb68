"""Parsed messages: a request, a response, and the error that becomes a response."""

from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

import parsing


@dataclass
class Request:
    """An HTTP request. Header names are in lower case; a header sent twice is joined by a comma."""

    method: str
    target: str
    version: str
    headers: dict
    body: bytes
    keep_alive: bool
    _json: object = None

    def json(self):
        """Reads the body as JSON, once; raises ParseError."""
        if self._json is None:
            self._json = parsing.read_json(self.body)
        return self._json

    @property
    def path(self):
        return self.target.partition("?")[0]

    @property
    def query(self):
        return self.target.partition("?")[2]

    def segments(self):
        """Returns the path's parts, decoded one by one, so that an encoded slash stays within its part."""
        return [parsing.percent_decoded(raw) for raw in self.path.split("/")[1:]]

    def content_type(self):
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass
class Response:
    """An HTTP response. `padding` blanks are sent before the body, without ever being held in memory at once."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: list = field(default_factory=list)
    padding: int = 0
    date: float | None = None

    def set(self, name, value):
        self.headers = [(key, old) for key, old in self.headers if key.lower() != name.lower()]
        self.headers.append((name, value))

    def get(self, name):
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class ApiError(Exception):
    """An error of a service, which each service turns into its own kind of body."""

    def __init__(self, status, detail, **more):
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.more = more


def lenient_name(raw):
    """Returns a path part for the call log, where nothing may fail."""
    return unquote_to_bytes(raw).decode("utf-8", "replace")
