"""
What ignores close(2): shells and tools that end with status 0 although the service has refused the value. `sync NAME` tells. It is the table of the man page
(WRITING); a program that begins to look at close belongs to CHECKS_CLOSE, and out of that table. And the command that reports it in itself: `dd conv=fsync`.
"""

import os
import subprocess

import pytest

from environment import Environment
from matrix import HERE, OLD, SERVICES
from programs import NODE_MODULES

pytestmark = pytest.mark.xdist_group("other programs")

# A directory of its own: `file` and `archive.zip`, `archive.tar`, which hold a file of the secret's name.
IGNORES_CLOSE = {
    "bash: echo": 'bash -c \'echo val > "$NAME"\'',
    "dash: echo": 'dash -c \'echo val > "$NAME"\'',
    "zsh: echo": 'zsh -f -c \'echo val > "$NAME"\'',
    "ksh: echo": 'ksh -c \'echo val > "$NAME"\'',
    "fish: echo": "fish -c 'echo val > $NAME'",
    "busybox: echo": 'busybox sh -c \'echo val > "$NAME"\'',
    "openssl rand -out": 'openssl rand -hex -out "$NAME" 8',
    "PHP: file_put_contents": "php -r 'file_put_contents(getenv(\"NAME\"), \"val\");'",
    "sed": 'sed -n p file > "$NAME"',
    "socat": 'socat -u OPEN:file CREATE:"$NAME"',
    "sqlite3: .output": 'sqlite3 :memory: ".output $NAME" "select 1"',
    "nvim": 'nvim --headless -n -u NONE -i NONE -c "set nobackup nowritebackup" -c "w! $NAME" -c q! file',
    "Rust: fs::copy, by uutils' install": '/usr/lib/cargo/bin/coreutils/install -m 664 file "$NAME"',
    "Rust: fs::write": 'VALUE=val rust-write "$NAME"',
    # It opens NAME, and then calls sync(2), which FUSE does not hear of.
    "echo && uutils sync": 'echo val > "$NAME" && /usr/lib/cargo/bin/coreutils/sync "$NAME"',
    "sync -f and sync": 'echo val > "$NAME" && sync -f "$NAME" && sync',
    "Tcl: puts": 'echo "set f [open $NAME w]; puts \\$f val; close \\$f" | tclsh',
    "lz4": 'lz4 -q -f -d file.lz4 "$NAME"',
}
# Those that delete what is there first: the secret is gone when the write is refused.
DELETE_FIRST = {
    "unzip -o": 'unzip -q -o archive.zip -d "$DIR"',
    "bsdtar x": 'bsdtar -x -f archive.tar -C "$DIR"',
    "Tcl: file copy": 'echo "file copy -force file $NAME" | tclsh',
    "busybox tar x": 'busybox tar -x -f archive.tar -C "$DIR"',
}
# Those that report it, and then delete what they could not copy: as after "rm NAME".
REPORTS_AND_DELETES = {
    "Node: fs.copyFile": 'node-copy fs file "$NAME"',
    "fs-extra: copy": 'node-copy fs-extra file "$NAME"',
    "rclone": 'rclone --config /dev/null --retries 1 --ignore-times copyto file "$NAME"',
}
# They print what their fsync says, end with status 0, and leave nothing to tell for a second one.
IGNORES_FSYNC = {"sftp: put -f": 'printf "put -f file %s\\n" "$NAME" | sftp -q -b - -D /usr/lib/openssh/sftp-server > /dev/null'}
CHECKS_CLOSE = {
    "dd conv=fsync": 'dd if=file of="$NAME" conv=fsync status=none',
    "cmd | dd conv=fsync": 'printf val | dd of="$NAME" conv=fsync status=none',
    "busybox: cmd | dd conv=fsync": 'printf val | busybox dd of="$NAME" conv=fsync',
    "echo && sync": 'echo val > "$NAME" && sync "$NAME"',
    "echo && busybox sync": 'echo val > "$NAME" && busybox sync "$NAME"',
    "uutils: cmd | dd conv=fsync": 'printf val | /usr/lib/cargo/bin/coreutils/dd of="$NAME" conv=fsync status=none',
    "cp": 'cp file "$NAME"',
    "tee": 'tee "$NAME" < file > /dev/null',
}
UUTILS_SYNC = {"echo && uutils sync -d": 'echo val > "$NAME" && /usr/lib/cargo/bin/coreutils/sync -d "$NAME"'}


def says(*command):
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return done.stdout + done.stderr


# Debian 12 has Neovim 0.7 and uutils 0.0.17, Debian 13 has 0.10, whose 'fsync' is on, and 0.0.30, which deletes the file first and misses it
# when it sets the mode.
if "nofsync" not in says("nvim", "--headless", "-n", "-u", "NONE", "-i", "NONE", "-c", "set fsync?", "-c", "q!"):
    IGNORES_FSYNC["nvim"] = IGNORES_CLOSE.pop("nvim")
UUTILS_INSTALL = "Rust: fs::copy, by uutils' install"
if "0.0.17" not in says("/usr/lib/cargo/bin/coreutils/install", "--version"):
    DELETE_FIRST[UUTILS_INSTALL] = IGNORES_CLOSE.pop(UUTILS_INSTALL)
ALL = IGNORES_CLOSE | IGNORES_FSYNC | UUTILS_SYNC | DELETE_FIRST | REPORTS_AND_DELETES | CHECKS_CLOSE


def named(way):
    return "SECRET_" + "".join(letter if letter.isalnum() else "_" for letter in way).upper()


@pytest.fixture(scope="session", params=SERVICES)
def close_environment(request, tmp_path_factory):
    environment = Environment(tmp_path_factory.mktemp(f"deaf_{request.param}"), request.param)
    environment.start([named(way) for way in ALL], OLD)
    for way in ALL:
        environment.fault(f"{named(way)}*", status=403, detail="not by you")
    yield environment
    environment.stop()


@pytest.fixture
def run(close_environment, tmp_path):
    def run(way):
        name = named(way)
        environment = {"PATH": f"{HERE}/programs:/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "HOME": str(tmp_path), "NODE_MODULES": str(NODE_MODULES), "DIR": str(close_environment.directory("good")),
                       "NAME": str(close_environment.directory("good") / name)}
        (tmp_path / "file").write_text("val\n")
        (tmp_path / name).write_text("val\n")
        for command in ("lz4 -q file file.lz4", f"zip -q archive.zip {name}", f"tar -c -f archive.tar {name}"):
            subprocess.run(command.split(), cwd=tmp_path, check=True, env=environment)
        done = subprocess.run(["sh", "-c", ALL[way]], cwd=tmp_path, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, env=environment)
        synced = subprocess.run(["sync", environment["NAME"]], capture_output=True, text=True, env=environment)
        return done, synced, close_environment.held(name), os.path.exists(environment["NAME"])
    return run


@pytest.mark.parametrize("way", IGNORES_CLOSE)
def test_it_ends_well_and_sync_tells(run, way):
    done, synced, held, _ = run(way)
    assert done.returncode == 0, done.stderr
    assert synced.returncode == 1 and "Permission denied" in synced.stderr
    assert held == OLD


@pytest.mark.parametrize("way", IGNORES_FSYNC)
def test_it_took_the_report_and_the_state_tells(run, close_environment, way):
    done, synced, held, _ = run(way)
    assert done.returncode == 0 and "ermission denied" in done.stderr
    assert synced.returncode == 0 and held == OLD
    assert os.getxattr(close_environment.directory("good") / named(way), "user.sstorefs.state") == b"failed"


def test_uutils_sync_drops_what_fdatasync_says(run):
    done, _, held, _ = run("echo && uutils sync -d")
    assert done.returncode == 0 and held == OLD


@pytest.mark.parametrize("way", DELETE_FIRST)
def test_it_ends_well_and_the_secret_is_gone(run, way):
    done, synced, held, there = run(way)
    assert done.returncode == 0 or way == UUTILS_INSTALL and "chmod failed" in done.stderr, done.stderr
    assert synced.returncode == 1 and held is None and not there


@pytest.mark.parametrize("way", REPORTS_AND_DELETES)
def test_it_tells_and_the_secret_is_gone(run, way):
    done, _, held, there = run(way)
    assert done.returncode != 0 and "ermission denied" in done.stderr
    assert held is None and not there


@pytest.mark.parametrize("way", CHECKS_CLOSE)
def test_it_tells_by_itself(run, way):
    done, _, held, _ = run(way)
    assert done.returncode != 0 and "ermission denied" in done.stderr
    assert held == OLD
