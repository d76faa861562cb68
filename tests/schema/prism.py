"""Stoplight's Prism as a proxy that validates requests and answers, and the services' own libraries: npm's packages, pinned in package-lock.json."""

import contextlib
import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from waiting import wait_until

FOLDER = Path(__file__).resolve().parent
# See install_schema_packages in contrib/install-dependencies.sh.
PACKAGES = Path(os.environ.get("SSTOREFS_SCHEMA_NPM", Path.home() / ".cache/sstorefs-tests/schema"))


def require_packages():
    """Without npm's packages nothing can be checked, and that is a failure."""
    assert (PACKAGES / "node_modules/.bin/prism").exists(), (
        f"npm's packages are not in {PACKAGES}: install_schema_packages in contrib/install-dependencies.sh fetches them, and needs npm and its registry")


class Prism:
    """`url` takes the place of the service's address."""

    def __init__(self, service, work):
        require_packages()
        self.service = service
        self.log = Path(work) / f"{service.name}.log"
        self.read = 0  # characters of the log
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(["node", PACKAGES / "node_modules/.bin/prism", "proxy", FOLDER / f"{self.service.name}.json",
                                             self.service.url, "--port", str(port), "--host", "127.0.0.1"],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def wait(self):
        wait_until(lambda: "Prism is listening" in self.log.read_text() or self.process.poll() is not None, "Prism does not start")
        assert self.process.poll() is None, self.log.read_text()

    def stop(self):
        self.process.kill()
        self.process.wait()

    def violations(self):
        """
        What did not fit the schema since the last time. A last request that fits nothing shows that all lines before it were written. GitHub's schema leaves out the
        401 and the 404 of some calls.
        """
        marker = f"no-such-path-{time.monotonic_ns()}"
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(f"{self.url}/{marker}")
        wait_until(lambda: re.search(rf"{marker}(.*\n)+.*Violation", self.log.read_text()), "Prism does not tell what it saw")
        text = self.log.read_text()
        lines = re.sub(r"\x1b\[[0-9;]*m", "", text[self.read:]).splitlines()
        self.read = len(text)
        found, request, status = [], "", ""
        for line in lines:
            if received := re.search(r"\[HTTP SERVER\] (\w+ \S+) .*Request received", line):
                request, status = received[1], ""
            elif returned := re.search(r"has returned (\d+)", line):
                status = returned[1]
            elif "Violation: " in line and "no-such-path" not in request:
                _, _, arguments = line.partition("Violation: ")
                if not (self.service.name == "github" and status in ("401", "404") and "returned status code" in arguments):
                    found.append(f"{request} {status}: {arguments}")
        return found
