"""The two sidecars of contrib/container: one that mounts, and one without any privilege beside a mount proxy."""

import os
import re

import pytest

from containers import COMPOSE, Pod, import_image, processes, propagation, service
from systemd_container import podman


@pytest.fixture(scope="module")
def image():
    name = import_image(f"localhost/sstorefs-test-{os.getpid()}")
    yield name
    podman("rmi", "-f", name, check=False)


@pytest.fixture
def pod(image, tmp_path, sandbox):
    pod = Pod(image, tmp_path)
    pod.token = tmp_path / "token"
    pod.token.write_text(sandbox.token)
    pod.token.chmod(0o400)
    try:
        words, podmans = service("processes")
        pod.start("processes", *words, options=podmans)
        yield pod
    finally:
        sandbox.clear_faults()
        pod.finish()


def adjusted(arguments, sandbox, owner=None):
    """Points the daemon among the words to the sandbox and to our token."""
    more = f"endpoint={sandbox.url},signing_key={sandbox.signing_key}"
    arguments = [f"{word},{more}" if "token_file=" in word else word for word in arguments]
    arguments = [word.replace("/run/secrets/sstorefs-token", "/run/token") for word in arguments]
    return [word.replace("gid=1000,umask=007", owner) for word in arguments] if owner else arguments


def token(pod, uid=0):
    os.chown(pod.token, uid, uid)
    return ["-v", f"{pod.token}:/run/token:ro"]


# --- a sidecar that mounts ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def sidecar(pod, sandbox):
    arguments, podmans = service("secrets")
    pod.start("sidecar", *adjusted(arguments, sandbox), options=[*podmans, *token(pod), *processes(pod, "secrets"), *pod.propagated(propagation("secrets"))])
    health = COMPOSE["secrets"]["healthcheck"]["test"]
    assert health[0] == "CMD"
    pod.wait_until("sidecar", " ".join(health[1:]) + " >/dev/null")
    return pod


APPLICATION = [*service("application")[1], "--cap-drop=ALL"]


def application(pod, script, *more, name="application"):
    return pod.run(name, "bash", "-c", script, options=[*APPLICATION, *pod.propagated(propagation("application")), *more])


def test_what_the_example_writes(sidecar, sandbox):
    done = sidecar.run("application", *service("application")[0],
                       options=[*APPLICATION, *sidecar.propagated(propagation("application")), *processes(sidecar, "application")])
    assert (done.returncode, done.stderr) == (0, "")
    assert sandbox.uploads() == [b"val"]


def test_an_application_beside_a_sidecar_that_mounts(sidecar, sandbox):
    done = application(sidecar, "echo val > /secrets/prod/NAME && sync /secrets/prod/NAME && getfattr --only-values -n user.digest /secrets/prod/NAME")
    assert done.returncode == 0, done.stderr
    assert sandbox.uploads() == [b"val"] and len(done.stdout) == 44
    assert application(sidecar, "cat /secrets/prod/NAME").returncode != 0


def test_shared_process_numbers_tell_killed_writers(sidecar, sandbox):
    """Promise 2, and what it loses without: the kernel then gives the daemon a writer's number as 0."""
    script = "exec 3> /secrets/prod/{}; echo half >&3; kill -9 $BASHPID"
    application(sidecar, script.format("SHARED"), *processes(sidecar, "application"))
    application(sidecar, script.format("APART"))
    application(sidecar, "echo val > /secrets/prod/NAME && sync /secrets/prod/NAME")
    assert sandbox.uploads("SHARED") == []
    assert sandbox.uploads("APART") == [b"half"]
    assert "can't be told" in sidecar.log_of("sidecar")


def test_the_end_of_the_sidecar_unmounts_everywhere_and_ends_no_application(sidecar, sandbox):
    sidecar.start("application", "sleep", "1d", options=[*sidecar.propagated(propagation("application")), *processes(sidecar, "application")])
    assert sidecar.exec("application", "touch /secrets/prod/TOUCHED && ls /secrets/prod").returncode == 0
    assert sidecar.mounted() == ["fuse.sstorefs"]
    sidecar.signal("sidecar")
    assert sidecar.wait("sidecar") == 0
    assert sidecar.mounted() == []
    assert "sstorefs" not in sidecar.exec("application", "cat /proc/mounts").stdout
    left = sidecar.exec("application", "echo val > /secrets/prod/NAME")
    assert left.returncode != 0, "nothing may be written in clear text to where nothing is mounted"
    assert list((sidecar.volume / "prod").iterdir()) == []


# --- one without any privilege --------------------------------------------------------------------------------------------------------


def start_mount_proxy(pod):
    arguments, podmans = service("mount-proxy")
    (pod.work / "mount-proxy").mkdir(exist_ok=True)
    pod.start("mount-proxy", *arguments, options=[*podmans, *processes(pod, "mount-proxy"), *pod.propagated(propagation("mount-proxy")), "-v", f"{pod.work}/mount-proxy:/run/mount-proxy"])


def ask(pod, sandbox, owner=None):
    arguments, podmans = service("unprivileged-secrets")
    return adjusted(arguments, sandbox, owner), [*podmans, *token(pod, 65534), "-v", f"{pod.work}/mount-proxy:/run/mount-proxy"]


@pytest.fixture
def unprivileged(pod, sandbox):
    start_mount_proxy(pod)
    arguments, podmans = ask(pod, sandbox)
    pod.start("sidecar", *arguments, options=[*podmans, *processes(pod, "unprivileged-secrets")])
    pod.wait_until("mount-proxy", "sstorefs --check /secrets/prod -o timeout=3 >/dev/null", user=65534)
    return pod


def test_an_application_beside_a_sidecar_without_privileges(unprivileged, sandbox):
    done = application(unprivileged, "echo val > /secrets/prod/NAME && sync /secrets/prod/NAME")
    assert done.returncode == 0, done.stderr
    assert sandbox.uploads() == [b"val"]


def test_it_runs_as_nobody_with_no_capability_on_a_read_only_root(unprivileged):
    status = unprivileged.exec("mount-proxy", "cat /proc/[0-9]*/status").stdout
    daemon = next(part for part in status.split("Name:") if part.strip().startswith("sstorefs\n"))
    assert set(re.findall(r"^Cap\w+:\s*(\w+)", daemon, re.MULTILINE)) == {"0" * 16}
    assert re.search(r"^Uid:\s*65534\s+65534\s+65534\s+65534$", daemon, re.MULTILINE)
    assert re.search(r"^NoNewPrivs:\s*1$", daemon, re.MULTILINE)
    assert "Read-only" in unprivileged.exec("sidecar", "touch /etc/written", options=["--user=0:0"]).stderr


def test_as_the_applications_user_it_tells_killed_writers(pod, sandbox):
    """The same user on both sides, and shared process numbers: promise 2 holds, and no capability is needed."""
    start_mount_proxy(pod)
    arguments, podmans = ask(pod, sandbox, owner="uid=65534")
    pod.start("sidecar", *arguments, options=[*podmans, *processes(pod, "unprivileged-secrets")])
    pod.wait_until("mount-proxy", "sstorefs --check /secrets/prod -o timeout=3 >/dev/null", user=65534)
    beside = ["--user=65534:65534", "--cap-drop=ALL", f"--pid=container:{pod.name('mount-proxy')}", *pod.propagated(propagation("application"))]
    pod.run("killed", "bash", "-c", "exec 3> /secrets/prod/HALF; echo half >&3; kill -9 $BASHPID", options=beside)
    done = pod.run("application", "bash", "-c", "echo val > /secrets/prod/NAME && sync /secrets/prod/NAME", options=beside)
    assert done.returncode == 0, done.stderr
    assert sandbox.uploads("HALF") == [] and sandbox.uploads("NAME") == [b"val"]


def test_sigterm_ends_it_after_draining(unprivileged, sandbox):
    sandbox.fault(operation="fastly.put_secret", hold="before")
    unprivileged.start("application", "sh", "-c", "echo val > /secrets/prod/NAME; sync /secrets/prod/NAME",
                       options=[*APPLICATION, *unprivileged.propagated(propagation("application"))])
    sandbox.wait_for_call("fastly.put_secret", state="held")
    unprivileged.signal("sidecar")
    sandbox.release()
    assert unprivileged.wait("sidecar") == 0
    assert sandbox.uploads() == [b"val"]
    after = application(unprivileged, "echo val > /secrets/prod/LATER", name="later")
    assert after.returncode != 0 and "Transport endpoint" in after.stderr, "mounted, and not answered"


def test_a_new_sidecar_gets_a_new_mount(unprivileged, sandbox):
    """Processes whose working directory is in the old one."""
    unprivileged.start("stands-in-it", "sh", "-c", "cd /secrets/prod && exec sleep 1d",
                       options=[*APPLICATION, *unprivileged.propagated(propagation("application"))])
    unprivileged.signal("sidecar", "KILL")
    assert unprivileged.wait("sidecar") != 0
    arguments, podmans = ask(unprivileged, sandbox)
    unprivileged.start("next", *arguments, options=[*podmans, *processes(unprivileged, "unprivileged-secrets")])
    unprivileged.wait_until("mount-proxy", "sstorefs --check /secrets/prod -o timeout=3 >/dev/null", user=65534)
    assert unprivileged.mounted() == ["fuse.sstorefs"]
    assert application(unprivileged, "echo val > /secrets/prod/NAME && sync /secrets/prod/NAME").returncode == 0
    assert sandbox.uploads() == [b"val"]


def test_the_end_of_the_mount_proxy_unmounts(unprivileged):
    unprivileged.signal("mount-proxy")
    assert unprivileged.wait("mount-proxy") == 0
    assert unprivileged.mounted() == []


def test_process_numbers_of_its_own_are_refused(pod, sandbox):
    """The kernel would tell it numbers of the mount proxy's namespace, and they would be taken for other processes."""
    start_mount_proxy(pod)
    arguments, podmans = ask(pod, sandbox)
    refused = pod.run("apart", *arguments, options=podmans)
    assert refused.returncode == 32 and "shareProcessNamespace" in refused.stderr
    assert pod.mounted() == []


def test_another_user_gets_no_mount(pod, sandbox):
    start_mount_proxy(pod)
    arguments, podmans = ask(pod, sandbox)
    podmans[podmans.index("65534:65534")] = "1000:1000"
    refused = pod.run("other", *arguments, options=[*podmans, *processes(pod, "unprivileged-secrets")])
    assert refused.returncode == 32 and "another user" in refused.stderr
    assert pod.mounted() == []
