"""Servers that are not as they should be: TLS in front of the sandbox with any certificate and any version, and a proxy that keeps the requests it gets."""

import socket
import ssl
import threading

from raw_http import read_head


def server_context(authority, names, **validity):
    """An ssl.SSLContext with a certificate of `authority` for `names`, as subjectAltName has them; `validity` is begin= and end=."""
    name = str(len(list(authority.work.iterdir())))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.certificate(name, names, **validity))
    return context


def _pour(source, sink):
    try:
        while piece := source.recv(65536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def _join(one, other):
    back = threading.Thread(target=_pour, args=(other, one), daemon=True)
    back.start()
    _pour(one, other)
    back.join()
    one.close(), other.close()


class _Server:
    """One thread a connection, on a loopback port. `met` counts connections."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.met = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.met += 1
            threading.Thread(target=self._guard, args=(connection,), daemon=True).start()

    def _guard(self, connection):
        try:
            self.serve(connection)
        except OSError:
            connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.listener.close()


class Tunnel(_Server):
    """TLS as `context` does it, and behind it the sandbox."""

    def __init__(self, context, upstream):
        self.context, self.upstream = context, upstream
        super().__init__()

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def serve(self, connection):
        inner = self.context.wrap_socket(connection, server_side=True)
        _join(inner, socket.create_connection(("127.0.0.1", self.upstream)))


class Proxy(_Server):
    """Keeps the requests it gets, and connects every client to `upstream`, whichever host it asks for."""

    def __init__(self, upstream):
        self.upstream = upstream
        self.requests = []
        super().__init__()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def serve(self, connection):
        head = read_head(connection)
        self.requests.append(head.decode(errors="replace"))
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        _join(connection, socket.create_connection(("127.0.0.1", self.upstream)))
