"""The daemon has the privileges it needs and no others (SECURITY.md, "The daemon's own privileges")."""

import errno
import json
import os
import signal
import subprocess

import pytest
from daemon import mounts_at, run_program, wait_for_end
from programs import errno_of, write_file
from memory_scan import Marked, messages, wait_until_gone
from private_mount import NOBODY, OTHER, as_user, daemons_of, state_of

CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapAmb")


def test_root_gains_no_new_privileges(private_mount):
    private_mount.mount()
    assert state_of(private_mount.process.pid)["NoNewPrivs"] == "1"
    assert private_mount.unmount() == 0


def test_without_root_it_can_still_unmount(private_mount, devices):
    """For which it takes fusermount3, which another process runs: the daemon itself gains nothing any more."""
    private_mount.mount(user=NOBODY)
    assert state_of(private_mount.process.pid)["NoNewPrivs"] == "1"
    private_mount.process.send_signal(signal.SIGTERM)
    assert private_mount.wait() == 0
    assert mounts_at(private_mount.mountpoint) == [] and "unmounted" not in private_mount.log()


def test_without_root_it_says_when_it_cannot_unmount(private_mount, devices):
    """Which libfuse does not."""
    private_mount.mount(user=NOBODY)
    subprocess.run(["mount", "--bind", "/bin/false", "/usr/bin/fusermount3"], check=True)
    try:
        private_mount.process.send_signal(signal.SIGTERM)
        assert private_mount.wait() == 0, "nothing was lost"
    finally:
        subprocess.run(["umount", "/usr/bin/fusermount3"], check=True)
    assert mounts_at(private_mount.mountpoint) and f"{private_mount.mountpoint} could not be unmounted" in private_mount.log()


def test_on_a_descriptor_there_is_nothing_to_gain(private_mount, sandbox):
    private_mount.mount_descriptor(user=NOBODY)
    state = state_of(private_mount.process.pid)
    assert state["NoNewPrivs"] == "1" and state["Uid"].split() == [str(NOBODY)] * 4
    assert {state[name] for name in CAPABILITIES} == {"0" * 16}
    private_mount.process.send_signal(signal.SIGTERM)
    assert private_mount.wait() == 0
    assert private_mount.visit(NOBODY)["look"] == "ENOTCONN", "it is the mount proxy's to unmount"


def test_mount_fuse3_with_drop_privileges(private_mount, sandbox):
    """Nothing of it ever runs as root, and the mount is that user's."""
    private_mount.token(owner=NOBODY)
    arguments = ["mount", "-t", "fuse3", f"{private_mount.program}#fastly:", private_mount.mountpoint, "-o",
             private_mount.options("setuid=nobody,drop_privileges,timeout=5")]
    done = run_program(arguments, private_mount.work)
    assert done.returncode == 0, done.stderr
    (daemon,) = daemons_of(private_mount.program)
    state = state_of(daemon)
    assert state["Uid"].split() == [str(NOBODY)] * 4 and state["NoNewPrivs"] == "1"
    assert {state[name] for name in CAPABILITIES} == {"0" * 16}
    outcomes = private_mount.visit(NOBODY)
    assert outcomes["look"] == outcomes["create"] == "done"
    assert private_mount.visit(0)["look"] == "EACCES"
    subprocess.run(["umount", private_mount.mountpoint], check=True)
    assert wait_for_end(daemon)


# user=


@pytest.fixture
def dropped(private_mount, sandbox):
    sandbox.put("prod", "OLD", b"old value")
    return private_mount.mount("user=nobody,allow_other,uid=12345")


def test_user_keeps_no_privilege_at_all(dropped):
    state = state_of(dropped.process.pid)
    assert state["Uid"].split() == state["Gid"].split() == [str(NOBODY)] * 4
    assert state["Groups"].split() in ([], [str(NOBODY)])
    assert {state[name] for name in CAPABILITIES} == {"0" * 16}
    assert state["NoNewPrivs"] == "1"


def test_user_can_be_looked_into_by_root_alone(dropped):
    """A change of identity could have made it dumpable again."""
    assert os.stat(f"/proc/{dropped.process.pid}/fd").st_uid == 0
    lookup_done = subprocess.run(["cat", f"/proc/{dropped.process.pid}/maps"], capture_output=True, **as_user(NOBODY))
    assert lookup_done.returncode != 0


def test_user_writes_and_wipes_as_root_would(dropped, sandbox):
    value = Marked(4000)
    write_file(dropped.mountpoint / "prod/NAME", value.bytes)
    assert sandbox.value("prod", "NAME") == value.bytes
    assert dropped.visit(OTHER)["create"] == "done"
    assert dropped.visit(NOBODY)["list"] == "EACCES", "whom the daemon runs as has no more rights in the mount"
    wait_until_gone(dropped.process.pid, dropped.mountpoint, value)


def test_user_can_lock_what_it_believes_it_can(dropped):
    """Root locks as much as it likes, and another user only up to the limit: what `status` says can be held, can be."""
    room = json.loads((dropped.mountpoint / ".sstorefs/status").read_text())["locked_bytes_max"]
    with open(f"/proc/{dropped.process.pid}/limits") as limits:
        (limit,) = [int(line.split()[3]) for line in limits if line.startswith("Max locked memory")]
    assert room <= limit
    descriptors = []
    for number in range(room // 65536 * 9 // 10):
        descriptors.append(os.open(dropped.mountpoint / f"prod/N{number}", os.O_WRONLY | os.O_CREAT, 0o600))
        assert os.write(descriptors[-1], b"x" * 65536) == 65536
    assert int(state_of(dropped.process.pid)["VmLck"].split()[0]) >= len(descriptors) * 64
    for number, descriptor in enumerate(descriptors):
        os.unlink(dropped.mountpoint / f"prod/N{number}")
        os.close(descriptor)


def test_umount_ends_it(dropped, sandbox):
    assert dropped.unmount() == 0
    assert mounts_at(dropped.mountpoint) == []


def test_a_signal_ends_it_and_leaves_a_mount_that_takes_nothing(dropped):
    """It can't unmount. Better so than an empty directory, which would take secrets in clear text."""
    dropped.process.send_signal(signal.SIGTERM)
    assert dropped.wait() == 0
    assert "until root unmounts it" in dropped.log()
    assert errno_of(write_file, dropped.mountpoint / "NAME", b"val") == errno.ENOTCONN


def test_root_mounts_anew_over_what_was_left(dropped, sandbox):
    dropped.process.send_signal(signal.SIGKILL)
    dropped.wait()
    dropped.mount("user=nobody")
    assert mounts_at(dropped.mountpoint) == ["fuse.sstorefs"]
    write_file(dropped.mountpoint / "prod/NAME", b"val")
    assert sandbox.value("prod", "NAME") == b"val"


def test_a_token_that_user_can_read_is_read_again(private_mount, sandbox):
    private_mount.token(group=NOBODY, mode=0o640)
    private_mount.start([private_mount.program, "fastly:", private_mount.mountpoint, "-f", "-o", private_mount.options("user=nobody")])
    (private_mount.work / "token").write_text("next-token")
    sandbox.tokens("next-token")
    write_file(private_mount.mountpoint / "prod/NAME", b"val")
    assert sandbox.value("prod", "NAME") == b"val"


def test_a_token_that_user_cannot_read_is_reported(dropped):
    assert f"nobody can't read {dropped.work}/token" in dropped.log()


def test_a_ca_file_that_user_cannot_read_fails_the_mount(private_mount, front):
    private_mount.token()
    arguments = [private_mount.program, "fastly:", private_mount.mountpoint, "-o",
             f"token_file={private_mount.work}/token,endpoint={front.url},cacert={front.cacert},user=nobody"]
    refused = run_program(arguments, private_mount.work)
    assert refused.returncode == 32 and str(front.cacert) in refused.stderr and refused.stderr.count("\n") == 1
    assert mounts_at(private_mount.mountpoint) == []


def test_only_root_becomes_another_user(private_mount):
    private_mount.token(owner=NOBODY)
    refused = subprocess.run([private_mount.program, "fastly:", private_mount.mountpoint, "-o", private_mount.options("user=root")], capture_output=True,
                             text=True, **as_user(NOBODY))
    assert refused.returncode == 1 and "only root" in refused.stderr


@pytest.mark.parametrize("option", ["user", "user=root", "users"])
def test_what_mount_says_of_users_changes_nothing(private_mount, option):
    private_mount.mount(option)
    assert state_of(private_mount.process.pid)["Uid"].split() == ["0"] * 4
    assert private_mount.unmount() == 0


def test_mount_passes_user_on(private_mount, sandbox):
    """mount(8) has an option of that name for itself."""
    private_mount.token()
    done = run_program(["mount", "-t", "fuse.sstorefs", "fastly:", private_mount.mountpoint, "-o", private_mount.options("user=nobody")], private_mount.work)
    assert done.returncode == 0, done.stderr
    program = os.readlink("/usr/local/sbin/sstorefs")
    (daemon,) = daemons_of(program, private_mount.mountpoint)
    assert state_of(daemon)["Uid"].split() == [str(NOBODY)] * 4
    subprocess.run(["umount", private_mount.mountpoint], check=True)
    assert wait_for_end(daemon)


def test_the_environments_token_is_overwritten(make_mount, direct):
    class Bare:
        source, token, options, sandbox = direct.source, "", f"endpoint={direct.url},signing_key={direct.sandbox.signing_key}", direct.sandbox
    mount = make_mount(Bare, start=False, FASTLY_API_TOKEN=direct.token)
    mount.options = Bare.options
    mount.start()
    with open(f"/proc/{mount.pid}/environ", "rb") as environ:
        seen = environ.read()
    assert b"FASTLY_API_TOKEN=" in seen and direct.token.encode() not in seen
    assert direct.token.encode() not in messages(mount)
