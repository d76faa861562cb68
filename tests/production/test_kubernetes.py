"""The manifests of contrib/kubernetes: linted, looked through, and run as a node would run them."""

import json
import os
import re
import subprocess

import pytest
import yaml

from containers import import_image
from kubelet import Kubelet, kustomized, pod_of
from systemd_container import LIMITS, PODMAN, TOP, podman

MANIFESTS = TOP / "contrib/kubernetes"
PODS = [(path.name, document) for path in sorted((MANIFESTS / "overlays").iterdir()) for document in kustomized(path)]
IDS = [f"{name}-{document['kind']}" for name, document in PODS]


@pytest.fixture(scope="module")
def image():
    name = import_image(f"localhost/sstorefs-test-{os.getpid()}")
    yield name
    podman("rmi", "-f", name, check=False)


@pytest.fixture
def adjust(sandbox):
    """Points a container's sstorefs to the sandbox."""
    more = f",endpoint={sandbox.url},signing_key={sandbox.signing_key}"
    return lambda arguments: [word + more if "token_file=" in word else word for word in arguments]


@pytest.fixture
def run(request, image, sandbox, adjust, tmp_path):
    made = []

    def start(spec, **more):
        work = tmp_path / f"pod{len(made)}"
        work.mkdir()
        made.append(Kubelet(image, work, spec, {"sstorefs": {"token": sandbox.token}}, adjust, **more))
        return made[-1].run_all()

    try:
        yield start
    finally:
        sandbox.clear_faults()
        for pod in reversed(made):
            pod.finish()


def manifest(name, kind="Pod"):
    (document,) = [document for path, document in PODS if path == name and document["kind"] == kind]
    return pod_of(document)


def container(spec, name):
    (found,) = [one for one in spec.get("initContainers", []) + spec["containers"] if one["name"] == name]
    return found


# --- as they are written ----------------------------------------------------------------------------------------------------------


def test_yamllint_finds_nothing():
    files = [MANIFESTS, TOP / "contrib/container/compose.yaml"]
    done = subprocess.run(["yamllint", "--strict", "-c", MANIFESTS / ".yamllint", *files], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name,document", PODS, ids=IDS)
def test_what_is_named_is_there(name, document):
    spec = pod_of(document)
    volumes = {volume["name"] for volume in spec["volumes"]}
    for one in spec.get("initContainers", []) + spec["containers"]:
        assert {mount["name"] for mount in one["volumeMounts"]} <= volumes
        assert one["resources"]["limits"]["memory"] and one["resources"]["requests"]["cpu"]
        bidirectional = [mount for mount in one["volumeMounts"] if mount.get("mountPropagation") == "Bidirectional"]
        assert not bidirectional or one["securityContext"]["privileged"], "Kubernetes refuses it"
        for mount in one["volumeMounts"]:
            volume = next(volume for volume in spec["volumes"] if volume["name"] == mount["name"])
            if "secret" in volume:
                assert mount["readOnly"] and volume["secret"]["defaultMode"] & 0o037 == 0, "sstorefs refuses it"


def test_images_have_a_version_and_are_not_pulled_where_they_are():
    """kind and k3s are given them; `latest` would be pulled."""
    version = re.search(r"^  version: '(.*)',$", (TOP / "meson.build").read_text(), re.MULTILINE).group(1)
    for name, document in PODS:
        assert document["metadata"]["labels"]["app.kubernetes.io/version"] == version
        for one in pod_of(document).get("initContainers", []) + pod_of(document)["containers"]:
            ours = one["name"] in ("sstorefs", "mount-proxy")
            assert one["image"] == (f"localhost/sstorefs:{version}" if ours else "debian:bookworm-slim"), name
            assert one["imagePullPolicy"] == "IfNotPresent", name


def test_the_token_is_for_the_sidecar_alone():
    for name, document in PODS:
        spec = pod_of(document)
        tokens = {volume["name"] for volume in spec["volumes"] if "secret" in volume}
        for one in spec.get("initContainers", []) + spec["containers"]:
            has = tokens & {mount["name"] for mount in one["volumeMounts"]}
            assert bool(has) == (one["name"] == "sstorefs"), f"{name}: {one['name']}"


# --- run ----------------------------------------------------------------------------------------------------------------------------


def probes_of(pod, name):
    one = container(pod.spec, name)
    return [pod.probe(one, kind) for kind in ("startupProbe", "readinessProbe", "livenessProbe")]


@pytest.mark.parametrize("name, tells", [("sidecar", True), ("unprivileged-sidecar", False), ("all-or-nothing", True), ("csi", False)])
def test_a_sidecar_as_a_node_runs_it(run, sandbox, name, tells):
    pod = run(manifest(name))
    pod.wait_until("application", "[ -e /secrets/prod/NAME ]", user=1000)
    sandbox.wait_for_call("fastly.put_secret", state="answered")
    assert sandbox.uploads() == [b"val"]
    assert probes_of(pod, "sstorefs") == [0, 0, 0]
    pod.exec("application", "bash -c 'exec 3> /secrets/prod/HALF; echo half >&3; kill -9 $BASHPID'")
    pod.signal("sstorefs")
    assert pod.wait("sstorefs") == 0
    assert sandbox.uploads("HALF") == ([] if tells else [b"half"]), "promise 2 takes shared process numbers, and the right to look"
    left = pod.exec("application", "echo val > /secrets/prod/AFTER", options=["--user=0:0"])
    assert left.returncode not in (0, 255) and sandbox.uploads("AFTER") == [], "root, to where nothing is mounted"


def test_the_csi_plugins_process_numbers_are_not_relied_on(run, sandbox):
    """Here they are the host's: in the pod others have them, or nobody. Nothing that was closed well may be taken for a killed writer's."""
    pod = run(manifest("csi"))
    for number in range(3):
        done = pod.exec("application", f"echo val > /secrets/prod/N{number} && sync /secrets/prod/N{number}", options=["--user", "1000:1000"])
        assert done.returncode == 0 and sandbox.uploads(f"N{number}") == [b"val"]
    assert json.loads(pod.exec("sstorefs", "cat /secrets/prod/.sstorefs/status", options=["--user", "65534:65534"]).stdout)["writers_can_be_told_apart"] is False
    published = [json.loads(line) for line in pod.log_of("sstorefs").splitlines() if '"publish"' in line]
    assert len(published) >= 3 and {event["pid"] for event in published} == {0}


def test_nothing_beside_the_application_is_privileged_with_the_csi_plugin():
    spec = manifest("csi")
    assert not [one["name"] for one in spec["initContainers"] + spec["containers"] if one["securityContext"].get("privileged")]


def test_probes_tell_what_they_are_for(run, sandbox):
    pod = run(manifest("unprivileged-sidecar"))
    sandbox.tokens("another-token")
    pod.exec("application", "ls /secrets/prod/ABSENT; touch /secrets/prod/NEW", options=["--user", "1000:1000"])
    assert probes_of(pod, "sstorefs") == [4, 0, 0], "no application would begin, but to start it again, or to send requests elsewhere, would not help"
    sandbox.tokens(sandbox.token)
    sandbox.fault("service=fastly,status=503")
    pod.exec("application", "timeout 5 ls /secrets/prod/ANOTHER", options=["--user", "1000:1000"])
    assert probes_of(pod, "sstorefs")[1:] == [0, 0], "an outage takes no replica out"


SHELLS = {"sh", "bash", "dash", "/bin/sh", "/bin/bash", "/bin/dash", "/usr/bin/env"}


@pytest.mark.parametrize("name,document", PODS, ids=IDS)
def test_no_application_is_the_daemons_user_and_no_probe_is_a_shell(name, document):
    spec = pod_of(document)
    users = {}
    for one in spec.get("initContainers", []) + spec["containers"]:
        security = {**spec.get("securityContext", {}), **one.get("securityContext", {})}
        users[one["name"]] = security["runAsUser"]
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert one["name"] != "sstorefs" or one[probe]["exec"]["command"][0] not in SHELLS
    ours = {users[one] for one in users if one in ("sstorefs", "mount-proxy")}
    assert not ours & {user for one, user in users.items() if one not in ("sstorefs", "mount-proxy")}


def test_a_program_in_the_pod_finds_no_token(run, sandbox):
    """Even one of the sidecar's own user, while probes come and go: /proc/PID/root of each of them leads to the token."""
    pod = run(manifest("unprivileged-sidecar"))
    search = "while [ ! -e /secrets/prod/END ]; do for process in /proc/[0-9]*; do cat $process/root/run/sstorefs/token && exit; done; done"
    thief = subprocess.Popen([*PODMAN, "exec", "--user", "65534:65534", pod.name("application"), "sh", "-c", f"({search}) 2>/dev/null"],
                             stdout=subprocess.PIPE, text=True)
    for _ in range(5):
        assert probes_of(pod, "sstorefs") == [0, 0, 0]
    assert thief.poll() is None
    pod.exec("application", "echo val > /secrets/prod/END", options=["--user", "1000:1000"])
    assert thief.communicate(timeout=60)[0] == ""


def test_a_node_with_a_writer(run, sandbox, tmp_path):
    node = tmp_path / "node"
    node.mkdir()
    subprocess.run(["mount", "--bind", node, node], check=True)
    subprocess.run(["mount", "--make-rshared", node], check=True)
    paths = {"/var/lib/sstorefs/mnt": node}
    try:
        daemon = run(manifest("daemonset", "DaemonSet"), host_paths=paths)
        assert probes_of(daemon, "sstorefs") == [0, 0, 0]
        writer = run(manifest("daemonset"), host_paths=paths)
        writer.wait_until("application", "[ -e /secrets/prod/NAME ]", user=1000)
        sandbox.wait_for_call("fastly.put_secret", state="answered")
        assert sandbox.uploads() == [b"val"]
        daemon.signal("sstorefs", "KILL")
        daemon.wait("sstorefs")
        again = run(manifest("daemonset", "DaemonSet"), host_paths=paths)
        assert probes_of(again, "sstorefs") == [0, 0, 0], "the dead mount is replaced"
        assert writer.exec("application", "echo next > /secrets/prod/NAME && sync /secrets/prod/NAME").returncode == 0
        assert sandbox.uploads() == [b"val", b"next"]
    finally:
        for path in (node / "prod", node):
            while subprocess.run(["umount", "-l", path], capture_output=True).returncode == 0:
                pass
        subprocess.run(["chattr", "-i", node / "prod"], check=True)


def test_podman_kube_play_as_far_as_it_goes(image, adjust, sandbox, tmp_path):
    """
    It takes the manifest; what podman 4.3 can't do is left out: sidecars that start in order, probes without systemd, modes of secrets,
    propagation. So we look from inside the mount proxy. From 5.0 to 6.0 each container gets its own of a volume in memory (podman's issue 24930).
    """
    document = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"kube-{os.getpid()}"}, "spec": manifest("unprivileged-sidecar")}
    document = yaml.safe_load(yaml.safe_dump(document))
    spec = document["spec"]
    spec["hostNetwork"] = True
    spec["containers"] = [*spec.pop("initContainers")]
    for one in spec["containers"]:
        one.update(image=image, imagePullPolicy="Never", args=adjust(one["args"]))
        for key in ("restartPolicy", "startupProbe", "readinessProbe", "livenessProbe"):
            one.pop(key, None)
    token = tmp_path / "token"
    token.mkdir()
    (token / "token").write_text(sandbox.token)
    os.chown(token / "token", 65534, 65534)
    (token / "token").chmod(0o400)
    for volume in spec["volumes"]:
        volume.get("emptyDir", {}).pop("medium", None)
        if volume["name"] == "token":
            volume.pop("secret")
            volume["hostPath"] = {"path": str(token)}
    (tmp_path / "pod.yaml").write_text(yaml.safe_dump(document))
    (tmp_path / "containers.conf").write_text(f"[containers]\ndefault_ulimits = {[word for word in LIMITS if '=' in word]}\n".replace("'", '"'))
    environment = {**os.environ, "CONTAINERS_CONF": str(tmp_path / "containers.conf")}
    try:
        podman("kube", "play", tmp_path / "pod.yaml", env=environment)
        proxy = f"kube-{os.getpid()}-mount-proxy"
        script = ("PATH=/usr/bin; i=0; until sstorefs --check /secrets/prod >/dev/null; do [ $((i += 1)) -lt 200 ] || exit 1; sleep 0.05; done;"
                  "echo val > /secrets/prod/NAME && sync /secrets/prod/NAME")
        done = podman("exec", "--user", "65534:65534", proxy, "/bin/sh", "-c", script, check=False)
        assert done.returncode == 0, done.stderr + podman("logs", f"kube-{os.getpid()}-sstorefs", check=False).stderr
        assert sandbox.uploads() == [b"val"]
    finally:
        podman("kube", "down", tmp_path / "pod.yaml", check=False, env=environment)


def test_the_secret_takes_the_token():
    secret = yaml.safe_load((MANIFESTS / "token.yaml").read_text())
    assert set(secret["stringData"]) == {"token"}  # what the volumes mount as /run/sstorefs/token


def memory_of(process, name):
    """A line of /proc/PID/status, in bytes."""
    with open(f"/proc/{process}/status") as lines:
        (line,) = [line for line in lines if line.startswith(f"{name}:")]
    return int(line.split()[1]) << 10


def test_requests_and_limits_are_what_the_daemon_takes(direct_mount, sandbox):
    """At rest, and with all the values it may hold and 100 000 secrets listed."""
    resources = [container(pod_of(document), "sstorefs")["resources"] for _, document in PODS
                 if any(one["name"] == "sstorefs" for one in pod_of(document).get("initContainers", []) + pod_of(document)["containers"])]
    mebibytes = lambda text: int(text.removesuffix("Mi")) << 20  # noqa: E731
    assert len(resources) == 5
    assert memory_of(direct_mount.pid, "VmRSS") < min(mebibytes(one["requests"]["memory"]) for one in resources)
    sandbox.seed("big", 100_000)
    direct_mount.refresh()
    assert len(os.listdir(direct_mount / "big")) == 100_000
    room = json.loads(direct_mount.control("status"))["locked_bytes_max"]
    held = []
    for number in range(room // 65536 * 9 // 10):
        held.append(os.open(direct_mount / f"prod/N{number}", os.O_WRONLY | os.O_CREAT, 0o600))
        assert os.write(held[-1], b"x" * 65536) == 65536
    assert memory_of(direct_mount.pid, "VmHWM") < min(mebibytes(one["limits"]["memory"]) for one in resources)
    for number, descriptor in enumerate(held):
        os.unlink(direct_mount / f"prod/N{number}")
        os.close(descriptor)
