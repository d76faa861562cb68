"""Root mounts at the given path, and not where another user leads it (SECURITY.md, "The daemon's own privileges")."""

import os
import signal
import subprocess

import pytest
from daemon import BUILD, mounts_at, run_program
from programs import write_file
from private_mount import NOBODY, OTHER


@pytest.fixture
def home(private_mount):
    """A directory of another user, who can change at any time what root finds below it."""
    home = private_mount.work / "home"
    (home / "sub/mnt").mkdir(parents=True)
    for path in (home, home / "sub", home / "sub/mnt"):
        os.chown(path, OTHER, OTHER)
    private_mount.mountpoint = home / "sub/mnt"
    return home


@pytest.fixture
def victim(private_mount):
    """What that user may not touch: a directory, and something mounted in it."""
    victim = private_mount.work / "etc"
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


def start(private_mount, sandbox, meanwhile):
    """Mounts, and does something while the service is waited for."""
    private_mount.token()
    sandbox.fault(operation="fastly.list_stores", hold="before", times=1)

    def swap_and_release():
        sandbox.wait_for_call("fastly.list_stores", state="held")
        meanwhile()
        sandbox.release()

    return private_mount.start([private_mount.program, "fastly:", private_mount.mountpoint, "-f", "-o", private_mount.options()], meanwhile=swap_and_release)


def is_still_as_it_was(victim):
    return mounts_at(victim / "mnt") == ["tmpfs"] and mounts_at(victim) == []


def test_a_link_of_another_user_is_not_followed(private_mount, home, victim):
    private_mount.token()
    (home / "link").symlink_to(victim)
    os.chown(home / "link", OTHER, OTHER, follow_symlinks=False)
    refused = run_program([private_mount.program, "fastly:", home / "link", "-o", private_mount.options()], private_mount.logs)
    assert is_still_as_it_was(victim)
    assert refused.returncode == 32 and refused.stderr.count("\n") == 1 and "'link' leads elsewhere" in refused.stderr


@pytest.mark.parametrize("path", ["home/link", "home/sub/../link", "home/link/mnt"])
def test_nor_does_the_opener_follow_it(private_mount, home, victim, path):
    (home / "link").symlink_to(victim)
    opener = BUILD / "src/mount-proxy/sstorefs-mount-proxy"
    served = subprocess.Popen([opener, private_mount.work / path, "-u", "nobody", "--listen", private_mount.work / "socket"], stderr=subprocess.PIPE, text=True)
    try:
        assert served.wait(60) == 32 and is_still_as_it_was(victim)
    finally:
        served.kill()
        assert "that others than root can change" in served.stderr.read()
        served.wait()


def test_a_way_that_is_changed_meanwhile_leads_nowhere_else(private_mount, sandbox, home, victim):
    start(private_mount, sandbox, lambda: swap(home, victim))
    assert is_still_as_it_was(victim) and mounts_at(home / "old/mnt") == ["fuse.sstorefs"]
    write_file(home / "old/mnt/prod/NAME", b"val")
    assert sandbox.value("prod", "NAME") == b"val"
    private_mount.mountpoint = home / "old/mnt"
    assert private_mount.unmount() == 0


def test_the_end_takes_no_foreign_mount_away(private_mount, sandbox, home, victim):
    private_mount.mount()
    swap(home, victim)
    private_mount.process.send_signal(signal.SIGTERM)
    assert private_mount.wait() == 0
    assert is_still_as_it_was(victim) and mounts_at(home / "old/mnt") == []


def test_nor_does_the_replacement_of_a_dead_mount(private_mount, sandbox, home, victim):
    private_mount.mount()
    private_mount.process.send_signal(signal.SIGKILL)
    private_mount.wait()
    start(private_mount, sandbox, lambda: swap(home, victim))
    assert is_still_as_it_was(victim) and mounts_at(home / "old/mnt") == ["fuse.sstorefs"]
    private_mount.mountpoint = home / "old/mnt"
    assert private_mount.unmount() == 0


def test_links_that_only_root_can_have_made_are_followed(private_mount, sandbox):
    (private_mount.work / "link").symlink_to(private_mount.mountpoint)
    private_mount.token()
    private_mount.start([private_mount.program, "fastly:", private_mount.work / "link/.", "-f", "-o", private_mount.options()])
    assert mounts_at(private_mount.mountpoint) == ["fuse.sstorefs"]
    assert private_mount.unmount() == 0


def test_users_other_than_root_may_use_their_own_links(private_mount, sandbox, devices):
    """And of others: fusermount3 checks that the user owns the mountpoint."""
    (private_mount.work / "link").symlink_to(private_mount.mountpoint)
    os.chown(private_mount.work / "link", OTHER, OTHER, follow_symlinks=False)
    private_mount.token(owner=NOBODY)
    os.chown(private_mount.mountpoint, NOBODY, NOBODY)
    private_mount.start([private_mount.program, "fastly:", private_mount.work / "link", "-f", "-o", private_mount.options()], user=NOBODY)
    assert mounts_at(private_mount.mountpoint) == ["fuse.sstorefs"]
    private_mount.process.send_signal(signal.SIGTERM)
    assert private_mount.wait() == 0 and mounts_at(private_mount.mountpoint) == []
