"""nginx before the sandbox in the roles that services can play: other certificates, HTTP/1.1 alone, connections that end."""

import shutil
import socket
import subprocess
import time

from front import free_port
from network import ADDRESS

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
    upstream sandbox {{ server 127.0.0.1:{upstream}; keepalive 64; }}
    server {{
        listen {address}:{port} ssl {http2};
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        ssl_protocols TLSv1.2 TLSv1.3;
        keepalive_requests {requests};
        location / {{
            proxy_pass http://sandbox;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header X-Front-Protocol $server_protocol;
            proxy_next_upstream off;
            proxy_buffering off;
        }}
    }}
}}
"""


class Nginx:
    """Stopped and started again on the port that it had: daemons that know it find it changed."""

    def __init__(self, work, upstream, certificates):
        self.work = work
        self.upstream = upstream
        self.certificates = certificates
        self.port = free_port()
        self.process = None
        work.mkdir()

    @property
    def url(self):
        return f"https://{ADDRESS}:{self.port}"

    def start(self, certificate=None, http2=True, requests=1000000):
        self.stop()
        pem, key = certificate or self.certificates.good
        (self.work / "nginx.conf").write_text(CONFIGURATION.format(
            work=self.work, upstream=self.upstream, address=ADDRESS, port=self.port, certificate=pem, key=key,
            http2="http2" if http2 else "", requests=requests))
        program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin")
        with open(self.work / "nginx.log", "ab") as log:
            self.process = subprocess.Popen([program, "-p", self.work, "-c", self.work / "nginx.conf"], stderr=log)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex((ADDRESS, self.port)) == 0:
                    return self
            time.sleep(0.01)  # nginx tells nobody when it begins to listen
        raise RuntimeError((self.work / "nginx.log").read_text())

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(10)
            self.process = None
