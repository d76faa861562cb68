"""What the first screen of the manual promises, through mount(8)."""

import os
import subprocess

import pytest

from daemon import PROGRAM, daemon_at, environment, mounts_at, run_program, wait_for_end
from programs import shell
from services import Fastly


@pytest.fixture
def place(tmp_path, service):
    """A directory to mount on, with the options for mount(8); unmounted at the end, and the daemon's end awaited."""
    mountpoint = tmp_path / "mnt"
    mountpoint.mkdir()
    token = tmp_path / "token"
    token.write_text(service.token)
    token.chmod(0o600)
    service.mountpoint, service.mount_options = mountpoint, f"token_file={token},{service.options}"
    yield service
    daemon = daemon_at(mountpoint)
    service.sandbox.clear_faults()
    while mounts_at(mountpoint):
        subprocess.run(["umount", mountpoint], check=True)
    assert daemon is None or wait_for_end(daemon), "the daemon did not end"
    assert not list(tmp_path.glob("sanitizer.*"))


def mount_words(place, *more, options=""):
    return ["mount", "-t", "fuse.sstorefs", *more, "fastly:", place.mountpoint, "-o",
            place.mount_options + (options and f",{options}")]


def test_mount_write_and_describe(place, sandbox, tmp_path):
    """mount, mkdir, echo, getfattr: one PUT, sealed, exactly `val`."""
    mounted = run_program(mount_words(place), tmp_path)
    assert (mounted.returncode, mounted.stdout) == (0, "")
    assert [line for line in mounted.stderr.splitlines() if "root can write into" not in line] == []
    assert mounts_at(place.mountpoint) == ["fuse.sstorefs"]
    done = shell("mkdir store && echo val > store/NAME && getfattr -d store/NAME", cwd=place.mountpoint)
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("user.digest", "user.created_at", "user.expires_at"):
        assert f"{name}=" in done.stdout
    assert 'user.expires_at="never"' in done.stdout
    (upload,) = sandbox.upload_records()
    assert (upload["store"], upload["name"], upload["sealed"], upload["mode"]) == ("store", "NAME", True, "either")
    assert sandbox.uploads() == [b"val"]
    assert len(sandbox.calls(operation="fastly.put_secret")) == 1


def test_it_returns_only_when_the_service_has_answered(place, sandbox, tmp_path):
    sandbox.fault(operation="fastly.list_stores", hold="before")
    mounting = subprocess.Popen([str(word) for word in mount_words(place)], env=environment(tmp_path), cwd=tmp_path)
    sandbox.wait_for_call("fastly.list_stores", state="held")
    assert mounting.poll() is None
    assert mounts_at(place.mountpoint) == []
    sandbox.release()
    assert mounting.wait(30) == 0
    assert mounts_at(place.mountpoint) == ["fuse.sstorefs"]


def test_what_mount_and_fstab_add_is_taken(place, tmp_path):
    added = "rw,dev,suid,exec,relatime,_netdev,nofail,noauto,user,x-systemd.automount,x-what.ever=1"
    mounted = run_program(mount_words(place, "-v", "-n", "-s", options=added), tmp_path)
    assert mounted.returncode == 0, mounted.stderr
    with open("/proc/self/mounts") as mounts:
        (line,) = [line.split() for line in mounts if line.split()[1] == str(place.mountpoint)]
    assert line[0] == "fastly:"
    assert {"nosuid", "nodev", "noexec", "rw"} <= set(line[3].split(","))


def test_sstorefs_itself_does_the_same_and_stays_in_the_background(place, sandbox, tmp_path):
    arguments = [PROGRAM, "fastly:", place.mountpoint, "-o", place.mount_options]
    mounted = run_program(arguments, tmp_path)
    assert (mounted.returncode, mounted.stdout) == (0, "")
    assert [line for line in mounted.stderr.splitlines() if "root can write into" not in line] == []
    assert os.listdir(place.mountpoint) == ["prod"]
    daemon = daemon_at(place.mountpoint)
    assert os.getsid(daemon) != os.getsid(0), "it must not die with our terminal"
    subprocess.run(["umount", place.mountpoint], check=True)
    assert wait_for_end(daemon)


def test_a_relative_mountpoint(place, tmp_path):
    mounted = run_program([PROGRAM, "fastly:", "mnt", "-o", place.mount_options], tmp_path)
    assert mounted.returncode == 0, mounted.stderr
    assert mounts_at(place.mountpoint) == ["fuse.sstorefs"]


def test_a_mount_whose_daemon_was_killed_is_replaced(place, tmp_path):
    assert run_program(mount_words(place), tmp_path).returncode == 0
    daemon = daemon_at(place.mountpoint)
    os.kill(daemon, 9)
    assert wait_for_end(daemon)
    with pytest.raises(OSError):
        os.listdir(place.mountpoint)
    again = run_program(mount_words(place), tmp_path)
    assert again.returncode == 0, again.stderr
    assert os.listdir(place.mountpoint) == ["prod"]
    assert mounts_at(place.mountpoint) == ["fuse.sstorefs"]


def test_one_store_can_be_mounted(make_mount, service, sandbox):
    sandbox.put("prod", "ONE", b"1")
    mount = make_mount(service, source="fastly:prod")
    assert os.listdir(mount.path) == ["ONE"]
    assert shell('echo val > "$DIR/NAME"', DIR=mount.path).returncode == 0
    assert sandbox.value("prod", "NAME") == b"val"


def test_over_nginx_it_is_tls_and_http2(make_mount, front, sandbox, tmp_path):
    """Or the whole other half of these tests would say nothing about HTTP/2."""
    mount = make_mount(Fastly("nginx", sandbox, front.url, front.cacert))
    (mount / "prod/NAME").write_text("val\n")
    for call in sandbox.calls():
        assert call["headers"]["x-front-protocol"] == "HTTP/2.0"
        assert call["headers"]["x-front-tls"] == "TLSv1.3"
