"""An HTTP/1.1 server on loopback that does what each request's own query asks for, for net.c and its like.

A request for `/NAME?plan=A,B,C` meets step A the first time NAME is asked for, then B, then C for good:

    200 404 503 …   that status, with a small JSON body
    429-MS          429 that asks for a wait of MS milliseconds
    folded-MS       the same, on two header lines
    nonsense        200 with a body that is no JSON
    slow-MS         200 after MS milliseconds
    slow503-MS      503 after MS milliseconds
    close, reset    the request is read, then the connection ends (FIN, RST)
    hang            no answer as long as the connection lives
    hold            200 once `/release` was asked for
    cut             200 whose body ends before its Content-Length
    big, bomb       200 with a body of 9 MiB, plain or gzipped
    fit, fitgzip    200 with a body of exactly 8 MiB
    flood           200 with 80 KiB of headers
    echo            200 with method, headers and body of the request as JSON

`/seen?of=NAME` tells how often NAME was asked for, and over how many connections (nginx tells which by
X-Connection), and how many requests are held.

    scripted_server.py [DIRECTORY]

With a DIRECTORY for its files, nginx is in front with TLS and HTTP/2, and once more with HTTP/1.1 alone. Prints
one line, `PORT TLS_PORT TLS_ONE_PORT`, when all of it listens, and ends when its standard input does.
"""

import gzip
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

LIMIT = 8 << 20


class Script:
    """What the requests have in common."""

    def __init__(self):
        self.changed = threading.Condition()
        self.requests = {}
        self.connections = {}
        self.held = 0
        self.released = False

    def step(self, name, plan, connection):
        with self.changed:
            seen = self.requests.get(name, 0)
            self.requests[name] = seen + 1
            self.connections.setdefault(name, set()).add(connection)
        return plan[min(seen, len(plan) - 1)]

    def seen(self, name):
        with self.changed:
            return {
                "requests": self.requests.get(name, 0),
                "connections": len(self.connections.get(name, ())),
                "held": self.held,
            }

    def hold(self):
        with self.changed:
            self.held += 1
            self.changed.wait_for(lambda: self.released)
            self.held -= 1

    def release(self):
        with self.changed:
            self.released = True
            self.changed.notify_all()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    script = Script()

    def log_message(self, *_):
        pass

    def answer(self, status, body=b'{"ok":true}', **headers):
        self.send_response(status)
        self.send_header("Content-Length", len(body))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def end(self, reset=False):
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def exchange(self):
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            if url.path == "/seen":
                self.answer(200, json.dumps(self.script.seen(query["of"])).encode())
            elif url.path == "/release":
                self.script.release()
                self.answer(200)
            else:
                connection = self.headers.get("X-Connection", self.client_address)
                plan = query.get("plan", "200").split(",")
                self.run(self.script.step(url.path[1:], plan, connection), body)
        except OSError:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = exchange

    def run(self, step, body):
        action, _, amount = step.partition("-")
        if action.isdigit():
            self.answer(int(action), **({"X-Wait": amount} if amount else {"X-Request-Id": "r1"}))
        else:
            getattr(self, "do_" + action)(amount, body)

    def do_folded(self, amount, _):
        self.answer(429, X_Wait=f"\r\n {amount}")

    def do_nonsense(self, *_):
        self.answer(200, b"<html>")

    def do_slow(self, amount, _):
        time.sleep(int(amount) / 1000)
        self.answer(200)

    def do_slow503(self, amount, _):
        time.sleep(int(amount) / 1000)
        self.answer(503)

    def do_close(self, *_):
        self.end()

    def do_reset(self, *_):
        self.end(reset=True)

    def do_hang(self, *_):
        self.connection.recv(1)
        self.end()

    def do_hold(self, *_):
        self.script.hold()
        self.answer(200)

    def do_cut(self, *_):
        self.send_response(200)
        self.send_header("Content-Length", 100)
        self.end_headers()
        self.wfile.write(b"{")
        self.end()

    def do_big(self, *_):
        self.answer(200, bytes(LIMIT + (1 << 20)))

    def do_bomb(self, *_):
        self.answer(200, gzip.compress(bytes(10 * LIMIT)), Content_Encoding="gzip")

    def do_fit(self, *_):
        self.answer(200, b"{" + b" " * (LIMIT - 2) + b"}")

    def do_fitgzip(self, *_):
        self.answer(200, gzip.compress(b"{" + b" " * (LIMIT - 2) + b"}"), Content_Encoding="gzip")

    def do_flood(self, *_):
        self.answer(200, **{f"X_Flood_{i}": "f" * 1000 for i in range(80)})

    def do_echo(self, _, body):
        received = {"method": self.command, "path": self.path, "body": body.decode(), "headers": dict(self.headers)}
        self.answer(200, json.dumps(received).encode())


class Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True

    def handle_error(self, *_):
        """Clients that break off belong to the tests."""


NGINX = """
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
worker_processes 1;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_buffer_size 1m;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    ssl_certificate {directory}/server.pem;
    ssl_certificate_key {directory}/server.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    proxy_buffering off;
    proxy_read_timeout 300;
    proxy_next_upstream off;
    proxy_set_header X-Connection $connection;
    proxy_set_header X-Protocol $server_protocol;
    proxy_pass_request_headers on;
    server {{ listen 127.0.0.1:{h2} ssl http2 backlog=512; location / {{ proxy_pass http://127.0.0.1:{port}; }} }}
    server {{ listen 127.0.0.1:{h1} ssl backlog=512; location / {{ proxy_pass http://127.0.0.1:{port}; }} }}
}}
"""


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listening.getsockname()[1] for listening in sockets]
    for listening in sockets:
        listening.close()
    return ports


def make_certificates(directory):
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, stderr=subprocess.DEVNULL)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test CA", "-days", "30")
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    with open(os.path.join(directory, "names"), "w") as names:
        names.write("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-extfile", "names", "-days", "30", "-out", "server.pem")


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def start_nginx(directory, port):
    make_certificates(directory)
    h2, h1 = free_ports(2)
    configuration = os.path.join(directory, "nginx.conf")
    with open(configuration, "w") as file:
        file.write(NGINX.format(directory=directory, port=port, h2=h2, h1=h1))
    nginx = subprocess.Popen(["nginx", "-c", configuration, "-e", os.path.join(directory, "error.log")])
    while not (listens(h2) and listens(h1)):
        if nginx.poll() is not None:
            sys.exit("nginx did not start")
        time.sleep(0.01)
    return nginx, h2, h1


def main():
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_port
    nginx, h2, h1 = start_nginx(os.path.abspath(sys.argv[1]), port) if len(sys.argv) > 1 else (None, 0, 0)
    try:
        print(port, h2, h1, flush=True)
        sys.stdin.read()
    finally:
        if nginx:
            nginx.terminate()
            nginx.wait()


if __name__ == "__main__":
    main()
