"""meson install, then mount(8) and its helper, on a machine with nothing running."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from systemd_container import TOP, Machine
from daemon import BUILD

pytestmark = pytest.mark.timeout(900)  # the package is built
MAN_PAGES = {"man1/sstorefs.1", "man1/sstorefs-sandbox.1", "man8/mount.fuse.sstorefs.8", "man8/sstorefs-mount-proxy.8"}


def options(sandbox, *more):
    return ",".join(["token_file=/etc/sstorefs/token", f"endpoint={sandbox.url}", f"signing_key={sandbox.signing_key}", *more])


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    machine = Machine("installed", tmp_path_factory.mktemp("installed"))
    try:
        yield machine.start().install()
    finally:
        machine.finish()


@pytest.fixture
def machine(installed, sandbox):
    installed.write("/etc/sstorefs/token", sandbox.token)
    installed.run("mkdir -p /mnt/secrets")
    yield installed
    installed.run("umount -l -a -t fuse.sstorefs", check=False)


# --- mount(8) and its helper --------------------------------------------------------------------------------------------------------


def test_the_short_name_of_the_type(machine, sandbox):
    machine.run(f"mount -t sstorefs fastly: /mnt/secrets -o {options(sandbox)}")
    assert machine.says("findmnt -no FSTYPE /mnt/secrets") == "fuse.sstorefs"
    machine.run("echo val > /mnt/secrets/prod/NAME && sync /mnt/secrets/prod/NAME && umount /mnt/secrets")
    assert sandbox.uploads() == [b"val"]


@pytest.mark.parametrize("flags", ["", "-v", "-n", "-s", "-v -n -s"])
def test_mount(machine, sandbox, flags):
    machine.run(f"mount {flags} -t fuse.sstorefs fastly: /mnt/secrets -o {options(sandbox)}")
    machine.run("echo val > /mnt/secrets/prod/NAME && sync /mnt/secrets/prod/NAME && umount /mnt/secrets")
    assert sandbox.uploads() == [b"val"]


def test_what_mount_and_fstab_add_is_taken(machine, sandbox):
    more = "rw,noauto,nofail,_netdev,nosuid,nodev,noexec,noatime,x-systemd.automount,x-systemd.idle-timeout=60,X-mount.mkdir"
    machine.run(f"mount -t fuse.sstorefs fastly:prod /mnt/secrets -o {options(sandbox)},{more} && umount /mnt/secrets")


def test_the_helper_needs_no_environment(machine, sandbox):
    machine.run(f"env -i /sbin/mount.fuse.sstorefs fastly:prod /mnt/secrets -v -n -s -o rw,{options(sandbox)} -t fuse.sstorefs")
    machine.run("echo val > /mnt/secrets/NAME && sync /mnt/secrets/NAME && umount /mnt/secrets")
    assert sandbox.uploads() == [b"val"]


def test_a_faked_mount_mounts_nothing_and_sends_nothing(machine, sandbox):
    """mount -f is not the daemon's -f."""
    machine.run(f"mount -f -n -t fuse.sstorefs fastly: /mnt/secrets -o {options(sandbox)}")
    assert machine.run("mountpoint -q /mnt/secrets", check=False).returncode != 0
    assert sandbox.calls() == []
    wrong = machine.run(f"mount -f -n -t fuse.sstorefs fastly: /mnt/absent -o {options(sandbox)}", check=False)
    assert wrong.returncode == 32 and "/mnt/absent" in wrong.stderr


def test_a_sloppy_mount_refuses_what_it_does_not_know(machine, sandbox):
    wrong = machine.run(f"mount -s -t fuse.sstorefs fastly: /mnt/secrets -o {options(sandbox)},allow_othr", check=False)
    assert wrong.returncode == 1 and "allow_othr" in wrong.stderr


def test_fusermount_unmounts_it(machine, sandbox):
    machine.run(f"mount -t fuse.sstorefs fastly: /mnt/secrets -o {options(sandbox)} && fusermount3 -u /mnt/secrets")
    assert machine.run("mountpoint -q /mnt/secrets", check=False).returncode != 0


def test_a_user_mounts_without_root(machine, sandbox):
    machine.run("id plain 2>/dev/null || useradd plain; install -d -o plain /mnt/plain; chmod 666 /dev/fuse")
    machine.run("install -m 600 -o plain /etc/sstorefs/token /mnt/plain-token")
    run = "setpriv --reuid=plain --regid=plain --clear-groups env -i "
    line = options(sandbox).replace("/etc/sstorefs/token", "/mnt/plain-token")
    mounted = machine.run(f"{run} /usr/local/bin/sstorefs fastly:prod /mnt/plain -o {line}")
    assert mounted.stderr == "", "what root could write below is root's to say"
    machine.run(f"{run} /bin/sh -c 'echo val > /mnt/plain/NAME && /bin/sync /mnt/plain/NAME && /bin/fusermount3 -u /mnt/plain'")
    assert sandbox.uploads() == [b"val"]
    machine.run("chattr +i /mnt/plain")
    refused = machine.run(f"{run} /usr/local/bin/sstorefs fastly:prod /mnt/plain -o {line}; status=$?; chattr -i /mnt/plain; exit $status", check=False)
    assert refused.returncode == 32 and "no write access" in refused.stderr, "sstorefs(1), CAVEATS"


def test_the_man_pages_can_be_read(machine):
    for page in MAN_PAGES:
        # Without tbl(1), where the page does not ask for it: as lintian does.
        read = machine.run(f"export LC_ALL=C.UTF-8; MANROFFSEQ= MANWIDTH=80 man --warnings -l /usr/local/share/man/{page} | col -bx")
        assert len(read.stdout) > 1000 and read.stderr == ""
        lines = [line for line in read.stdout.splitlines() if "fuse.sstorefs  token_file=" not in line]  # fstab(5) has no way to go on
        assert [line for line in lines if len(line) > 80] == []
        assert [line for line in lines if re.search(r"\w[-\N{HYPHEN}]$", line)] == [], "an option or a word is broken"


# --- to other machines --------------------------------------------------------------------------------------------------------------


def test_installed_somewhere_else_nothing_is_left_out_of_it(tmp_path):
    """What packagers do."""
    subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", tmp_path], check=True, capture_output=True)
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if not path.is_dir() or path.is_symlink()}
    assert {"usr/local/bin/sstorefs", "usr/local/sbin/sstorefs-mount-proxy", "sbin/mount.fuse.sstorefs", "sbin/mount.sstorefs",
            "usr/local/lib/systemd/system/sstorefs@.service", "usr/local/lib/systemd/system/sstorefs-mount-proxy@.service",
            "usr/local/lib/systemd/system/sstorefs-prepare@.service", "usr/local/lib/systemd/system/sstorefs-again@.service",
            "usr/local/lib/sysusers.d/sstorefs.conf", "usr/local/share/bash-completion/completions/sstorefs",
            "usr/local/share/zsh/site-functions/_sstorefs", "usr/local/share/fish/vendor_completions.d/sstorefs.fish"} <= files
    assert {f"usr/local/share/man/{page}" for page in MAN_PAGES} <= files
    assert (tmp_path / "sbin/mount.fuse.sstorefs").readlink().as_posix() == "/usr/local/bin/sstorefs"


@pytest.fixture
def place_of_nobody():
    """A directory that the user nobody owns and can reach: pytest's are root's alone."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def test_a_user_installs_below_the_home_directory_and_removes_it_again(archive, place_of_nobody):
    """Without root, as the README says."""
    tree, home = place_of_nobody / "tree", place_of_nobody / "home"
    shutil.copytree(archive, tree, symlinks=True)
    home.mkdir()
    for path in (place_of_nobody, *place_of_nobody.rglob("*")):
        os.chown(path, 65534, 65534, follow_symlinks=False)
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", f"HOME={home}", "CC=cc", "sh", "-ec"]

    def typed(command):
        done = subprocess.run([*user, command], cwd=tree, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    typed('meson setup build --prefix="$HOME/.local" -Dtests=false -Doptimization=0 && meson install -C build')
    assert typed('"$HOME/.local/bin/sstorefs" --version').startswith("sstorefs ")
    assert (home / ".local/sbin/mount.fuse.sstorefs").resolve() == home / ".local/bin/sstorefs"
    typed("ninja -C build uninstall")
    assert [path for path in (home / ".local").rglob("*") if not path.is_dir()] == []


def test_try_uses_what_it_has_built_also_where_another_is_installed(tmp_path):
    for layer in ("upper", "work"):
        (tmp_path / layer).mkdir()
    script = f"""
        mount -t overlay overlay -o lowerdir=/usr/sbin,upperdir={tmp_path}/upper,workdir={tmp_path}/work /usr/sbin
        for name in mount.fuse.sstorefs sstorefs; do
            printf '#!/bin/sh\necho another >&2\nexit 9\n' > /usr/sbin/$name
            chmod 755 /usr/sbin/$name
        done
        PATH=/usr/sbin:$PATH {TOP}/contrib/try.sh"""
    done = subprocess.run(["unshare", "-m", "sh", "-ec", script], env={**os.environ, "BUILD": str(BUILD)}, capture_output=True, text=True)
    assert done.returncode == 0 and "another" not in done.stderr, done.stdout + done.stderr


def test_try_leaves_it_mounted_and_says_how_to_end_it(tmp_path):
    script = f"""
        {TOP}/contrib/try.sh --service stripe --keep > {tmp_path}/printed || {{ cat {tmp_path}/printed; exit 1; }}
        end=$(tail -n 1 {tmp_path}/printed)
        echo val | dd of=$(echo "$end" | sed 's/^umount \\([^ ]*\\) .*/\\1/')/account/OTHER conv=fsync status=none
        eval "$end" """
    done = subprocess.run(["unshare", "-m", "sh", "-ec", script], env={**os.environ, "BUILD": str(BUILD)},
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
