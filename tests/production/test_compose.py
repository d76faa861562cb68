"""compose.yaml, by what Debian 12 and 13 have for it; and what must not get into an image."""

import os
import shutil
import subprocess

import pytest
import yaml

from containers import import_image, tree
from docker_engine import COMPOSE_PLUGIN, Docker
from kubelet import TOOLS
from systemd_container import LIMITS, TOP, podman
from waiting import wait_until

COMPOSE = TOP / "contrib/container/compose.yaml"
NAMES = "processes", "secrets", "application"


@pytest.fixture(scope="module")
def image():
    name = import_image(f"localhost/sstorefs-compose-{os.getpid()}")
    yield name
    podman("rmi", "-f", name, check=False)


class Project:
    """compose.yaml with names of its own, on this machine's network, pointed to the sandbox; its first three services, or those that are given."""

    def __init__(self, image, work, sandbox, services=NAMES):
        self.name = f"sstorefs-compose-{os.getpid()}"
        self.work = work
        self.volume = work / "secrets"
        self.mountpoint = self.volume / "prod"
        self.mountpoint.mkdir(mode=0o555, parents=True)
        subprocess.run(["chattr", "+i", self.mountpoint], check=True)
        for how in (["--bind", self.volume, self.volume], ["--make-rshared", self.volume]):
            subprocess.run(["mount", *how], check=True)
        text = COMPOSE.read_text().replace("container_name: sstorefs-processes", f"container_name: {self.name}-processes")
        text = text.replace("container:sstorefs-processes", f"container:{self.name}-processes").replace("source: /srv/secrets", f"source: {self.volume}")
        self.document = yaml.safe_load(text)
        self.services = self.document["services"] = {name: self.document["services"][name] for name in services}
        for name, service in self.services.items():
            service["image"] = image
            service.pop("ulimits", None)
            if name.endswith("secrets"):
                service["command"][-1] += f",endpoint={sandbox.url},signing_key={sandbox.signing_key}"
            if name.endswith("application"):
                service["command"][-1] = "id -u > /dev/null; " + service["command"][-1] + " && sleep 1d"
        self.write()
        (work / "token").write_text(sandbox.token)
        (work / "token").chmod(0o400)

    def write(self, **more):
        for service in self.services.values():
            service.update(more)
        (self.work / "compose.yaml").write_text(yaml.safe_dump(self.document))

    def finish(self):
        for path in (self.mountpoint, self.volume):
            while subprocess.run(["umount", "-l", path], capture_output=True).returncode == 0:
                pass
        subprocess.run(["chattr", "-i", self.mountpoint], check=True)


class PodmanProject(Project):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        # Podman 4.3, which Debian 12 has, cannot wait for health.
        del self.services["application"]["depends_on"]
        self.write()
        limits = [word for word in LIMITS if "=" in word]
        (self.work / "containers.conf").write_text('[engine]\nruntime = "runc"\n[containers]\ndefault_ulimits = ' + str(limits).replace("'", '"') + "\n")

    def compose(self, release, *words):
        library = TOOLS / release / "usr/lib/python3/dist-packages"
        return subprocess.run(["/usr/bin/python3", library / "podman_compose.py", "-p", self.name, "-f", self.work / "compose.yaml", *words],
                              env={**os.environ, "CONTAINERS_CONF": str(self.work / "containers.conf")}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)

    def container(self, service):
        return podman("ps", "-a", "--format={{.Names}}", f"--filter=label=com.docker.compose.service={service}",
                      f"--filter=label=com.docker.compose.project={self.name}").stdout.strip()

    def finish(self):
        for _ in range(2):  # the one whose namespace the others are in goes last
            for name in podman("ps", "-a", "--format={{.Names}}", f"--filter=label=com.docker.compose.project={self.name}").stdout.split():
                podman("rm", "-f", "-t", "0", name, check=False)
        podman("network", "rm", f"{self.name}_default", check=False)  # podman-compose made it
        super().finish()


@pytest.fixture
def project(image, tmp_path, sandbox):
    made = PodmanProject(image, tmp_path, sandbox)
    try:
        yield made
    finally:
        made.finish()


class DockerProject(Project):
    def __init__(self, docker, *arguments):
        super().__init__(*arguments)
        self.docker = docker
        for service in self.services.values():
            if "healthcheck" in service and "interval" in service["healthcheck"]:
                service["healthcheck"]["interval"] = "1s"
        mode = {"network_mode": "host"}
        for name, service in self.services.items():
            service.update(mode if name != "mount-proxy" else {})
        self.write()

    def compose(self, *words, **more):
        return self.docker.run(COMPOSE_PLUGIN, "-p", self.name, "-f", self.work / "compose.yaml", "--profile", "unprivileged", *words, **more)

    def container(self, service):
        return self.compose("ps", "-a", "-q", service).stdout.decode().strip()

    def finish(self):
        self.compose("down", "--timeout", "2", "--volumes", check=False)
        super().finish()


@pytest.fixture(scope="module")
def docker(tmp_path_factory):
    made = Docker(tmp_path_factory.mktemp("docker"))
    yield made
    made.stop()


def test_docker_compose_reads_it():
    done = subprocess.run([COMPOSE_PLUGIN, "-f", COMPOSE, "--profile", "unprivileged", "config", "--quiet"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


UNPRIVILEGED = "processes", "mount-proxy", "unprivileged-secrets", "unprivileged-application"


@pytest.mark.parametrize("services", [NAMES, UNPRIVILEGED], ids=["sidecar", "unprivileged"])
def test_docker_compose_and_a_daemon_that_is_killed(docker, services, tmp_path, sandbox):
    """The application waits until the mount is there; the daemon comes back by itself, and the application has gone on."""
    docker("import", "-", "sstorefs", input=tree())
    project = DockerProject(docker, "sstorefs", tmp_path, sandbox, services)
    *_, daemon, application = services
    try:
        if services is UNPRIVILEGED:
            os.chown(tmp_path / "token", 65534, 65534)
        project.compose("up", "-d")
        sandbox.wait_for_call("fastly.put_secret", state="answered")
        assert sandbox.uploads() == [b"val"]
        before, secrets = project.container(application), project.container(daemon)
        inspect = lambda what, name: docker("inspect", "-f", what, name).stdout.decode().split()  # noqa: E731
        os.kill(int(inspect("{{.State.Pid}}", secrets)[0]), 9)
        wait_until(lambda: inspect("{{.RestartCount}}", secrets) == ["1"])
        wait_until(lambda: inspect("{{.State.Health.Status}}", secrets) == ["healthy"])
        assert inspect("{{.State.Running}} {{.RestartCount}}", before) == ["true", "0"]
        docker("exec", "--user=1000", before, "sh", "-c", "echo next > /secrets/prod/NAME && sync /secrets/prod/NAME")
        assert sandbox.uploads() == [b"val", b"next"]
    except BaseException:
        print(project.compose("logs", check=False).stdout.decode())
        raise
    finally:
        project.finish()


def test_podman_compose_1_3_and_a_daemon_that_is_killed(project, sandbox):
    """It comes back by itself, and the application has gone on."""
    project.write(network_mode="host")
    # Without systemd, nothing looks at the health but we.
    for service in NAMES[:2]:
        done = project.compose("trixie", "up", "-d", "--no-deps", service)
        assert done.returncode == 0, done.stdout
    until = lambda: any(podman("healthcheck", "run", project.container("secrets"), check=False).returncode == 0 for _ in range(100))  # noqa: E731
    assert until(), podman("logs", project.container("secrets"), check=False).stderr
    done = project.compose("trixie", "up", "-d", "--no-deps", "application")
    assert done.returncode == 0, done.stdout
    sandbox.wait_for_call("fastly.put_secret", state="answered")
    assert sandbox.uploads() == [b"val"]
    daemon = podman("inspect", "-f", "{{.State.Pid}}", project.container("secrets")).stdout.strip()
    os.kill(int(daemon), 9)
    assert until(), "it is started again"
    assert podman("inspect", "-f", "{{.State.Running}} {{.RestartCount}}", project.container("application")).stdout.split() == ["true", "0"]
    assert podman("exec", "--user=1000", project.container("application"), "sh", "-c", "echo next > /secrets/prod/NAME && sync /secrets/prod/NAME").returncode == 0
    assert sandbox.uploads() == [b"val", b"next"]


def test_podman_compose_1_0_fails_clearly(project, sandbox):
    done = project.compose("bookworm", "up", "-d", "--no-deps", "secrets")
    assert project.container("secrets"), done.stdout
    for _ in range(100):
        said = podman("logs", project.container("secrets"), check=False)
        if said.stdout + said.stderr:
            break
    assert "pid: has no effect: use docker compose v2, or podman-compose 1.2 or later" in said.stdout + said.stderr
    assert sandbox.calls() == []


@pytest.mark.parametrize("ignore", [".gitignore", ".containerignore", ".dockerignore"])
def test_a_token_gets_neither_into_an_image_nor_into_the_repository(tmp_path, ignore):
    tree = tmp_path / "tree"
    for folder in ("", "contrib/container"):
        (tree / folder).mkdir(parents=True, exist_ok=True)
        (tree / folder / "token").write_text("canary")
    shutil.copy(TOP / ignore, tree)
    (tree / "kept").touch()
    if ignore == ".gitignore":
        subprocess.run(["git", "init", "-q", tree], check=True)
        kept = subprocess.run(["git", "-C", tree, "ls-files", "-o", "--exclude-standard"], capture_output=True, text=True, check=True).stdout.split()
        assert kept == [".gitignore", "kept"]
        return
    (tmp_path / "Containerfile").write_text("FROM scratch\nCOPY . /\n")
    built = podman("build", "-q", "-f", tmp_path / "Containerfile", tree).stdout.strip()
    try:
        archive = tmp_path / "image.tar"
        podman("save", "-o", archive, built)
        assert b"canary" not in archive.read_bytes() and b"kept" in archive.read_bytes()
    finally:
        podman("rmi", "-f", built, check=False)
