"""Whose token it is, and that waiting for one stops nothing (SECURITY.md, "Users of this machine")."""

import os
import signal

import pytest
from daemon import mounts_at, run_program, wait_for_end
from programs import write_file
from neighbour import Neighbour
from private_mount import NOBODY, OTHER


def start(private_mount, options=""):
    return run_program([private_mount.program, "fastly:", private_mount.mountpoint, "-o", private_mount.options(options)], private_mount.logs)


def test_a_token_file_of_another_user_is_refused(private_mount):
    """The owner could put another token there at any time: values would go to that owner's account, and secrets be overwritten in it."""
    private_mount.token(owner=OTHER)
    refused = start(private_mount)
    assert refused.returncode == 32 and mounts_at(private_mount.mountpoint) == []
    assert refused.stderr.count("\n") == 1 and f"user {OTHER}" in refused.stderr and f"chown 0 {private_mount.work}/token" in refused.stderr


def test_a_token_that_comes_to_belong_to_another_user_is_not_taken(private_mount, sandbox):
    private_mount.mount()
    (private_mount.work / "token").write_text("another-token")
    os.chown(private_mount.work / "token", OTHER, OTHER)
    private_mount.process.send_signal(signal.SIGHUP)
    private_mount.wait_for_log(f"belongs to user {OTHER}")
    write_file(private_mount.mountpoint / "prod/NAME", b"val")
    assert sandbox.value("prod", "NAME") == b"val", "the old token is kept"


@pytest.mark.parametrize("owner, options", [(0, ""), (NOBODY, "user=nobody")], ids=["root", "who the daemon becomes"])
def test_a_token_file_of_a_trusted_owner_is_taken(private_mount, sandbox, owner, options):
    private_mount.token(owner=owner)
    private_mount.start([private_mount.program, "fastly:", private_mount.mountpoint, "-f", "-o", private_mount.options(options)])
    assert private_mount.unmount() == 0


def test_a_path_that_became_a_pipe_stops_nothing(private_mount, sandbox):
    """Nobody writes to it, ever."""
    private_mount.mount()
    (private_mount.work / "token").unlink()
    os.mkfifo(private_mount.work / "token", 0o600)
    private_mount.process.send_signal(signal.SIGHUP)
    private_mount.wait_for_log("is not a file")
    write_file(private_mount.mountpoint / "prod/NAME", b"val")
    assert sandbox.value("prod", "NAME") == b"val"


@pytest.mark.parametrize("variable", ["FASTLY_API_TOKEN", "FASTLY_API_KEY"])
def test_a_process_that_waits_for_the_daemon_shows_no_token(private_mount, sandbox, variable):
    """Nor does the daemon: neither needs it there."""
    sandbox.fault(operation="fastly.list_stores", hold="before")
    variables = {variable: private_mount.service.token}
    parent = Neighbour(private_mount.work, [private_mount.program, "fastly:", private_mount.mountpoint, "-o", private_mount.service.options], "unused", user=0, **variables)
    try:
        sandbox.wait_for_call("fastly.list_stores", state="held")
        (child,) = [int(pid) for pid in open(f"/proc/{parent.process.pid}/task/{parent.process.pid}/children").read().split()]
        for pid in (parent.process.pid, child):
            environ = open(f"/proc/{pid}/environ", "rb").read()
            assert f"{variable}=".encode() in environ and private_mount.service.token.encode() not in environ
    finally:
        parent.finish()
        sandbox.release()
    assert wait_for_end(child)
