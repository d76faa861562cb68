"""
Files that one program opens and another writes: the opener starts it with the file as its output and closes its own descriptor. Who writes then waits for
the upload and learns how it ended, and nothing of it is published when it dies (rules 4 to 6).
"""

import signal
import subprocess

import pytest

from programs import PYTHON, python, shell, start

REFUSED = 7  # the status with which each starter passes on that its command has failed

# How programs start a command with the file as its output. Each closes its own descriptor first, waits, and passes the command's status on.
STARTERS = {
    "fish": ("fish", "-c", 'sh -c $COMMAND > $NAME; or exit 7'),
    "fish, block": ("fish", "-c", 'begin; sh -c $COMMAND; end > $NAME; or exit 7'),
    "zsh": ("zsh", "-f", "-c", 'sh -c $COMMAND > $NAME || exit 7'),
    "ksh": ("ksh", "-c", 'sh -c "$COMMAND" > "$NAME" || exit 7'),
    "bash &": ("bash", "-c", 'sh -c "$COMMAND" > "$NAME" & wait $! || exit 7'),
    "dash &": ("dash", "-c", 'sh -c "$COMMAND" > "$NAME" & wait $! || exit 7'),
    "bash coproc": ("bash", "-c", 'coproc sh -c "$COMMAND" > "$NAME"; wait $! || exit 7'),
    "Ruby system": ("ruby", "-e", 'File.open(ENV["NAME"], "w") { |f| exit system("sh", "-c", ENV["COMMAND"], out: f) ? 0 : 7 }'),
    "Ruby system with a path": ("ruby", "-e", 'exit system("sh", "-c", ENV["COMMAND"], out: ENV["NAME"]) ? 0 : 7'),
    "Ruby spawn": ("ruby", "-e", """
        f = File.open(ENV["NAME"], "w")
        pid = spawn("sh", "-c", ENV["COMMAND"], out: f)
        f.close
        Process.wait pid
        exit $?.success? ? 0 : 7"""),
    "PHP proc_open": ("php", "-r", """
        $p = proc_open(["sh", "-c", getenv("COMMAND")], [1 => ["file", getenv("NAME"), "w"]], $pipes);
        exit(proc_close($p) === 0 ? 0 : 7);"""),
    "PHP proc_open, handle": ("php", "-r", """
        $f = fopen(getenv("NAME"), "w");
        $p = proc_open(["sh", "-c", getenv("COMMAND")], [1 => $f], $pipes);
        fclose($f);
        exit(proc_close($p) === 0 ? 0 : 7);"""),
    "Python Popen": (PYTHON, "-c", """
import os, subprocess, sys
with open(os.environ["NAME"], "wb") as file:
    process = subprocess.Popen(["sh", "-c", os.environ["COMMAND"]], stdout=file)
sys.exit(7 if process.wait() else 0)"""),
    "Python Popen, a session of its own": (PYTHON, "-c", """
import os, subprocess, sys
with open(os.environ["NAME"], "wb") as file:
    process = subprocess.Popen(["sh", "-c", os.environ["COMMAND"]], stdout=file, start_new_session=True)
sys.exit(7 if process.wait() else 0)"""),
    "Node spawn": ("node", "-e", """
        const fs = require("fs"), f = fs.openSync(process.env.NAME, "w");
        const child = require("child_process").spawn("sh", ["-c", process.env.COMMAND], {stdio: ["ignore", f, "inherit"]});
        fs.closeSync(f);
        child.on("exit", (status) => process.exit(status === 0 ? 0 : 7));"""),
    "Perl": ("perl", "-e", """
        open my $f, ">", $ENV{NAME}; open STDOUT, ">&", $f; close $f;
        my $pid = fork // die; exec "sh", "-c", $ENV{COMMAND} unless $pid;
        open STDOUT, ">", "/dev/null"; waitpid $pid, 0; exit($? ? 7 : 0);"""),
}
# Those whose starter holds the file until the command has ended: it is the opener, as ever, and a child that dies changes nothing.
HOLDERS = {"fish, block", "ksh", "Ruby system"}
CLOSERS = [starter for starter in STARTERS if starter not in HOLDERS]
# PHP leaves the command a second descriptor of the file, so the last close is that of its exit: the command waits, and only `sync NAME` reports it.
UNTOLD = {"PHP proc_open, handle"}
# For what is started: until its starter has closed the file. The last process to close gets the result.
WAIT = 'while ls -l /proc/$PPID/fd | grep -q "$NAME"; do :; done;'

# What is started, a shell's own command or more of them: what it prints in all.
COMMANDS = {
    "one program": ("exec /bin/echo whole", b"whole"),
    "a shell's child": ("/bin/echo whole; exit $?", b"whole"),
    "two children": ("/bin/echo whole; /bin/echo and more", b"whole\nand more\n"),
    "a child and a builtin": ("/bin/echo whole; sleep 0.1; echo and more", b"whole\nand more\n"),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("starter", STARTERS)
def test_what_it_prints_is_stored_whole_when_its_starter_hears_of_its_end(direct_mount, sandbox, starter, command):
    text, value = COMMANDS[command]
    writer = start(*STARTERS[starter], NAME=direct_mount / "prod/NAME", COMMAND=text)
    _, message = writer.communicate(timeout=60)
    assert (writer.returncode, message) == (0, "")
    assert sandbox.uploads("NAME") == [value], "once and whole"


@pytest.mark.parametrize("starter", CLOSERS)
def test_it_waits_for_the_upload(direct_mount, sandbox, starter):
    (direct_mount / "prod/FIRST").write_bytes(b"x")
    sandbox.fault(operation="fastly.put_secret", name="NAME", hold="before")
    writer = start(*STARTERS[starter], NAME=direct_mount / "prod/NAME", COMMAND=f"{WAIT} exec /bin/echo whole")
    sandbox.wait_for_call("fastly.put_secret", name="NAME", state="held")
    assert writer.poll() is None
    sandbox.release()
    writer.communicate(timeout=60)
    assert writer.returncode == 0
    assert sandbox.value("prod", "NAME") == b"whole"


@pytest.mark.parametrize("starter", CLOSERS)
def test_it_learns_that_the_service_refused(direct_mount, sandbox, starter):
    sandbox.fault(operation="fastly.put_secret", status=403)
    writer = start(*STARTERS[starter], NAME=direct_mount / "prod/NAME", COMMAND=f"{WAIT} exec cat /etc/hostname")
    _, message = writer.communicate(timeout=60)
    if starter in UNTOLD:
        assert writer.returncode == 0
    else:
        assert writer.returncode == REFUSED and "Permission denied" in message
    assert "EACCES" in direct_mount.control("errors")
    assert not (direct_mount / "prod/NAME").exists()


@pytest.mark.parametrize("end", ["kill -KILL $$", "kill -TERM $$", "exit 3"])
@pytest.mark.parametrize("starter", CLOSERS)
def test_nothing_is_published_when_it_dies(direct_mount, sandbox, starter, end):
    writer = start(*STARTERS[starter], NAME=direct_mount / "prod/NAME", COMMAND=f"{WAIT} /bin/echo half; {end}")
    writer.communicate(timeout=60)
    assert writer.returncode == REFUSED
    assert direct_mount.unmount() == 0
    assert sandbox.calls(operation="fastly.put_secret") == []


def test_while_the_opener_holds_it_a_child_that_dies_changes_nothing(direct_mount, sandbox):
    done = shell('exec 3> "$NAME"; sh -c "echo a; exit 3" >&3; echo b >&3; exec 3>&-', NAME=direct_mount / "prod/NAME")
    assert done.returncode == 0
    assert sandbox.uploads("NAME") == [b"a\nb\n"]


def test_of_two_writers_neither_answers_for_the_other(direct_mount, sandbox):
    """Nothing is sent while one of them may go on, and all of it once both have closed."""
    done = python("""
        import os, subprocess, sys
        with open(sys.argv[1], "wb", 0) as file:
            first = subprocess.Popen(["sh", "-c", "echo a; read go"], stdin=subprocess.PIPE, stdout=file)
            second = subprocess.Popen(["sh", "-c", "read go; echo b; echo; exec >&-; read go"], stdin=subprocess.PIPE, stdout=file)
        second.stdin.write(b"\\n")
        second.stdin.flush()
        first.communicate(b"\\n")
        second.communicate(b"\\n")
    """, direct_mount / "prod/NAME")
    assert done.returncode == 0, done.stderr
    sandbox.wait_for_call("fastly.put_secret", state="answered")
    assert sandbox.uploads("NAME")[-1] == b"a\nb\n\n"


def test_fsync_by_another_leaves_what_it_still_writes(direct_mount, sandbox):
    """The opener has closed it, its child has not."""
    done = python("""
        import os, subprocess, sys
        name = sys.argv[1]
        (ready, is_ready), (end, may_end) = os.pipe(), os.pipe()
        with open(name, "wb") as file:
            child = subprocess.Popen(["sh", "-c", f"echo half; echo >&{is_ready}; read go <&{end}; echo and half"], stdout=file,
                                     pass_fds=(is_ready, end))
        os.read(ready, 1)
        descriptor = os.open(name, os.O_WRONLY)
        os.fsync(descriptor)
        os.close(descriptor)
        os.write(may_end, b"\\n")
        sys.exit(child.wait())
    """, direct_mount / "prod/NAME")
    assert done.returncode == 0, done.stderr
    assert sandbox.uploads("NAME") == [b"half\nand half\n"]


def test_at_the_end_of_the_mount_what_it_still_writes_is_not_whole(direct_mount, sandbox):
    writer = subprocess.Popen([PYTHON, "-c", """if True:
        import subprocess, sys
        with open(sys.argv[1], "wb") as file:
            child = subprocess.Popen(["sh", "-c", "echo half; echo half >&2; read go"], stdin=sys.stdin, stdout=file)
        child.wait()
        """, direct_mount / "prod/NAME"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert writer.stderr.readline() == "half\n"
    direct_mount.signal(signal.SIGTERM)
    assert direct_mount.wait() == 32
    writer.communicate("\n")
    assert sandbox.calls(operation="fastly.put_secret") == []


@pytest.mark.mount_options("commit=fsync")
def test_with_commit_fsync_a_dying_one_publishes_nothing(direct_mount, sandbox):
    writer = start(*STARTERS["Python Popen"], NAME=direct_mount / "prod/NAME", COMMAND=f"{WAIT} /bin/echo half; exit 3")
    writer.communicate(timeout=60)
    assert writer.returncode == REFUSED
    assert direct_mount.unmount() == 0
    assert sandbox.calls(operation="fastly.put_secret") == []


def test_the_log_names_the_writer(direct_mount, sandbox):
    writer = start(*STARTERS["Python Popen"], NAME=direct_mount / "prod/NAME", COMMAND="exec tee < /etc/hostname")
    writer.communicate(timeout=60)
    lines = [line for line in direct_mount.log().splitlines() if "publish" in line and "program=" in line]
    assert len(lines) == 1 and "tee" in lines[0].partition("program=")[2]
