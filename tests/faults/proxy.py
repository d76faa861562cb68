"""A proxy for HTTPS: CONNECT and nothing else, or what is wrong with proxies."""

import base64
import selectors
import socket
import threading

from raw_http import read_head


class Proxy:
    """`behaviour`: "connects", "hangs", "closes", or the status that it answers. It wants `credentials`, USER:PASSWORD, if there are any."""

    def __init__(self, behaviour="connects", credentials=None):
        self.behaviour = behaviour
        self.wanted = credentials and base64.b64encode(credentials.encode())
        self.requests = []
        self.asked = []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.open = []
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def stop(self):
        """Closes the listening socket and all connections."""
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        for connection in self.open:
            connection.close()

    def _serve(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            self.open.append(client)
            threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client):
        request = read_head(client)
        if not request:
            return
        target = request.split()[1].decode()
        self.asked.append(target)
        self.requests.append(request)
        status = 407 if self.wanted and b"Proxy-Authorization: Basic " + self.wanted + b"\r\n" not in request else self.behaviour
        if isinstance(status, int):
            client.sendall(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\nProxy-Authenticate: Basic realm=x\r\n\r\n" % status)
            client.close()
        elif self.behaviour == "closes":
            client.close()
        elif self.behaviour == "connects":
            host, _, port = target.rpartition(":")
            server = socket.create_connection((host, int(port)))
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self._carry(client, server)

    @staticmethod
    def _carry(client, server):
        other = {client: server, server: client}
        with selectors.DefaultSelector() as ready:
            for side in other:
                ready.register(side, selectors.EVENT_READ)
            while True:
                for key, _ in ready.select():
                    try:
                        piece = key.fileobj.recv(65536)
                        if not piece:
                            raise ConnectionError
                        other[key.fileobj].sendall(piece)
                    except OSError:
                        for side in other:
                            side.close()
                        return
