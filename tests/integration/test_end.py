"""How a mount ends (DESIGN 3, rule 20)."""

import os
import signal

import pytest

from mounting import mounts_at
from writers import start, write_file


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_unmounts(direct_mount, number):
    write_file(direct_mount / "prod/NAME", b"val")
    direct_mount.signal(number)
    assert direct_mount.wait() == 0
    assert mounts_at(direct_mount.path) == []


def test_a_signal_does_not_cut_an_upload_off(mount, sandbox):
    sandbox.fault(operation="fastly.put_secret", hold="before")
    writer = start("cp", "/etc/hostname", mount / "prod/NAME")
    sandbox.wait_for_call("fastly.put_secret", state="held")
    mount.signal(signal.SIGTERM)
    sandbox.release()
    assert writer.wait(30) == 0
    assert mount.wait() == 0
    assert len(sandbox.uploads()) == 1


def test_unmount_leaves_nothing(direct_mount):
    write_file(direct_mount / "prod/NAME", b"val")
    assert direct_mount.unmount() == 0
    assert mounts_at(direct_mount.path) == []
    assert os.listdir(direct_mount.path) == []


def test_fuse_unmount_by_fusermount(direct_mount):
    assert start("fusermount3", "-u", direct_mount.path).wait(30) == 0
    assert direct_mount.wait() == 0
