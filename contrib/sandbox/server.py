"""The listening socket and the connections, and which service gets which request."""

import asyncio
import ipaddress

from http1 import HEAD_LIMIT, Connection, BadRequest
from http_types import Response

BACKLOG = 1024


def loopback(text):
    """(host, port) of HOST:PORT, which must be a loopback address: this server keeps secrets in the clear."""
    host, colon, port = text.rpartition(":")
    host = host.strip("[]")
    address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    if not colon or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise ValueError(f"{text} is not ADDRESS:PORT")
    if not address.is_loopback:
        raise ValueError(f"{host} is not a loopback address, and the sandbox tells secrets to every program that can reach it")
    return str(address), int(port)


class Server:
    """`exchanges` answers the services' calls, `control` those under /_sandbox/."""

    def __init__(self, exchanges, control, clock):
        self.exchanges = exchanges
        self.control = control
        self.clock = clock
        self.connections = 0

    async def listen(self, host, port):
        server = await asyncio.start_server(self._handle_connection, host, port, limit=HEAD_LIMIT, backlog=BACKLOG)
        return server, server.sockets[0].getsockname()[1]

    async def _handle_connection(self, reader, writer):
        self.connections += 1
        connection = Connection(self.connections, reader, writer)
        try:
            while await self._handle_request(connection):
                pass
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            connection.close()

    async def _handle_request(self, connection):
        """One request and its answer; false when the connection is over."""
        try:
            request = await connection.read_request()
        except BadRequest as why:
            response = Response(why.status, f"{why}\n".encode(), "text/plain", date=self.clock.now())
            await connection.send(response, keep_alive=False)
            return False
        if request is None:
            return False
        if request.path.startswith("/_sandbox/"):
            response = await self.control.response(request)
            await connection.send(response, request.keep_alive)
            return request.keep_alive
        return await self.exchanges.run(request, connection)
