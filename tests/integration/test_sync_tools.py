"""Programs that compare sizes and times before or after they write: they come to rest, and delete nothing."""

import contextlib
import os
import shutil
import socket
import subprocess

import paramiko
import pytest

from programs import shell
from services import SERVICES

SFTP_SERVER = "/usr/lib/openssh/sftp-server"
VALUES = {"ONE": b"one line\n", "TWO": b"two\nlines\n", "KEY": b"no newline"}
RCLONE = "rclone --config /dev/null --retries 1"


class Channel(socket.socket):
    """What paramiko's client takes for an SSH channel: a socket with OpenSSH's server at its other end."""

    @classmethod
    @contextlib.contextmanager
    def to_server(cls):
        ours, servers = socket.socketpair()
        server = subprocess.Popen([SFTP_SERVER], stdin=servers, stdout=servers)
        servers.close()
        try:
            with cls(fileno=ours.detach()) as channel:
                yield channel
        finally:
            server.kill()
            server.wait()

    def get_name(self):
        return "sftp"


@pytest.fixture(params=SERVICES)
def served(request, sandbox):
    return SERVICES[request.param]("direct", sandbox).make_store()


@pytest.fixture
def store(make_mount, served):
    mount = make_mount(served, source=served.source)
    served.sandbox.clear()
    return mount / served.store


@pytest.fixture
def source(tmp_path):
    """Files that were changed long ago, but for one that was changed just now."""
    source = tmp_path / "source"
    source.mkdir()
    for name, value in VALUES.items():
        (source / name).write_bytes(value)
        os.chmod(source / name, 0o600)
    os.utime(source / "ONE", ns=(1_577_836_800_123_456_789, 1_609_459_200_987_654_321))
    return source


def stored(value):
    """newline=auto."""
    return value[:-1] if value.count(b"\n") == 1 else value


def run(command, store, source, status=0):
    done = shell(command, cwd=source, STORE=store)
    assert done.returncode == status, done.stderr + done.stdout
    return done


def uploads(served):
    """How many values the service has taken since the last time."""
    seen = len(served.sandbox.uploads())
    served.sandbox.clear()
    return seen


def check_stored(served, names=VALUES):
    for name in names:
        assert served.value(served.store, name) == stored(VALUES[name])


@pytest.mark.parametrize("command", [
    'rsync -a --delete ./ "$STORE"', 'rsync -rt ./ "$STORE"', 'rsync -a --no-whole-file ./ "$STORE"', 'rsync -a --size-only ./ "$STORE"',
    'cp -u ONE TWO KEY "$STORE"', 'cp -pu ONE TWO KEY "$STORE"', 'cp -au . "$STORE"', f'{RCLONE} sync . "$STORE"', f'{RCLONE} copy . "$STORE"',
    'for name in ONE TWO KEY; do [ -s "$STORE/$name" ] || cat $name > "$STORE/$name"; done',
    f'for name in ONE TWO KEY; do {RCLONE} copyto $name "$STORE/$name"; done'])
def test_the_second_time_nothing_is_written(store, served, source, command):
    run(command, store, source)
    check_stored(served)
    assert uploads(served) == len(VALUES)
    run(command, store, source)
    assert uploads(served) == 0
    # What has changed is written, and that alone.
    (source / "TWO").write_bytes(b"two\nother lines\n")
    if "[ -s" in command:
        return
    run(command, store, source)
    assert served.sandbox.uploads() == [b"two\nother lines\n"]
    assert served.value(served.store, "ONE") == b"one line"


@pytest.mark.parametrize("command", ['rsync -a --delete ./ "$STORE"', f'{RCLONE} sync . "$STORE"'])
def test_what_another_client_changed_is_written_again(store, served, source, command):
    run(command, store, source)
    served.put(served.store, "TWO", b"from elsewhere", **{"created": 1.7e9} if served.name in ("stripe", "github") else {})
    (store.parent / ".sstorefs/refresh").write_text("x")
    uploads(served)
    run(command, store, source)
    assert served.sandbox.uploads() == [VALUES["TWO"]]


def test_rsync_deletes_what_is_not_there_any_more(store, served, source):
    run('rsync -a --delete ./ "$STORE"', store, source)
    (source / "ONE").unlink()
    run('rsync -a --delete ./ "$STORE"', store, source)
    assert sorted(os.listdir(store)) == ["KEY", "TWO"]


def test_rclone_with_its_defaults(store, served, source):
    """It deletes what it finds to be of another size than what it has sent."""
    run(f'{RCLONE} copyto ONE "$STORE/ONE" && {RCLONE} rcat "$STORE/TWO" < TWO', store, source)
    check_stored(served, ["ONE", "TWO"])
    run(f'{RCLONE} moveto KEY "$STORE/KEY"', store, source)
    assert not (source / "KEY").exists() and served.value(served.store, "KEY") == VALUES["KEY"]
    assert uploads(served) == 3
    (source / "KEY").write_bytes(VALUES["KEY"])
    assert "0 differences found" in run(f'{RCLONE} check --size-only . "$STORE"', store, source).stderr
    (source / "KEY").write_bytes(b"another length")
    assert "1 differences found" in run(f'{RCLONE} check --size-only . "$STORE"', store, source, status=1).stderr


def test_what_is_written_is_as_new_as_what_it_was_made_of_and_no_newer_than_what_comes_after(store, tmp_path):
    """To the nanosecond: the kernel gives finer times than a tick to files that were looked at."""
    for number in range(20):
        before, after = tmp_path / f"before{number}", tmp_path / f"after{number}"
        before.write_bytes(b"val")
        (store / "NAME").write_bytes(b"val")
        after.touch()
        assert before.stat().st_mtime_ns <= (store / "NAME").stat().st_mtime_ns <= after.stat().st_mtime_ns


def test_make_settles(store, served, source):
    """A secret as a target, and as what another target is made of."""
    (source / "Makefile").write_text("all: stamp\nstamp: $(STORE)/NAME\n\ttouch stamp\n$(STORE)/NAME: ONE\n\tcat ONE > $@\n")
    (source / "ONE").touch()
    run("make -s all && make -q all", store, source)
    assert uploads(served) == 1
    assert shell("make -q all", cwd=source, STORE=store).returncode == 0
    os.utime(source / "ONE", (2e9, 2e9))
    run("make -q all", store, source, status=1)


@pytest.mark.parametrize("command", ['find "$STORE" -empty -delete', 'find "$STORE" -type f -size 0 -delete'])
def test_an_empty_file_is_looked_for_and_none_is_found(store, served, source, command):
    """Of those that were written here, of others, and of one that is just being written."""
    served.put(served.store, "OLD", b"old")
    run('cat ONE > "$STORE/ONE"', store, source)
    run(f'exec 3> "$STORE/KEY"; {command}; cat KEY >&3; exec 3>&-', store, source)
    assert sorted(os.listdir(store)) == ["KEY", "OLD", "ONE"] and served.value(served.store, "KEY") == VALUES["KEY"]


def test_sftp_finds_what_it_has_put(store, served, source):
    """paramiko asks for the size, and raises if it is another one."""
    with Channel.to_server() as channel:
        client = paramiko.SFTPClient(channel)
        for name in VALUES:
            client.put(str(source / name), str(store / name), confirm=True)
            assert client.stat(str(store / name)).st_size == len(VALUES[name])
    check_stored(served)
    commands = "".join(f"put -p {source / name} {store / name}\n" for name in VALUES)
    done = subprocess.run(["sftp", "-b", "-", "-D", SFTP_SERVER], input=f"{commands}ls -l {store}\n", capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert [line.split()[4] for line in done.stdout.splitlines() if line.startswith("-")] == ["10", "9", "10"]
    assert os.stat(store / "ONE").st_mtime == 1_609_459_200


def test_programs_show_it(store, served, source):
    served.put(served.store, "OLD", b"some value")
    run('cp ONE "$STORE"', store, source)
    assert [line.split()[4] for line in run('ls -l "$STORE"', store, source).stdout.splitlines()[1:]] == ["1", "9"]
    assert run('stat -c %s "$STORE/ONE" "$STORE/OLD"', store, source).stdout.split() == ["9", "1"]
    assert run('du -b "$STORE/ONE" "$STORE/OLD"', store, source).stdout.split()[::2] == ["9", "1"]
    assert run('find "$STORE" -size -2c -type f -printf %f', store, source).stdout == "OLD"
    assert run("""node -e 'console.log(fs.statSync(process.env.STORE + "/ONE").size)'""", store, source).stdout == "9\n"
    for command in ('tar cf packed.tar "$STORE"', 'cp "$STORE/ONE" copy'):
        done = shell(command, cwd=source, STORE=store)
        assert done.returncode != 0 and "Permission denied" in done.stderr and "shrank" not in done.stderr


def test_node_copies_and_compares(store, served, source):
    run("""node -e 'const at = process.env.STORE + "/ONE"; fs.copyFileSync("ONE", at);
        if (fs.statSync(at).size !== fs.statSync("ONE").size) process.exit(1)'""", store, source)
    check_stored(served, ["ONE"])


def test_what_is_asked_for_is_there():
    for program in ("rclone", "rsync", "make", "node", "sftp", SFTP_SERVER):
        assert shutil.which(program), program
