"""nginx before the sandbox: TLS 1.3 and HTTP/2, as the real services speak, and other roles that services can play."""

import shutil
import socket
import subprocess
import time
from pathlib import Path

CONFIGURATION = """
daemon off;
master_process off;
pid {work}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {work}/body;
    proxy_temp_path {work}/proxy;
    fastcgi_temp_path {work}/fastcgi;
    uwsgi_temp_path {work}/uwsgi;
    scgi_temp_path {work}/scgi;
    client_max_body_size 64m;
    upstream sandbox {{ server 127.0.0.1:{upstream}; keepalive 64; }}
    upstream packed {{ server unix:{work}/packed; keepalive 64; }}
    server {{
        listen unix:{work}/packed;
        keepalive_requests 1000000;
        gzip on;
        gzip_types *;
        gzip_min_length 1;
        gzip_proxied any;
        location / {{
            proxy_pass http://sandbox;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_next_upstream off;
            proxy_buffering off;
        }}
    }}
    server {{
        listen {address}:{port} ssl {http2};
        server_name localhost;
        ssl_certificate {pem};
        ssl_certificate_key {key};
        ssl_protocols TLSv1.2 TLSv1.3;
        http2_max_concurrent_streams 128;
        keepalive_requests {requests};
        location / {{
            {way}
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header X-Front-Protocol $server_protocol;
            proxy_set_header X-Front-TLS $ssl_protocol;
            proxy_next_upstream off;
            proxy_read_timeout 120s;
        }}
    }}
}}
"""

# How nginx answers. Only the first way tells an answer's length in its headers; the last is that of a service which compresses
# whether it is asked to or not.
WAYS = {
    "as they are": "proxy_pass http://sandbox; proxy_buffering off;",
    "without a length": "proxy_pass http://sandbox; sub_filter 'what no answer says' ''; sub_filter_types *;",
    "compressed": "proxy_pass http://packed; proxy_buffering off; proxy_set_header Accept-Encoding gzip;",
}


def _openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


def make_certificates(work):
    """An authority of our own, and a certificate for the loopback address."""
    _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=sstorefs test authority", "-keyout", work / "ca.key", "-out", work / "ca.pem")
    _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
             "-keyout", work / "server.key", "-out", work / "server.csr")
    (work / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    _openssl("x509", "-req", "-in", work / "server.csr", "-CA", work / "ca.pem", "-CAkey", work / "ca.key",
             "-CAcreateserial", "-days", "2", "-extfile", work / "names", "-out", work / "server.pem")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Front:
    address = "127.0.0.1"

    def __init__(self, work, upstream):
        self.work = Path(work)
        self.upstream = upstream
        self.port = None
        self.process = None

    @property
    def url(self):
        return f"https://{self.address}:{self.port}"

    @property
    def cacert(self):
        return self.work / "ca.pem"

    def start(self):
        make_certificates(self.work)
        # Somebody may take the port between our look and nginx's bind: then another one.
        for _ in range(5):
            self.port = free_port()
            if self.listens((self.work / "server.pem", self.work / "server.key")):
                return self
        raise RuntimeError(self.log())

    def listens(self, certificate, http2=True, requests=1000000, way="as they are"):
        """Starts nginx on the port, to answer so many requests on a connection. Whether it came to that."""
        pem, key = certificate
        (self.work / "packed").unlink(missing_ok=True)
        (self.work / "nginx.conf").write_text(CONFIGURATION.format(
            work=self.work, address=self.address, port=self.port, upstream=self.upstream, pem=pem, key=key,
            http2="http2" if http2 else "", requests=requests, way=WAYS[way]))
        program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin")
        with open(self.work / "nginx.log", "ab") as log:
            self.process = subprocess.Popen([program, "-p", self.work, "-c", self.work / "nginx.conf"], stderr=log)
        deadline = time.monotonic() + 60
        while self.process.poll() is None and time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex((self.address, self.port)) == 0:
                    return True
            time.sleep(0.01)  # nginx tells nobody when it begins to listen
        self.stop()
        return False

    def log(self):
        return (self.work / "nginx.log").read_text()

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(10)
            self.process = None
