"""A writer that fails half-way publishes nothing (doc/semantics.md, promise 2 and rule 6)."""

import signal
import subprocess

import pytest

from programs import PYTHON, python, shell

OLD = b"the old value"

KILLED = {
    "SIGKILL": ('exec 3> "$NAME"; echo half >&3; kill -KILL $$', -signal.SIGKILL),
    "SIGTERM": ('exec 3> "$NAME"; echo half >&3; kill -TERM $$', -signal.SIGTERM),
    "SIGINT": ('exec 3> "$NAME"; echo half >&3; kill -INT $$', -signal.SIGINT),
    "SIGPIPE": ('exec 3> "$NAME"; echo half >&3; kill -PIPE $$', -signal.SIGPIPE),
    "status 3": ('exec 3> "$NAME"; echo half >&3; exit 3', 3),
    "status 1 as stdout": ('exec > "$NAME"; echo half; exit 1', 1),
    "set -e": ('set -e; exec 3> "$NAME"; echo half >&3; false; echo half >&3', 1),
    "set -u": ('set -u; exec 3> "$NAME"; echo half >&3; echo $undefined >&3', None),
    "set -e in a subshell": ('( set -e; echo half; false; echo half ) > "$NAME"', 1),
    "a subshell that fails": ('( echo half; exit 4 ) > "$NAME"', 4),
    "a subshell that is killed": ('( echo half; kill -KILL $(sh -c "echo \\$PPID") ) > "$NAME"', 128 + signal.SIGKILL),
}


@pytest.mark.parametrize("which", ["bash", "dash"])
@pytest.mark.parametrize("existing", [False, True], ids=["new", "existing"])
@pytest.mark.parametrize("how", KILLED)
def test_nothing_is_published(direct_mount, sandbox, which, existing, how):
    if existing:
        sandbox.put("prod", "NAME", OLD)
    command, status = KILLED[how]
    done = shell(command, which, NAME=direct_mount / "prod/NAME")
    assert done.returncode == status or (status is None and done.returncode not in (0, None))
    assert direct_mount.unmount() == 0, "what was never whole is not lost"
    assert sandbox.calls(operation="fastly.put_secret") == []
    assert sandbox.value("prod", "NAME") == (OLD if existing else None)


def test_a_program_that_fails_with_its_output_open(direct_mount, sandbox):
    """bash opens a redirection in the program's own process (dash doesn't: see below)."""
    done = shell('sh -c "echo half; exit 3" > "$NAME"', "bash", NAME=direct_mount / "prod/NAME")
    assert done.returncode == 3
    assert direct_mount.unmount() == 0
    assert sandbox.calls(operation="fastly.put_secret") == []


@pytest.mark.parametrize("which,command", [
    ("dash", 'sh -c "echo half; exit 3" > "$NAME"'),
    ("bash", 'set -e; { echo half; false; } > "$NAME"'),
    ("dash", 'set -e; { echo half; false; } > "$NAME"'),
    ("bash", 'cat /etc/hostname /nothing > "$NAME"'),
])
def test_a_program_that_closes_first_and_fails_afterwards_looks_as_if_it_succeeded(direct_mount, sandbox, which, command):
    """The man page's caveats: if one of these no longer holds, they have to change."""
    assert shell(command, which, NAME=direct_mount / "prod/NAME").returncode != 0
    assert direct_mount.unmount() == 0
    assert len(sandbox.uploads()) == 1


@pytest.mark.parametrize("which", ["bash", "dash"])
def test_the_recommended_command_for_programs_that_may_fail(direct_mount, sandbox, which, tmp_path):
    recommended = '%s > "$TMP" && cp "$TMP" "$NAME"'
    settings = {"NAME": direct_mount / "prod/NAME", "TMP": tmp_path / "tmp"}
    assert shell(recommended % "cat /etc/hostname /nothing", which, **settings).returncode != 0
    assert sandbox.uploads() == []
    assert shell(recommended % "echo whole", which, **settings).returncode == 0
    assert sandbox.uploads() == [b"whole"]


@pytest.mark.parametrize("end", ["os._exit(3)", "os.kill(os.getpid(), 9)", "os.kill(os.getpid(), 15)", "os.abort()"])
def test_a_program_with_threads(direct_mount, sandbox, end):
    done = python(f"""
        import os, resource, sys, threading
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        descriptor = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o600)
        thread = threading.Thread(target=os.write, args=(descriptor, b"half"))
        thread.start()
        thread.join()
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        {end}
    """, direct_mount / "prod/NAME")
    assert done.returncode not in (0, None)
    assert direct_mount.unmount() == 0
    assert sandbox.calls(operation="fastly.put_secret") == []


def test_killed_from_outside_between_two_writes(direct_mount, sandbox):
    writer = subprocess.Popen([PYTHON, "-c", """
import os, sys
descriptor = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o600)
os.write(descriptor, b"half")
print("written", flush=True)
sys.stdin.read()
os.write(descriptor, b" and half")
""", str(direct_mount / "prod/NAME")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert writer.stdout.readline() == "written\n"
    writer.kill()
    writer.communicate()
    assert direct_mount.unmount() == 0
    assert sandbox.calls(operation="fastly.put_secret") == []


def test_after_a_killed_writer_the_name_can_be_written(direct_mount, sandbox):
    name = direct_mount / "prod/NAME"
    shell('exec 3> "$NAME"; echo half >&3; kill -KILL $$', NAME=name)
    assert shell('echo whole > "$NAME"', NAME=name).returncode == 0
    assert sandbox.uploads() == [b"whole"]


def test_a_writer_that_exits_well_with_the_file_open_publishes(direct_mount, sandbox):
    done = python("""
        import os, sys
        os.write(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o600), b"whole")
        os._exit(0)
    """, direct_mount / "prod/NAME")
    assert done.returncode == 0
    sandbox.wait_for_call("fastly.put_secret", state="answered")
    assert sandbox.uploads() == [b"whole"]
