"""nginx before the sandbox in the roles that services can play: other certificates, HTTP/1.1 alone, connections that end."""

from front import Front, free_port
from network import ADDRESS


class Nginx(Front):
    """Stopped and started again on the port that it had: daemons that know it find it changed."""

    address = ADDRESS

    def __init__(self, work, upstream, certificates):
        super().__init__(work, upstream)
        self.certificates = certificates
        self.port = free_port()
        work.mkdir()

    def start(self, certificate=None, http2=True, requests=1000000, way="as they are"):
        self.stop()
        if not self.listens(certificate or self.certificates.good, http2, requests, way):
            raise RuntimeError(self.log())
        return self
