"""
Writers whose processes the daemon can't see in /proc: in another PID namespace, behind hidepid, of another user (doc/semantics.md, rule 7). What whole writers do is
stored as everywhere, once and when they close; that a writer was killed can't be seen, and a message says so.
"""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from daemon import OF_ANOTHER_USER, Mount
from programs import PYTHON, shell, start
from waiting import PROGRAM_TIMEOUT

NOBODY = 65534
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
OTHER_NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child"]
WITH_FULL_CORES = ["sh", "-c", 'echo 0x33 > /proc/self/coredump_filter; exec "$@"', "sh"]
KILLED = 'exec 3> "$NAME"; printf half >&3; kill -KILL $$'


def started(request, tmp_path, direct, options="", before=()):
    mount = Mount(tmp_path, direct, options=options, before=before, **(OF_ANOTHER_USER if "user=" in options else {}))
    request.node.mounts = [mount]
    return mount.start()


@pytest.fixture
def hidden_processes():
    """As hidepid=2 in /etc/fstab: another instance of /proc, in our mount namespace alone."""
    subprocess.run(["mount", "-t", "proc", "-o", "hidepid=invisible", "proc", "/proc"], check=True)
    yield
    subprocess.run(["umount", "-l", "/proc"], check=True)


def in_another_namespace(request, tmp_path, direct):
    return started(request, tmp_path, direct, before=OTHER_NAMESPACE)


def of_another_user(request, tmp_path, direct):
    return started(request, tmp_path, direct, "user=nobody")


def behind_hidepid(request, tmp_path, direct):
    request.getfixturevalue("hidden_processes")
    return of_another_user(request, tmp_path, direct)


@pytest.fixture(params=[in_another_namespace, of_another_user, behind_hidepid], ids=lambda begin: begin.__name__)
def blind_mount(request, tmp_path, direct):
    """Its daemon can't see the processes of this test."""
    mount = request.param(request, tmp_path, direct)
    yield mount
    direct.sandbox.clear_faults()
    mount.finish()


def can_tell(mount):
    return json.loads(mount.control("status"))["writers_can_be_told_apart"]


WHOLE = {
    'echo val > "$NAME"': b"val",
    'printf "%s\\n" a b > "$NAME"': b"a\nb\n",
    'cat > "$NAME" <<END\na\nb\nEND': b"a\nb\n",
    '{ echo a; echo b; } > "$NAME"': b"a\nb\n",
    '{ echo a; /bin/true; echo b; } > "$NAME"': b"a\nb\n",
    '( echo a; echo b ) > "$NAME"': b"a\nb\n",
    'cp /etc/hostname "$NAME"': None,
    'cat /etc/hostname > "$NAME"': None,
    'tee "$NAME" < /etc/hostname > /dev/null': None,
    'dd if=/etc/hostname of="$NAME" bs=1 conv=fsync status=none': None,
}


@pytest.mark.parametrize("which", ["bash", "dash"])
def test_what_is_whole_is_stored_once_at_its_close(blind_mount, sandbox, which):
    for number, (command, value) in enumerate(WHOLE.items()):
        done = shell(command, which, NAME=blind_mount / f"prod/NAME{number}")
        assert (done.returncode, done.stderr) == (0, ""), command
        if value is None:
            with open("/etc/hostname", "rb") as file:
                value = file.read().rstrip(b"\n")
        assert sandbox.uploads(f"NAME{number}") == [value], command


def test_its_close_tells_what_became_of_it(blind_mount, sandbox):
    sandbox.fault(operation="fastly.put_secret", status=403)
    refused = shell('cp /etc/hostname "$NAME"', NAME=blind_mount / "prod/NAME")
    assert refused.returncode == 1 and "Permission denied" in refused.stderr
    assert not (blind_mount / "prod/NAME").exists()


def test_a_signal_ends_no_upload(blind_mount, sandbox):
    """It may be one that can wait, and a shell does not look at what close returns."""
    name = blind_mount / "prod/NAME"
    sandbox.fault(operation="fastly.put_secret", hold="before", times=1)
    writer = start("bash", "-c", 'trap : WINCH; echo val > "$NAME"', NAME=name)
    sandbox.wait_for_call("fastly.put_secret", state="held")
    writer.send_signal(signal.SIGWINCH)
    blind_mount.control("status")
    sandbox.release()
    assert writer.wait(PROGRAM_TIMEOUT) == 0
    assert shell('sync "$NAME"', NAME=name).returncode == 0
    assert sandbox.uploads() == [b"val"]
    assert "not known" not in blind_mount.control("errors")


@pytest.mark.parametrize("which", ["bash", "dash"])
def test_a_shell_that_flushes_after_each_command_sends_what_there_is(blind_mount, sandbox, which):
    """Every FLUSH of the writer publishes: in the end the service has all of it."""
    done = shell('exec 3> "$NAME"; echo a >&3; echo b >&3; exec 3>&-', which, NAME=blind_mount / "prod/NAME")
    assert (done.returncode, done.stderr) == (0, "")
    uploads = sandbox.uploads("NAME")
    assert uploads[-1] == b"a\nb\n" and set(uploads) <= {b"a", b"a\nb\n"}


def test_a_child_that_ends_early_publishes_nothing(blind_mount, sandbox):
    """It flushes what it has inherited, but is not the one who writes."""
    writer = subprocess.Popen([PYTHON, "-c", """if True:
        import os, sys
        descriptor = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(descriptor, b"half")
        if os.fork() == 0:
            os._exit(0)
        os.wait()
        print("child", flush=True)
        sys.stdin.readline()
        os.write(descriptor, b" and half")
        os.close(descriptor)
        """, blind_mount / "prod/NAME"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert writer.stdout.readline() == "child\n"
    assert sandbox.calls(operation="fastly.put_secret") == []
    writer.communicate("\n")
    assert writer.returncode == 0
    assert sandbox.uploads() == [b"half and half"]


def test_what_two_have_written_waits_until_both_have_closed_it(blind_mount, sandbox):
    """The writer cannot be determined: it is published with the last descriptor, and only errors and sync tell the outcome."""
    writer = subprocess.Popen([PYTHON, "-c", """if True:
        import os, sys
        descriptor = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o600)
        (written, has_written), (end, may_end) = os.pipe(), os.pipe()
        if os.fork() == 0:
            os.write(descriptor, b"half")
            os.write(has_written, b".")
            os.read(end, 1)
            os._exit(0)
        os.read(written, 1)
        os.write(descriptor, b" and half")
        os.write(may_end, b".")
        os.wait()
        print("child", flush=True)
        sys.stdin.readline()
        os.close(descriptor)
        """, blind_mount / "prod/NAME"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert writer.stdout.readline() == "child\n"
    assert sandbox.calls(operation="fastly.put_secret") == []
    writer.communicate("\n")
    sandbox.wait_for_call("fastly.put_secret", state="answered", timeout=60)
    assert sandbox.uploads() == [b"half and half"]


def test_a_killed_writer_is_not_noticed_and_a_message_says_so(blind_mount, sandbox):
    """The man page's caveat: if this no longer holds, it has to change."""
    for number in range(3):
        assert shell(KILLED, NAME=blind_mount / f"prod/NAME{number}").returncode == -signal.SIGKILL
        sandbox.wait_for_calls(number + 1, operation="fastly.put_secret", state="answered", timeout=60)
    assert sandbox.uploads() == [b"half"] * 3
    assert not can_tell(blind_mount)
    notes = [line for line in blind_mount.log().splitlines() if "killed half-way" in line]
    assert len(notes) == 1 and "CAVEATS in sstorefs(1)" in notes[0]


def test_a_daemon_of_the_writers_user_can_tell(request, tmp_path, direct, sandbox):
    """It needs no privilege for that."""
    mount = started(request, tmp_path, direct, f"user=nobody,allow_other,uid={NOBODY},gid={NOBODY}")
    writer = [*AS_NOBODY, "sh", "-c"]
    done = subprocess.run([*writer, "exec 3> NAME; printf half >&3; kill -KILL $$"], cwd=mount / "prod", timeout=60)
    assert done.returncode == -signal.SIGKILL
    subprocess.run([*writer, "{ echo a; /bin/true; echo b; } > NAME"], cwd=mount / "prod", timeout=60, check=True)
    assert sandbox.uploads() == [b"a\nb\n"]
    assert can_tell(mount)
    mount.finish()


@pytest.mark.parametrize("end", ["kill -KILL $$", "kill -TERM $$", "exit 3"])
def test_a_writer_in_a_namespace_below_ours_is_seen(direct_mount, sandbox, end):
    """A container's processes have numbers here, too."""
    subprocess.run([*OTHER_NAMESPACE, "sh", "-c", f'sh -c \'exec 3> "$NAME"; echo half >&3; {end}\'; echo whole > "$NAME.2"'],
                   env={**os.environ, "NAME": str(direct_mount / "prod/NAME")}, timeout=60, check=True)
    assert sandbox.uploads() == [b"whole"]
    assert can_tell(direct_mount)


def test_a_writer_with_many_descriptors_is_looked_through(direct_mount, sandbox):
    """In several turns; one of 15 000 that is left is found."""
    done = subprocess.run([PYTHON, "-c", """if True:
        import os, resource, sys
        resource.setrlimit(resource.RLIMIT_NOFILE, (16000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        null = os.open("/dev/null", os.O_RDONLY)
        for _ in range(15000):
            os.dup(null)
        descriptor = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o600)
        other = os.dup(descriptor)
        os.write(descriptor, b"half")
        os.close(descriptor)
        os.write(other, b" and half")
        os.close(other)
        """, direct_mount / "prod/NAME"], timeout=60)
    assert done.returncode == 0
    assert sandbox.uploads() == [b"half and half"]
    assert can_tell(direct_mount)


@pytest.fixture
def mount_in_another_namespace(request, tmp_path, direct):
    mount = started(request, tmp_path, direct, before=[*WITH_FULL_CORES, *OTHER_NAMESPACE])
    yield mount
    mount.finish()


def test_the_daemon_finds_itself_in_proc_under_another_number(mount_in_another_namespace):
    """Its core holds no memory, and metrics show its own; under its number in its namespace /proc has another process."""
    parent = mount_in_another_namespace.pid
    (pid,) = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    assert int(Path(f"/proc/{pid}/coredump_filter").read_text(), 16) == 0
    size = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * os.sysconf("SC_PAGESIZE")
    metrics = mount_in_another_namespace.control("metrics").splitlines()
    (shown,) = (float(line.split()[-1]) for line in metrics if line.startswith("process_virtual_memory_bytes"))
    assert 0.9 < shown / size < 1.1
