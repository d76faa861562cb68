"""HTTP/1.1 over one connection: requests are read by h11, answers are written here, where faults can corrupt them."""

import asyncio
import socket
import struct
from email.utils import formatdate
from http import HTTPStatus

import h11

from http_types import Request

HEAD_LIMIT = 64 * 1024
BODY_LIMIT = 8 * 1024 * 1024
READ_SIZE = 64 * 1024
_ONCE = ("content-length", "host", "transfer-encoding")
_BLANKS = b" " * 65536


class BadRequest(Exception):
    """Bytes that are no HTTP request; the connection can't be used further."""

    def __init__(self, status, why):
        super().__init__(why)
        self.status = status


class Connection:
    """A client connection."""

    def __init__(self, number, reader, writer):
        self.number = number
        self.reader = reader
        self.writer = writer
        self.unread = b""

    async def read_request(self):
        """Returns the next request, or None when the client has hung up between two of them, or within a head."""
        # One parser a request: h11 would else have to write the answers, too, which faults cut and corrupt.
        parser = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_LIMIT)
        if self.unread:
            parser.receive_data(self.unread)
        try:
            head = await self._event(parser)
            if head is None:
                return None
            headers = _read_headers(head)
            body = await self._read_body(parser)
        except h11.RemoteProtocolError as why:
            raise BadRequest(why.error_status_hint, str(why)) from why
        self.unread = parser.trailing_data[0]
        version = _version(head)
        return Request(head.method.decode(), _target(head), version, headers, body, _keeps_alive(version, headers))

    async def _event(self, parser):
        """Returns the next event; None when the connection ends before it has begun or before a head is whole."""
        while (event := parser.next_event()) is h11.NEED_DATA:
            if parser.they_are_waiting_for_100_continue:
                self.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                parser.send(h11.InformationalResponse(status_code=100, headers=[]))
            try:
                data = await self.reader.read(READ_SIZE)
            except ConnectionError:
                data = b""
            if not data and parser.their_state is h11.IDLE:
                return None
            parser.receive_data(data)
        return event

    async def _read_body(self, parser):
        body = b""
        while type(event := await self._event(parser)) is h11.Data:
            body += event.data
            if len(body) > BODY_LIMIT:
                raise BadRequest(413, "the body is too large")
        return body

    async def send(self, response, keep_alive, head_only=False):
        """Sends head and body in one write: two would meet Nagle and the peer's delayed acknowledgement."""
        head = response_head(response, keep_alive)
        if response.padding == 0:
            self.writer.write(head if head_only else head + response.body)
        else:
            await self._send_padded(head, response)
        if self.writer.transport.get_write_buffer_size():
            await self.writer.drain()

    async def _send_padded(self, head, response):
        self.writer.write(head)
        for sent in range(0, response.padding, len(_BLANKS)):
            self.writer.write(_BLANKS[: response.padding - sent])
            await self.writer.drain()
        self.writer.write(response.body)

    async def send_slowly(self, response, keep_alive, bytes_per_second):
        """Sends byte by byte, as slow-loris does. Returns False if the client left before the end."""
        for byte in response_head(response, keep_alive) + response.body:
            self.writer.write(bytes([byte]))
            await self.writer.drain()
            if await self.hung_up(1 / bytes_per_second):
                return False
        return True

    async def send_half(self, response, keep_alive):
        """Sends a head for the whole body, and half of it."""
        self.writer.write(response_head(response, keep_alive) + response.body[: len(response.body) // 2])
        await self.writer.drain()

    async def hung_up(self, seconds):
        """Waits; returns True as soon as the client has closed its end."""
        try:
            async with asyncio.timeout(seconds):
                while await self.reader.read(65536):
                    pass
            return True
        except TimeoutError:
            return False
        except ConnectionError:
            return True

    def reset(self):
        """Ends the connection with RST, so that the client sees ECONNRESET and not an orderly end."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def close(self):
        self.writer.close()


def _version(head):
    version = f"HTTP/{head.http_version.decode()}"
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        raise BadRequest(400, f"{version} is not spoken here")
    return version


def _target(head):
    target = head.target.decode("latin-1")
    if not target.startswith("/") or "#" in target:
        raise BadRequest(400, "the target must be a path")
    return target


def _read_headers(head):
    """Checks more strictly than h11: no framing header is given twice or contradicts another."""
    headers = {}
    names = [name for name, _ in head.headers]
    if sum(len(name) + len(value) + 4 for name, value in head.headers) > HEAD_LIMIT:
        raise BadRequest(431, "the header is too large")
    for name in _ONCE:
        if names.count(name.encode()) > 1:
            raise BadRequest(400, f"{name} is given twice")
    for raw_name, raw_value in head.headers:
        name, value = raw_name.decode(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    if "transfer-encoding" in headers and "content-length" in headers:
        raise BadRequest(400, "a transfer encoding that is not just chunked")
    if int(headers.get("content-length", "0")) > BODY_LIMIT:
        raise BadRequest(413, "the body is too large")
    return headers


def _keeps_alive(version, headers):
    param = headers.get("connection", "").lower()
    return "keep-alive" in param if version == "HTTP/1.0" else "close" not in param


def _phrase(status):
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def response_head(response, keep_alive):
    """Adds a length to all but a 204, so that connections can be reused."""
    lines = [f"HTTP/1.1 {response.status} {_phrase(response.status)}"]
    if response.date is not None:
        lines.append(f"Date: {formatdate(response.date, usegmt=True)}")
    if response.status not in (204, 304):
        if response.content_type and response.get("content-type") is None:
            lines.append(f"Content-Type: {response.content_type}")
        if response.get("content-length") is None:
            lines.append(f"Content-Length: {len(response.body) + response.padding}")
    lines += [f"{name}: {value}" for name, value in response.headers]
    if not keep_alive:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8")
