"""HTTP/1.1 over one connection: reading requests, writing answers. Knows nothing of secrets."""

import asyncio
import re
import socket
import struct
from email.utils import formatdate
from http import HTTPStatus

from message import Request

HEAD_LIMIT = 64 * 1024
BODY_LIMIT = 8 * 1024 * 1024
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BLANKS = b" " * 65536


class Malformed(Exception):
    """What came is no HTTP request, and the connection can't be used further."""

    def __init__(self, status, why):
        super().__init__(why)
        self.status = status


class Line:
    """One client connection."""

    def __init__(self, number, reader, writer):
        self.number = number
        self.reader = reader
        self.writer = writer

    async def read_request(self):
        """The next request, or None when the client has hung up between two of them."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError as why:
            raise Malformed(431, "the header is too large") from why
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        method, target, version, headers = _read_head(head)
        body = await self._read_body(headers)
        return Request(method, target, version, headers, body, _keeps_alive(version, headers))

    async def _read_body(self, headers):
        if headers.get("expect", "").lower() == "100-continue":
            self.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            if "transfer-encoding" in headers:
                return await self._read_chunks(headers)
            return await self.reader.readexactly(_content_length(headers))
        except asyncio.IncompleteReadError as why:
            raise Malformed(400, "the body ends early") from why

    async def _read_chunks(self, headers):
        if headers["transfer-encoding"].lower() != "chunked" or "content-length" in headers:
            raise Malformed(400, "a transfer encoding that is not just chunked")
        body = b""
        while True:
            size_line = (await self.reader.readuntil(b"\r\n")).partition(b";")[0].strip()
            if not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", size_line):
                raise Malformed(400, "a chunk without a size")
            size = int(size_line, 16)
            if len(body) + size > BODY_LIMIT:
                raise Malformed(413, "the body is too large")
            chunk = await self.reader.readexactly(size + 2)
            if not chunk.endswith(b"\r\n") or (size == 0 and chunk != b"\r\n"):
                raise Malformed(400, "a chunk that does not end where it says")
            if size == 0:
                return body
            body += chunk[:-2]

    async def send(self, answer, keep_alive, head_only=False):
        """Head and body leave in one write: two would meet Nagle and the peer's delayed acknowledgement."""
        head = answer_head(answer, keep_alive)
        if answer.padding == 0:
            self.writer.write(head if head_only else head + answer.body)
        else:
            await self._send_padded(head, answer)
        if self.writer.transport.get_write_buffer_size():
            await self.writer.drain()

    async def _send_padded(self, head, answer):
        self.writer.write(head)
        for sent in range(0, answer.padding, len(_BLANKS)):
            self.writer.write(_BLANKS[: answer.padding - sent])
            await self.writer.drain()
        self.writer.write(answer.body)

    async def send_slowly(self, answer, keep_alive, bytes_per_second):
        """Byte by byte, as slow-loris does it. False if the client left before the end."""
        for byte in answer_head(answer, keep_alive) + answer.body:
            self.writer.write(bytes([byte]))
            await self.writer.drain()
            if await self.hung_up(1 / bytes_per_second):
                return False
        return True

    async def send_half(self, answer, keep_alive):
        """The head promises the whole body, half of it comes."""
        self.writer.write(answer_head(answer, keep_alive) + answer.body[: len(answer.body) // 2])
        await self.writer.drain()

    async def hung_up(self, seconds):
        """Waits; true as soon as the client has closed its end."""
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
        """The connection ends with RST, so that the client sees ECONNRESET and not an orderly end."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    def close(self):
        self.writer.close()


def _read_head(head):
    first, *lines = head[:-4].decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not _TOKEN.fullmatch(words[0]) or words[2] not in ("HTTP/1.1", "HTTP/1.0"):
        raise Malformed(400, "no request line")
    if not words[1].startswith("/") or "#" in words[1]:
        raise Malformed(400, "the target must be a path")
    headers = _read_headers(lines)
    if words[2] == "HTTP/1.1" and "host" not in headers:
        raise Malformed(400, "no Host header")
    return words[0], words[1], words[2], headers


def _read_headers(lines):
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _TOKEN.fullmatch(name):
            raise Malformed(400, "a header line that is none")
        name, value = name.lower(), value.strip(" \t")
        if name in headers and name in ("content-length", "host", "transfer-encoding"):
            raise Malformed(400, f"{name} is given twice")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _content_length(headers):
    text = headers.get("content-length", "0")
    if not re.fullmatch(r"[0-9]{1,12}", text):
        raise Malformed(400, "a Content-Length that is no number")
    if int(text) > BODY_LIMIT:
        raise Malformed(413, "the body is too large")
    return int(text)


def _keeps_alive(version, headers):
    wish = headers.get("connection", "").lower()
    return "keep-alive" in wish if version == "HTTP/1.0" else "close" not in wish


def _phrase(status):
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def answer_head(answer, keep_alive):
    """A 204 has neither type nor length; everything else has a length, so that connections can be reused."""
    lines = [f"HTTP/1.1 {answer.status} {_phrase(answer.status)}"]
    if answer.date is not None:
        lines.append(f"Date: {formatdate(answer.date, usegmt=True)}")
    if answer.status not in (204, 304):
        if answer.content_type and answer.get("content-type") is None:
            lines.append(f"Content-Type: {answer.content_type}")
        if answer.get("content-length") is None:
            lines.append(f"Content-Length: {len(answer.body) + answer.padding}")
    lines += [f"{name}: {value}" for name, value in answer.headers]
    if not keep_alive:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8")
