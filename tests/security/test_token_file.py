"""Whose token it is, and that waiting for one stops nothing (SECURITY.md, "Users of this machine")."""

import os
import signal

import pytest
from mounting import mounts_at, run_program, wait_for_end
from neighbour import Neighbour
from private_mount import NOBODY, OTHER
from writers import write_file


def start(world, options=""):
    return run_program([world.program, "fastly:", world.mountpoint, "-o", world.options(options)], world.logs)


def test_a_token_file_of_another_user_is_refused(world):
    """He could put another token there at any time: values would go to his account, and secrets be written over in it."""
    world.token(owner=OTHER)
    refused = start(world)
    assert refused.returncode == 32 and mounts_at(world.mountpoint) == []
    assert refused.stderr.count("\n") == 1 and f"user {OTHER}" in refused.stderr and f"chown 0 {world.work}/token" in refused.stderr


def test_a_token_that_comes_to_belong_to_another_user_is_not_taken(world, sandbox):
    world.mount()
    (world.work / "token").write_text("another-token")
    os.chown(world.work / "token", OTHER, OTHER)
    world.process.send_signal(signal.SIGHUP)
    world.wait_for_log(f"belongs to user {OTHER}")
    write_file(world.mountpoint / "prod/NAME", b"val")
    assert sandbox.value("prod", "NAME") == b"val", "the old token is kept"


@pytest.mark.parametrize("owner, options", [(0, ""), (NOBODY, "user=nobody")], ids=["root", "who the daemon becomes"])
def test_a_token_file_of_who_is_trusted_is_taken(world, sandbox, owner, options):
    world.token(owner=owner)
    world.start([world.program, "fastly:", world.mountpoint, "-f", "-o", world.options(options)])
    assert world.unmount() == 0


def test_a_path_that_became_a_pipe_stops_nothing(world, sandbox):
    """Nobody writes to it, ever."""
    world.mount()
    (world.work / "token").unlink()
    os.mkfifo(world.work / "token", 0o600)
    world.process.send_signal(signal.SIGHUP)
    world.wait_for_log("is not a file")
    write_file(world.mountpoint / "prod/NAME", b"val")
    assert sandbox.value("prod", "NAME") == b"val"


@pytest.mark.parametrize("variable", ["FASTLY_API_TOKEN", "FASTLY_API_KEY"])
def test_who_waits_for_a_daemon_in_the_background_shows_no_token(world, sandbox, variable):
    """Nor does the daemon: neither needs it there."""
    sandbox.fault(operation="fastly.list_stores", hold="before")
    variables = {variable: world.service.token}
    parent = Neighbour(world.work, [world.program, "fastly:", world.mountpoint, "-o", world.service.options], "unused", user=0, **variables)
    try:
        sandbox.wait_for_call("fastly.list_stores", state="held")
        (child,) = [int(pid) for pid in open(f"/proc/{parent.process.pid}/task/{parent.process.pid}/children").read().split()]
        for pid in (parent.process.pid, child):
            environ = open(f"/proc/{pid}/environ", "rb").read()
            assert f"{variable}=".encode() in environ and world.service.token.encode() not in environ
    finally:
        parent.finish()
        sandbox.release()
    assert wait_for_end(child)
