"""Each command publishes its value once, whole, and exactly (doc/semantics.md, rules 1 to 5)."""

import errno
import json
import os

import pytest

import daemon
from programs import errno_of, python, shell

PEM = "\n".join(["-----BEGIN PRIVATE KEY-----", *(f"{line:02d}" + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC" * 2 for line in range(26)),
                 "-----END PRIVATE KEY-----"])
BOTH = ("bash", "dash")
LINES = b"one\ntwo\n"

# command, what is stored, in which shells. $NAME is the secret, $FILE a file that holds LINES.
IDIOMS = [
    ('echo val > "$NAME"', b"val", BOTH),
    ('printf val > "$NAME"', b"val", BOTH),
    ('printf "one\\ntwo\\n" > "$NAME"', LINES, BOTH),
    ('/bin/echo val > "$NAME"', b"val", BOTH),
    ('echo val | cat > "$NAME"', b"val", BOTH),
    ('echo val | tee "$NAME" > /dev/null', b"val", BOTH),
    ('cat > "$NAME" <<END\nval\nEND', b"val", BOTH),
    ('cat <<< val > "$NAME"', b"val", ("bash",)),
    ('{ /bin/echo a; /bin/echo b; } > "$NAME"', b"a\nb\n", BOTH),
    ('{ echo a; echo b; } > "$NAME"', b"a\nb\n", BOTH),
    ('( echo a; /bin/echo b; echo c ) > "$NAME"', b"a\nb\nc\n", BOTH),
    ('for i in 1 2 3; do echo $i; done > "$NAME"', b"1\n2\n3\n", BOTH),
    ('exec 3> "$NAME"; echo a >&3; echo b >&3; exec 3>&-', b"a\nb\n", BOTH),
    ('exec 3> "$NAME"; /bin/echo a >&3; echo b >&3; exec 3>&-', b"a\nb\n", BOTH),
    ('exec 3> "$NAME"; echo a >&3; echo b >&3', b"a\nb\n", BOTH),
    ('exec 3> "$NAME"; echo a >&3; (exit 3); echo b >&3; exec 3>&-', b"a\nb\n", BOTH),
    ('exec 3> "$NAME"; echo a >&3; { sh -c "kill -KILL \\$\\$"; } 2> /dev/null; echo b >&3; exec 3>&-', b"a\nb\n", ("bash",)),
    ('exec > "$NAME"; echo a; /bin/echo b', b"a\nb\n", BOTH),
    ('exec 3> "$NAME" 4>&3; echo a >&3; exec 3>&-; echo b >&4; exec 4>&-', b"a\nb\n", BOTH),
    ('true > "$NAME"; echo val > "$NAME"', b"val", BOTH),
    ('set -C; echo val > "$NAME"', b"val", BOTH),
    ('echo val >> "$NAME"', b"val", BOTH),
    ('cp "$FILE" "$NAME"', LINES, BOTH),
    ('cp -p "$FILE" "$NAME"', LINES, ("dash",)),
    ('install -m 600 "$FILE" "$NAME"', LINES, ("dash",)),
    ('cat "$FILE" > "$NAME"', LINES, BOTH),
    ('cat < "$FILE" > "$NAME"', LINES, ("dash",)),
    ('tee "$NAME" < "$FILE" > /dev/null', LINES, ("dash",)),
    ('dd if="$FILE" of="$NAME" status=none', LINES, ("dash",)),
    ('dd if="$FILE" of="$NAME" status=none bs=1', LINES, ("dash",)),
    ('dd if="$FILE" of="$NAME" status=none conv=notrunc', LINES, ("dash",)),
    ('dd if="$FILE" of="$NAME" status=none conv=excl', LINES, ("dash",)),
    ('sort "$FILE" -o "$NAME"', LINES, ("dash",)),
    ('tar -C "$(dirname "$FILE")" -c "$(basename "$FILE")" | tar -C "$(dirname "$NAME")" -x '
     '--transform="s/.*/$(basename "$NAME")/"', LINES, ("dash",)),
    ('rsync --inplace "$FILE" "$NAME"', LINES, ("dash",)),
    ('rsync -a --inplace "$FILE" "$NAME"', LINES, ("dash",)),
    ('openssl rand -out "$NAME" 32', None, ("dash",)),
    ('head -c 65536 /dev/zero > "$NAME"', bytes(65536), ("dash",)),
]
CASES = [pytest.param(command, stored, which, id=f"{which}: {command[:70]}")
         for command, stored, shells in IDIOMS for which in shells]


@pytest.fixture
def lines(tmp_path):
    path = tmp_path / "lines"
    path.write_bytes(LINES)
    return path


@pytest.mark.parametrize("command,stored,which", CASES)
def test_a_new_secret_is_published_once_and_whole(direct_mount, sandbox, lines, command, stored, which):
    done = shell(command, which, NAME=direct_mount / "prod/NAME", FILE=lines)
    assert (done.returncode, done.stderr) == (0, "")
    (upload,) = sandbox.upload_records()
    assert upload["name"] == "NAME" and upload["sealed"]
    assert len(sandbox.calls(operation="fastly.put_secret")) == 1
    if stored is not None:
        assert sandbox.uploads() == [stored]


@pytest.mark.parametrize("command,stored,which", [case for case in CASES if not any(
    word in case.values[0] for word in (">>", "set -C", "conv=excl", "install", "tar -C"))])
def test_an_existing_secret_is_replaced_once_and_whole(direct_mount, sandbox, lines, command, stored, which):
    sandbox.put("prod", "NAME", b"old")
    done = shell(command, which, NAME=direct_mount / "prod/NAME", FILE=lines)
    assert (done.returncode, done.stderr) == (0, "")
    (upload,) = sandbox.upload_records()
    assert upload["mode"] in ("either", "replace") and upload["sealed"]
    assert stored is None or sandbox.value("prod", "NAME") == stored


@pytest.mark.parametrize("command", ['install -m 600 "$FILE" "$NAME"', 'mv "$FILE" "$NAME"', 'cp --remove-destination "$FILE" "$NAME"'])
def test_what_unlinks_first_works_too(direct_mount, sandbox, lines, command):
    sandbox.put("prod", "NAME", b"old")
    done = shell(command, NAME=direct_mount / "prod/NAME", FILE=lines)
    assert (done.returncode, done.stderr) == (0, "")
    assert sandbox.uploads() == [LINES]
    assert len(sandbox.calls(operation="fastly.delete_secret")) == 1


@pytest.mark.parametrize("which", BOTH)
def test_a_pem_of_28_lines_is_one_put_with_the_exact_bytes(mount, sandbox, which):
    """bash sends one WRITE a line."""
    assert PEM.count("\n") == 27
    done = shell('echo "$PEM" > "$NAME"', which, PEM=PEM, NAME=mount / "prod/PEM")
    assert (done.returncode, done.stderr) == (0, "")
    assert sandbox.uploads("PEM") == [PEM.encode() + b"\n"]
    assert len(sandbox.calls(operation="fastly.put_secret")) == 1


def test_all_256_bytes_are_stored_as_they_are(mount, sandbox):
    value = bytes(range(256)) * 3
    (mount / "prod/BYTES").write_bytes(value)
    assert sandbox.uploads() == [value]


def test_opened_in_one_thread_and_closed_in_another(mount, sandbox):
    done = python("""
        import os, sys, threading
        opened = []
        def in_thread(work):
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
        in_thread(lambda: opened.append(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o600)))
        in_thread(lambda: os.write(opened[0], b"half "))
        in_thread(lambda: os.write(opened[0], b"and half"))
        in_thread(lambda: os.close(opened[0]))
        # The process lives on: it was the close that published.
        print(open(sys.argv[2]).read(), end="")
    """, mount / "prod/NAME", "/dev/null")
    assert (done.returncode, done.stderr) == (0, "")
    assert sandbox.uploads() == [b"half and half"]
    assert json.loads(mount.control("status"))["writers_can_be_told_apart"], "it was one process all the time"


def test_python_write_text(mount, sandbox):
    (mount / "prod/NAME").write_text("val\n")
    assert sandbox.uploads() == [b"val"]


def test_a_program_that_has_the_name_open_twice_publishes_at_each_close(direct_mount, sandbox):
    one, two = (os.open(direct_mount / "prod/NAME", os.O_WRONLY | os.O_CREAT, 0o600) for _ in range(2))
    os.write(one, b"first")
    os.write(two, b"second")
    os.close(two)
    assert sandbox.uploads() == [b"second"]
    os.close(one)
    assert sandbox.uploads() == [b"second", b"first"]
    sandbox.fault(operation="fastly.put_secret", status=403)
    one, two = (os.open(direct_mount / "prod/NAME", os.O_WRONLY, 0o600) for _ in range(2))
    os.write(one, b"first")
    os.write(two, b"second")
    assert (errno_of(os.close, two), errno_of(os.close, one)) == (errno.EACCES, errno.EACCES)


def test_a_child_that_writes_after_its_parent_has_closed_is_published_at_the_end(direct_mount, sandbox):
    done = shell('exec 3> "$NAME"; sh -c "sleep 0.3; echo late" >&3 & exec 3>&-; wait', "bash",
                 NAME=direct_mount / "prod/NAME")
    assert (done.returncode, done.stderr) == (0, "")
    sandbox.wait_for_call("fastly.put_secret", state="answered")
    assert sandbox.uploads() == [b"late"]


def test_a_child_that_lives_on_does_not_keep_the_value_back(direct_mount, sandbox):
    done = python("""
        import os, sys, subprocess
        descriptor = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(descriptor, b"val")
        child = subprocess.Popen(["sleep", "60"], pass_fds=[descriptor])
        os.close(descriptor)
        child.kill()
        child.wait()
    """, direct_mount / "prod/NAME")
    assert (done.returncode, done.stderr) == (0, "")
    sandbox.wait_for_call("fastly.put_secret", state="answered")
    assert sandbox.uploads() == [b"val"]


def test_umount_right_after_close_loses_nothing(direct_mount, sandbox):
    shell('echo val > "$NAME"; umount "$MOUNT"', NAME=direct_mount / "prod/NAME", MOUNT=direct_mount.path)
    assert direct_mount.wait() == 0
    assert sandbox.uploads() == [b"val"]


def test_fifty_writes_cost_fifty_puts_and_one_client_key(mount, sandbox):
    done = shell('for i in $(seq 50); do echo "value $i" > "$DIR/NAME_$i" || exit; done', DIR=mount / "prod")
    assert (done.returncode, done.stderr) == (0, "")
    assert sandbox.uploads() == [f"value {i}".encode() for i in range(1, 51)]
    puts = sandbox.calls(operation="fastly.put_secret")
    assert [call["method"] for call in puts] == ["PUT"] * 50
    assert len(sandbox.calls(operation="fastly.create_client_key")) == 1
    assert len({call["client_key"] for call in puts}) == 1


def test_a_hundred_at_once(mount, sandbox):
    """Parallel writers do not wait for each other."""
    sandbox.fault(operation="fastly.put_secret", latency=0.3)
    done = shell('for i in $(seq 100); do cp "$FILE" "$DIR/NAME_$i" & done; wait', FILE="/etc/hostname",
                 DIR=mount / "prod")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(sandbox.uploads()) == 100
    assert {upload["name"] for upload in sandbox.upload_records()} == {f"NAME_{i}" for i in range(1, 101)}


def test_debugging_tells_each_step_and_no_value(monkeypatch, make_mount, direct, sandbox):
    monkeypatch.setattr(daemon, "FOREGROUND", "-d")
    mount = make_mount(direct)
    sandbox.fault(operation="fastly.put_secret", status=503, times=1)
    shell("{ /bin/echo not-for-the-log; /bin/echo; } > NAME", cwd=mount / "prod")
    steps = [line for line in mount.log().splitlines() if " /resources/" in line or " close errno=" in line]
    store = os.getxattr(mount / "prod", "user.id").decode()
    for step in (f"PUT /resources/stores/secret/{store}/secrets: attempt 1, 503, ", f"/{store}/secrets: attempt 2, 200, ",
                 "by another process: nothing is published yet", "the last by the opener: published"):
        assert any(step in line for line in steps), (step, steps)
    assert "not-for-the-log" not in mount.log() and direct.token not in mount.log()
