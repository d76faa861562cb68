"""Root mounts where it was told to, and not where another user leads it (SECURITY.md, "The daemon's own privileges")."""

import os
import signal
import subprocess

import pytest
from mounting import BUILD, mounts_at, run_program
from private_mount import NOBODY, OTHER
from writers import write_file


@pytest.fixture
def home(world):
    """A directory of another user, who can change at any time what root finds below it."""
    home = world.work / "home"
    (home / "sub/mnt").mkdir(parents=True)
    for path in (home, home / "sub", home / "sub/mnt"):
        os.chown(path, OTHER, OTHER)
    world.mountpoint = home / "sub/mnt"
    return home


@pytest.fixture
def victim(world):
    """What that user may not touch: a directory, and something mounted in it."""
    victim = world.work / "etc"
    (victim / "mnt").mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "victim", victim / "mnt"], check=True)
    yield victim
    while mounts_at(victim / "mnt"):
        subprocess.run(["umount", "-l", victim / "mnt"], check=True)


def swap(home, victim):
    """In the place of the directory that root goes through, a link to where the user wants it."""
    (home / "sub").rename(home / "old")
    (home / "sub").symlink_to(victim)
    os.chown(home / "sub", OTHER, OTHER, follow_symlinks=False)


def start(world, sandbox, meanwhile):
    """Mounts, and does something while the service is waited for."""
    world.token()
    sandbox.fault(operation="fastly.list_stores", hold="before", times=1)

    def swap_and_release():
        sandbox.wait_for_call("fastly.list_stores", state="held")
        meanwhile()
        sandbox.release()

    return world.start([world.program, "fastly:", world.mountpoint, "-f", "-o", world.options()], meanwhile=swap_and_release)


def is_still_as_it_was(victim):
    return mounts_at(victim / "mnt") == ["tmpfs"] and mounts_at(victim) == []


def test_a_link_of_another_user_is_not_followed(world, home, victim):
    world.token()
    (home / "link").symlink_to(victim)
    os.chown(home / "link", OTHER, OTHER, follow_symlinks=False)
    refused = run_program([world.program, "fastly:", home / "link", "-o", world.options()], world.logs)
    assert is_still_as_it_was(victim)
    assert refused.returncode == 32 and refused.stderr.count("\n") == 1 and "'link' leads elsewhere" in refused.stderr


@pytest.mark.parametrize("path", ["home/link", "home/sub/../link", "home/link/mnt"])
def test_nor_does_the_opener_follow_it(world, home, victim, path):
    (home / "link").symlink_to(victim)
    opener = BUILD / "src/mount-proxy/sstorefs-mount-proxy"
    served = subprocess.Popen([opener, world.work / path, "-u", "nobody", "--listen", world.work / "socket"], stderr=subprocess.PIPE, text=True)
    try:
        assert served.wait(60) == 32 and is_still_as_it_was(victim)
    finally:
        served.kill()
        assert "that others than root can change" in served.stderr.read()
        served.wait()


def test_a_way_that_is_changed_meanwhile_leads_nowhere_else(world, sandbox, home, victim):
    start(world, sandbox, lambda: swap(home, victim))
    assert is_still_as_it_was(victim) and mounts_at(home / "old/mnt") == ["fuse.sstorefs"]
    write_file(home / "old/mnt/prod/NAME", b"val")
    assert sandbox.value("prod", "NAME") == b"val"
    world.mountpoint = home / "old/mnt"
    assert world.unmount() == 0


def test_the_end_takes_no_foreign_mount_away(world, sandbox, home, victim):
    world.mount()
    swap(home, victim)
    world.process.send_signal(signal.SIGTERM)
    assert world.wait() == 0
    assert is_still_as_it_was(victim) and mounts_at(home / "old/mnt") == []


def test_nor_does_the_replacement_of_a_dead_mount(world, sandbox, home, victim):
    world.mount()
    world.process.send_signal(signal.SIGKILL)
    world.wait()
    start(world, sandbox, lambda: swap(home, victim))
    assert is_still_as_it_was(victim) and mounts_at(home / "old/mnt") == ["fuse.sstorefs"]
    world.mountpoint = home / "old/mnt"
    assert world.unmount() == 0


def test_links_that_only_root_can_have_made_are_followed(world, sandbox):
    (world.work / "link").symlink_to(world.mountpoint)
    world.token()
    world.start([world.program, "fastly:", world.work / "link/.", "-f", "-o", world.options()])
    assert mounts_at(world.mountpoint) == ["fuse.sstorefs"]
    assert world.unmount() == 0


def test_who_is_not_root_may_use_links_of_his_own(world, sandbox, devices):
    """And of others: fusermount3 sees to it that he owns what he mounts on."""
    (world.work / "link").symlink_to(world.mountpoint)
    os.chown(world.work / "link", OTHER, OTHER, follow_symlinks=False)
    world.token(owner=NOBODY)
    os.chown(world.mountpoint, NOBODY, NOBODY)
    world.start([world.program, "fastly:", world.work / "link", "-f", "-o", world.options()], user=NOBODY)
    assert mounts_at(world.mountpoint) == ["fuse.sstorefs"]
    world.process.send_signal(signal.SIGTERM)
    assert world.wait() == 0 and mounts_at(world.mountpoint) == []
