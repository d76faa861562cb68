"""Containers of a small image: what is in it is what the programs need, copied from this machine."""

import io
import os
import re
import shlex
import subprocess
import tarfile
from pathlib import Path

import yaml

from systemd_container import LIMITS, TOP, podman
from daemon import BUILD

PROGRAMS = {"/usr/bin/sstorefs": BUILD / "sstorefs", "/usr/sbin/sstorefs-mount-proxy": BUILD / "src/mount-proxy/sstorefs-mount-proxy",
            **{f"/usr/bin/{name}": Path("/usr/bin") / name
               for name in ("sh", "bash", "cat", "cp", "dd", "getfattr", "grep", "id", "ls", "mkdir", "sleep", "stat", "sync", "touch")}}
FILES = {"/etc/passwd": "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n",
         "/etc/group": "root:x:0:\nnogroup:x:65534:\napp:x:1000:\n", "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n"}
DIRECTORIES = ("tmp", "run", "proc", "sys", "dev", "etc", "secrets", "usr/bin", "usr/sbin")


COMPOSE = yaml.safe_load((TOP / "contrib/container/compose.yaml").read_text())["services"]


def service(name):
    """
    A service of compose.yaml: its words, and podman's options for it. What the tests choose themselves is left out: network, volumes, secrets, and limits
    beyond what a test may raise.
    """
    wanted = COMPOSE[name]
    options = [f"--device={device}" for device in wanted.get("devices", [])]
    options += [f"--cap-drop={name}" for name in wanted.get("cap_drop", [])]
    options += [f"--cap-add={name}" for name in wanted.get("cap_add", [])]
    options += [f"--security-opt={option.replace(':', '=')}" for option in wanted.get("security_opt", [])]
    options += ["--read-only"] if wanted.get("read_only") else []
    options += ["--user", wanted["user"]] if "user" in wanted else []
    options += ["--init"] if wanted.get("init") else []
    return [word.replace("$$", "$") for word in wanted.get("entrypoint", []) + wanted["command"]], options


def propagation(name):
    (volume,) = [volume for volume in COMPOSE[name]["volumes"] if "target" in volume]
    return volume["bind"]["propagation"]


def processes(pod, name):
    """podman's option for whose processes a service of compose.yaml sees."""
    assert COMPOSE[name]["pid"] == "container:" + COMPOSE["processes"]["container_name"]
    return [f"--pid=container:{pod.name('processes')}"]


def libraries(program):
    output = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return re.findall(r"(/\S+) \(0x", output)


def as_installed(info):
    """What meson.build says of our programs."""
    info.mode, info.uid, info.gid = 0o711, 0, 0
    return info


def tree():
    """The image's root, as a tar archive."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", dereference=True) as tar:
        for directory in DIRECTORIES:
            info = tarfile.TarInfo(directory)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info)
        for name, target in (("bin", "usr/bin"), ("sbin", "usr/sbin")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
        for name, text in FILES.items():
            info = tarfile.TarInfo(name[1:])
            info.size, info.mode = len(text), 0o644
            tar.addfile(info, io.BytesIO(text.encode()))
        for library in sorted({library for program in PROGRAMS.values() for library in libraries(program)}):
            tar.add(library, library[1:])
        for name, program in PROGRAMS.items():
            ours = program.is_relative_to(BUILD)
            tar.add(program, name[1:], filter=as_installed if ours else None)
    return archive.getvalue()


def import_image(name):
    done = subprocess.run(["podman", "import", "-", name], input=tree(), capture_output=True)
    assert done.returncode == 0, done.stderr
    return name


class Pod:
    """A few containers of one image, on this machine's network, where the sandbox is."""

    def __init__(self, image, work):
        self.image = image
        self.work = Path(work)
        self.prefix = f"sstorefs-test-{os.getpid()}-{self.work.name}"
        self.names = []
        self.volume = self.work / "secrets"
        # The mount is made below the volume: what lies dead on the volume itself would keep containers from starting.
        self.mountpoint = self.volume / "prod"
        self.mountpoint.mkdir(mode=0o555, parents=True)
        subprocess.run(["chattr", "+i", self.mountpoint], check=True)
        # Propagation begins at a mount, and our namespace's are private.
        subprocess.run(["mount", "--bind", self.volume, self.volume], check=True)
        subprocess.run(["mount", "--make-rshared", self.volume], check=True)

    def name(self, name):
        return f"{self.prefix}-{name}"

    def arguments(self, name, *options):
        return ["--name", self.name(name), "--network=host", *LIMITS, *options]

    def start(self, name, *arguments, options=()):
        """`options` are podman's, `words` the container's first program."""
        self.names.append(name)
        podman("run", "-d", *self.arguments(name, *options), self.image, *arguments)

    def run(self, name, *arguments, options=(), check=False):
        self.names.append(name)
        return podman("run", "--rm", *self.arguments(name, *options), self.image, *arguments, check=check)

    def exec(self, name, script, check=False, options=()):
        return podman("exec", *options, self.name(name), "sh", "-c", script, check=check)

    def propagated(self, how):
        return ["-v", f"{self.volume}:/secrets:{how}"]

    def signal(self, name, number="TERM"):
        podman("kill", "-s", number, self.name(name))

    def wait(self, name):
        """The exit status of a container's first program."""
        return int(podman("wait", self.name(name)).stdout)

    def log_of(self, name):
        done = podman("logs", self.name(name), check=False)
        return done.stdout + done.stderr

    def log(self):
        return "\n".join(f"{name}:\n{self.log_of(name)}" for name in self.names)

    def mounted(self):
        """What the machine sees of it."""
        return subprocess.run(["findmnt", "-n", "-o", "FSTYPE", self.mountpoint], capture_output=True, text=True).stdout.split()

    def wait_until(self, name, script, user=0, timeout=60):
        """Inside of a container; its shell waits."""
        done = self.exec(name, f"i=0; until {script}; do [ $((i += 1)) -lt {timeout * 20} ] || exit 1; sleep 0.05; done",
                         options=["--user", f"{user}:{user}"])
        assert done.returncode == 0, f"{shlex.quote(script)} did not come true: {done.stderr}\n{self.log()}"

    def finish(self):
        (self.work / "containers.log").write_text(self.log())  # for the search for leaked secrets
        for name in reversed(self.names):
            podman("rm", "-f", "-t", "0", "-i", self.name(name), check=False)
        for path in (self.mountpoint, self.volume):
            while subprocess.run(["umount", "-l", path], capture_output=True).returncode == 0:
                pass
        subprocess.run(["chattr", "-i", self.mountpoint], check=True)
