"""TLS for the sandbox: a certificate authority, and nginx in front, by default with TLS 1.3 and HTTP/2 as the real services."""

import shutil
import socket
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

from network import ADDRESS
from waiting import wait_until

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

# How nginx responds. Only the first way has Content-Length; the last is that of a service that compresses whether the request accepts it or not.
WAYS = {
    "as they are": "proxy_pass http://sandbox; proxy_buffering off;",
    "without a length": "proxy_pass http://sandbox; sub_filter 'what no answer says' ''; sub_filter_types *;",
    "compressed": "proxy_pass http://packed; proxy_buffering off; proxy_set_header Accept-Encoding gzip;",
}

LOOPBACK_NAMES = "DNS:localhost,IP:127.0.0.1"
CA_CONFIGURATION = """
[ca]
default_ca = authority
[authority]
database = {work}/index
new_certs_dir = {work}
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
"""


def certificate_date(days=0):
    """The date `days` from now, as openssl writes it."""
    return (datetime.now(timezone.utc) + timedelta(days=days)).strftime("%Y%m%d%H%M%SZ")


class Authority:
    """Signs certificates. Its own is the file `ca`. By default all are two days old, so that clocks that are an hour off do not matter."""

    def __init__(self, work, name="sstorefs test authority"):
        self.work = Path(work)
        self.work.mkdir(parents=True, exist_ok=True)
        self.ca = self.work / "ca.pem"
        (self.work / "index").write_text("")
        (self.work / "ca.cnf").write_text(CA_CONFIGURATION.format(work=self.work))
        self._request("ca", name)
        self._sign("ca", "CA:TRUE", "basicConstraints", certificate_date(-2), certificate_date(7), "-selfsign")

    def certificate(self, name, names=LOOPBACK_NAMES, begin=None, end=None):
        """(certificate, key) as files, for `names` as subjectAltName has them."""
        self._request(name, "server")
        self._sign(name, names, "subjectAltName", begin or certificate_date(-2), end or certificate_date(7), "-cert", self.ca)
        return self.work / f"{name}.pem", self.work / f"{name}.key"

    def _request(self, name, subject):
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={subject}",
                      "-keyout", self.work / f"{name}.key", "-out", self.work / f"{name}.csr")

    def _sign(self, name, value, extension, begin, end, *arguments):
        (self.work / f"{name}.extensions").write_text(f"{extension}={value}\n")
        self._openssl("ca", "-batch", "-notext", "-config", self.work / "ca.cnf", "-keyfile", self.work / "ca.key", *arguments,
                      "-in", self.work / f"{name}.csr", "-out", self.work / f"{name}.pem", "-startdate", begin, "-enddate", end,
                      "-extfile", self.work / f"{name}.extensions")

    @staticmethod
    def _openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Certificates:
    """Certificates, good and bad ones, for servers at ADDRESS."""

    HOST = "service.example"

    def __init__(self, work):
        authority, unknown = Authority(work / "ours"), Authority(work / "others")
        names = f"{LOOPBACK_NAMES},DNS:{self.HOST},IP:{ADDRESS}"
        self.ca = authority.ca
        self.good = authority.certificate("good", names)
        self.wrong_name = authority.certificate("wrong_name", "DNS:other.example")
        self.expired = authority.certificate("expired", names, end=certificate_date(-1))
        self.not_yet_valid = authority.certificate("not_yet_valid", names, begin=certificate_date(1))
        self.unknown = unknown.certificate("unknown", names)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Nginx:
    """nginx in front of the sandbox, which listens on the port `upstream`, at a loopback address."""

    address = "127.0.0.1"

    def __init__(self, work, upstream):
        self.work = Path(work)
        self.upstream = upstream
        self.port = None
        self.process = None
        self.cacert = None

    @property
    def url(self):
        return f"https://{self.address}:{self.port}"

    def start(self):
        authority = Authority(self.work)
        self.cacert = authority.ca
        certificate = authority.certificate("server")
        # Another process may take the port between free_port() and nginx's bind: then another one.
        for _ in range(5):
            self.port = free_port()
            if self.listens(certificate):
                return self
        raise RuntimeError(self.log())

    def listens(self, certificate, http2=True, requests=1000000, way="as they are"):
        """Starts nginx on the port, with at most `requests` requests to a connection. Returns whether it listens."""
        pem, key = certificate
        (self.work / "packed").unlink(missing_ok=True)
        (self.work / "nginx.conf").write_text(CONFIGURATION.format(
            work=self.work, address=self.address, port=self.port, upstream=self.upstream, pem=pem, key=key,
            http2="http2" if http2 else "", requests=requests, way=WAYS[way]))
        program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin")
        with open(self.work / "nginx.log", "ab") as log:
            self.process = subprocess.Popen([program, "-p", self.work, "-c", self.work / "nginx.conf"], stderr=log)
        wait_until(lambda: self.process.poll() is not None or self._accepts(), self.log, pause=0.01)
        if self.process.poll() is None:
            return True
        self.stop()
        return False

    def _accepts(self):
        with socket.socket() as probe:
            return probe.connect_ex((self.address, self.port)) == 0

    def log(self):
        return (self.work / "nginx.log").read_text()

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(10)
            self.process = None


class ChangingNginx(Nginx):
    """
    nginx at ADDRESS in the roles of services: other certificates, HTTP/1.1 alone, connections that end. Each start is on the same port, so that
    daemons that know it find it changed.
    """

    address = ADDRESS

    def __init__(self, work, upstream, certificates):
        super().__init__(work, upstream)
        self.certificates = certificates
        self.cacert = certificates.ca
        self.port = free_port()
        work.mkdir()

    def start(self, certificate=None, http2=True, requests=1000000, way="as they are"):
        self.stop()
        if not self.listens(certificate or self.certificates.good, http2, requests, way):
            raise RuntimeError(self.log())
        return self
