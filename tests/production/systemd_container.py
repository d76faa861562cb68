"""
Machines that can be thrown away: containers whose root is this machine's with an empty layer on top. What is installed, enabled or broken in
there is gone with them. A booted one has systemd as its first process.
"""

import os
import shlex
import subprocess
from pathlib import Path

from daemon import BUILD
from waiting import TIMEOUT

TOP = Path(__file__).resolve().parents[2]
# Rights that a container in a virtual machine can set for itself, whatever its own limits are.
LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")
# From 256 on systemd refuses control groups of version 1, which the machine may have, without this word; others take no notice of it.
OLD_CGROUPS = "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"
PODMAN = ("podman", "--runtime", "runc")
CONTAINER_TIMEOUT = 2 * TIMEOUT


def podman(*arguments, check=True, timeout=CONTAINER_TIMEOUT, **more):
    done = subprocess.run([*PODMAN, *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
                          stdin=subprocess.DEVNULL, **more)
    assert not check or done.returncode == 0, f"podman {shlex.join(map(str, arguments))}: {done.stderr}{done.stdout}"
    return done


class Machine:
    def __init__(self, name, work, boot=False):
        """`work` is the folder for its journal, for the search for leaked secrets."""
        self.name = f"sstorefs-test-{os.getpid()}-{name}"
        self.work = Path(work)
        self.boot = boot

    def start(self, network="host"):
        # What containers share, systemd shares on a machine: its credentials and mount units rely on it.
        first = "mount --make-rshared / && exec " + ("/lib/systemd/systemd --unit=basic.target " + OLD_CGROUPS if self.boot else "sleep 1d")
        self.run_first(first, network)
        if self.boot:
            self.run("systemctl is-system-running --wait || systemctl list-jobs", check=False)
        return self

    def start_off(self, network):
        """A machine that is not booted yet: its files can be written. boot_now() boots it into `boot.target`."""
        self.run_first("mount --make-rshared / && mkfifo /run/boot && read word < /run/boot; rm /run/boot; exec /lib/systemd/systemd --unit=boot.target " + OLD_CGROUPS, network)
        return self

    def boot_now(self):
        self.run("until [ -p /run/boot ]; do sleep 0.05; done; echo go > /run/boot")
        # Not until it is "running": jobs that come all the time, as those of an automount, keep it "starting".
        self.run("until [ \"$(systemctl is-active boot.target 2>&1)\" = active ]; do sleep 0.05; done")

    def run_first(self, first, network):
        # An immutable mountpoint below /mnt could not be removed with the container.
        tmpfs = [word for path in ("/tmp", "/run", "/mnt", "/var/log/journal") for word in ("--tmpfs", f"{path}:notmpcopyup,mode=755")]
        systemd = ["--systemd=always"] if self.boot else []
        podman("run", "-d", "--name", self.name, *systemd, "--privileged", f"--network={network}", *tmpfs, *LIMITS,
               "-v", f"{BUILD}:{BUILD}:O", "-v", f"{TOP}:{TOP}:ro", "-v", f"{self.work}:/outside", "--rootfs", "/:O", "/bin/sh", "-c", first)

    def install(self):
        """As the README says."""
        self.run(f"meson install -C {BUILD} --no-rebuild")
        if self.boot:
            self.run("systemd-sysusers && systemctl daemon-reload")
        return self

    def run(self, script, check=True, timeout=CONTAINER_TIMEOUT):
        done = podman("exec", self.name, "sh", "-c", script, check=False, timeout=timeout)
        assert not check or done.returncode == 0, f"{self.log() if done.returncode else 0}{script}\n{done.returncode}: {done.stderr}{done.stdout}"
        return done

    def says(self, script, **more):
        return self.run(script, **more).stdout.strip()

    def write_bytes(self, path, content, mode=0o600):
        script = f"install -D -m {mode:o} /dev/stdin {shlex.quote(str(path))}"
        done = subprocess.run([*PODMAN, "exec", "-i", self.name, "sh", "-c", script], input=content, capture_output=True)
        assert done.returncode == 0, done.stderr

    def write(self, path, text, mode=0o600):
        self.write_bytes(path, text.encode(), mode)

    def log(self):
        if self.boot:
            return self.run("journalctl --no-pager -o short-precise | tail -n 80", check=False).stdout
        return ""

    def finish(self):
        if self.boot:
            (self.work / "journal.log").write_text(self.run("journalctl --no-pager -o cat", check=False).stdout)
        podman("rm", "-f", "-t", "0", self.name, check=False)
