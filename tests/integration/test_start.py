"""Mounts that fail: one line that says why, the right status, nothing left mounted."""

import os
import socket
import subprocess

import pytest

from daemon import PROGRAM, daemon_at, mounts_at, run_program, wait_for_end

USAGE, FAILURE = 1, 32


@pytest.fixture
def refused(tmp_path, direct):
    """refused(expected status, …): starts the program, and checks all that every failure has in common."""
    mountpoint = tmp_path / "mnt"
    mountpoint.mkdir()
    token = tmp_path / "token"
    token.write_text(direct.token)
    token.chmod(0o600)

    def start(status, source="fastly:", where=mountpoint, options=None, token_file=token, with_mount=False, more=(),
              **variables):
        usual = [f"token_file={token_file}"] if token_file else []
        words = ["mount", "-t", "fuse.sstorefs"] if with_mount else [PROGRAM]
        words += [source, where, "-o", ",".join(usual + [direct.options if options is None else options]), *more]
        ended = run_program(words, tmp_path, **variables)
        assert ended.returncode == status, ended
        assert ended.stdout == ""
        assert ended.stderr.count("\n") == 1 and ended.stderr.startswith("sstorefs: "), ended.stderr
        assert mounts_at(mountpoint) == []
        assert os.listdir(mountpoint) == []
        assert not list(tmp_path.glob("sanitizer.*"))
        return ended.stderr

    start.token, start.mountpoint, start.service = token, mountpoint, direct
    return start


@pytest.mark.parametrize("with_mount", [False, True], ids=["sstorefs", "mount"])
def test_wrong_token(refused, with_mount):
    refused.token.write_text("another-token")
    message = refused(FAILURE, with_mount=with_mount)
    assert str(refused.token) in message and "401" in message and "another-token" not in message


@pytest.mark.parametrize("with_mount", [False, True], ids=["sstorefs", "mount"])
def test_unreachable_host(refused, with_mount):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        message = refused(FAILURE, options=f"timeout=3,endpoint=http://127.0.0.1:{port}", with_mount=with_mount)
    assert f"127.0.0.1:{port}" in message or "127.0.0.1" in message


def test_unknown_host_name(refused):
    message = refused(FAILURE, options="timeout=3,endpoint=https://nothing.invalid")
    assert "nothing.invalid" in message


@pytest.mark.parametrize("with_mount", [False, True], ids=["sstorefs", "mount"])
def test_refused_certificate(refused, front, with_mount):
    message = refused(FAILURE, options=f"endpoint={front.url}", with_mount=with_mount)
    assert "certificate" in message


@pytest.mark.parametrize("with_mount", [False, True], ids=["sstorefs", "mount"])
def test_unknown_option(refused, with_mount):
    message = refused(USAGE, options=f"{refused.service.options},foo=bar", with_mount=with_mount)
    assert message == "sstorefs: unknown option 'foo': see sstorefs --help\n"


def test_missing_mountpoint(refused, tmp_path):
    assert str(tmp_path / "nowhere") in refused(FAILURE, where=tmp_path / "nowhere")


def test_mountpoint_that_is_a_file(refused, tmp_path):
    (tmp_path / "file").write_text("")
    assert str(tmp_path / "file") in refused(FAILURE, where=tmp_path / "file")


def test_unknown_service(refused):
    assert "'vault'" in refused(USAGE, source="vault:")


def test_source_without_a_service(refused):
    refused(USAGE, source="prod")


def test_store_that_does_not_exist(refused):
    assert "nothere" in refused(FAILURE, source="fastly:nothere")


def test_name_that_no_store_can_have(refused):
    refused(USAGE, source="fastly:a b")


def test_option_of_another_service(refused):
    assert "cloudflare" in refused(USAGE, options=f"{refused.service.options},scopes=workers")


def test_plain_http_to_another_machine(refused):
    refused(USAGE, options="endpoint=http://192.0.2.1")


def test_time_out_of_zero(refused):
    refused(USAGE, options=f"{refused.service.options},timeout=0")


def test_token_on_the_command_line(refused):
    message = refused(USAGE, options=f"{refused.service.options},token=secret-token")
    assert "token_file=" in message and "secret-token" not in message


def test_missing_cacert(refused, tmp_path):
    message = refused(FAILURE, options=f"endpoint=https://127.0.0.1:1,timeout=3,cacert={tmp_path}/none.pem")
    assert f"{tmp_path}/none.pem" in message


@pytest.mark.parametrize("mode", [0o644, 0o620, 0o604, 0o602])
def test_token_file_that_others_can_read_or_change(refused, mode):
    refused.token.chmod(mode)
    assert f"chmod 600 {refused.token}" in refused(FAILURE)


def test_missing_token_file(refused, tmp_path):
    assert "/none" in refused(FAILURE, token_file=tmp_path / "none")


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines\n", b"with blank", b"caf\xc3\xa9", b"nul\0", b"x" * 8193])
def test_token_file_that_holds_no_token(refused, content):
    refused.token.write_bytes(content)
    assert str(refused.token) in refused(FAILURE)


def test_no_token_at_all(refused):
    message = refused(FAILURE, token_file=None)
    assert "token_file=" in message and "FASTLY_API_TOKEN" in message


def test_allow_other_on_a_descriptor_needs_default_permissions(refused):
    assert "default_permissions" in refused(USAGE, where="/dev/fd/9", options=f"{refused.service.options},allow_other")


def test_a_descriptor_that_is_no_mount(refused):
    """In the background the program would report success, and serve no request."""
    assert "/dev/fd/9:" in refused(FAILURE, where="/dev/fd/9")
    assert "No such device" in refused(FAILURE, where="/dev/fd/0")  # /dev/null


def in_own_mounts(refused, preparation):
    """The line of a program that starts where `preparation` was done, and nothing else."""
    words = [PROGRAM, "fastly:", refused.mountpoint, "-o", f"token_file={refused.token},{refused.service.options}"]
    ended = run_program(["unshare", "-m", "sh", "-c", f'{preparation}; exec "$@"', "sh", *words], refused.token.parent)
    assert ended.returncode == FAILURE and ended.stdout == "" and ended.stderr.count("\n") == 1, ended
    return ended.stderr


def test_what_mounting_has_to_say_is_in_our_one_line(refused):
    line = in_own_mounts(refused, "mount -t tmpfs -o mode=755 none /dev && mknod -m 666 /dev/null c 1 3")
    assert line.startswith("sstorefs: fastly: can't be mounted on ") and "modprobe fuse" in line
    line = in_own_mounts(refused, "mount --bind /dev/null /dev/fuse")
    assert "mount failed: Invalid argument" in line


@pytest.mark.parametrize("word", ["a\nb", "ttl=a\nb", "signing_key=\x1b[31m", "uid=a\rb"])
def test_whatever_was_typed_it_is_one_line(refused, word):
    message = refused(USAGE, options=f"{refused.service.options},{word}")
    assert not any(ord(character) < 32 or ord(character) == 127 for character in message[:-1])


def test_a_mount_can_not_be_changed(refused):
    assert "mount it anew" in refused(USAGE, options=f"{refused.service.options},remount,ro")


def test_a_mountpoint_with_a_line_break(refused, tmp_path):
    refused(FAILURE, where=tmp_path / "a\nb")


@pytest.mark.parametrize("closed", ["<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_who_has_closed_his_standard_streams_is_told_of_a_mount_too(refused, tmp_path, closed):
    words = [PROGRAM, "fastly:", refused.mountpoint, "-o", f"token_file={refused.token},{refused.service.options}"]
    ended = run_program(["sh", "-c", f'"$@" {closed}', "sh", *words], tmp_path)
    try:
        assert (ended.returncode, mounts_at(refused.mountpoint)) == (0, ["fuse.sstorefs"])
        assert os.listdir(refused.mountpoint) == ["prod"]
    finally:
        daemon = daemon_at(refused.mountpoint)
        while mounts_at(refused.mountpoint):
            subprocess.run(["umount", refused.mountpoint], check=True)
    assert wait_for_end(daemon)


def test_a_service_that_makes_no_sense(refused, sandbox):
    sandbox.fault(body="html")
    refused(FAILURE, options=f"{refused.service.options},timeout=2")


def test_usage_without_arguments(tmp_path):
    ended = run_program([PROGRAM], tmp_path)
    assert ended.returncode == USAGE and ended.stderr.count("\n") == 1


def test_help_names_every_option(tmp_path):
    ended = run_program([PROGRAM, "--help"], tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    for option in ("token_file", "endpoint", "cacert", "signing_key", "ttl", "negative_ttl", "timeout", "newline", "uid",
                   "gid", "umask", "nocreate", "ro", "allow_other", "default_permissions", "entry_timeout",
                   "attr_timeout", "negative_timeout"):
        assert f"\n  {option}" in ended.stdout


def test_version_names_every_library(tmp_path):
    ended = run_program([PROGRAM, "--version"], tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    first, *libraries = ended.stdout.splitlines()
    assert first.startswith("sstorefs ")
    assert [line.split()[0] for line in libraries] == ["libfuse", "libcurl", "jansson", "libsodium"]
    assert "SSL" in libraries[1] or "TLS" in libraries[1]
