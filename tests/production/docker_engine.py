"""A docker daemon of its own, and docker compose, from what contrib/install-dependencies.sh unpacks: nothing of it is installed or runs elsewhere."""

import os
import subprocess

from kubelet import TOOLS
from waiting import TIMEOUT, wait_until

BOOKWORM = TOOLS / "bookworm/usr"
COMPOSE_PLUGIN = TOOLS / "trixie/usr/libexec/docker/cli-plugins/docker-compose"


class Docker:
    """Containers are on this machine's network: no bridge, and no rules of a firewall."""

    def __init__(self, work):
        self.work = work
        self.environment = {**os.environ, "DOCKER_HOST": f"unix://{work}/socket", "HOME": str(work),
                            "PATH": f"{BOOKWORM}/bin:{BOOKWORM}/sbin:{os.environ['PATH']}"}
        self.log = work / "dockerd.log"
        with self.log.open("w") as log:
            self.daemon = subprocess.Popen(["dockerd", "--data-root", work / "data", "--exec-root", work / "exec", "--pidfile", work / "pid",
                                            "--host", self.environment["DOCKER_HOST"], "--bridge=none", "--iptables=false"],
                                           env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_until(lambda: self("version", check=False).returncode == 0)
        except BaseException:
            self.stop()
            raise

    def __call__(self, *words, check=True, **more):
        return self.run("docker", *words, check=check, **more)

    def run(self, *words, check=True, **more):
        done = subprocess.run(words, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=4 * TIMEOUT, **more)
        assert not check or done.returncode == 0, done.stdout.decode()
        return done

    def stop(self):
        self.daemon.terminate()
        self.daemon.wait(timeout=TIMEOUT)
