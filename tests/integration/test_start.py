"""Mounts that fail: one line that says why, the right status, nothing left mounted."""

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from daemon import BUILD, OF_ANOTHER_USER, PROGRAM, daemon_at, mounts_at, run_program, wait_for_end

PROXY = BUILD / "src/mount-proxy/sstorefs-mount-proxy"
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
        arguments = ["mount", "-t", "fuse.sstorefs"] if with_mount else [PROGRAM]
        arguments += [source, where, "-o", ",".join(usual + [direct.options if options is None else options]), *more]
        ended = run_program(arguments, tmp_path, **variables)
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
    assert "'vault:'" in refused(USAGE, source="vault:")


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
    arguments = [PROGRAM, "fastly:", refused.mountpoint, "-o", f"token_file={refused.token},{refused.service.options}"]
    ended = run_program(["unshare", "-m", "sh", "-c", f'{preparation}; exec "$@"', "sh", *arguments], refused.token.parent)
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
def test_a_program_that_has_closed_its_standard_streams_learns_of_a_mount_too(refused, tmp_path, closed):
    arguments = [PROGRAM, "fastly:", refused.mountpoint, "-o", f"token_file={refused.token},{refused.service.options}"]
    ended = run_program(["sh", "-c", f'"$@" {closed}', "sh", *arguments], tmp_path)
    try:
        assert (ended.returncode, mounts_at(refused.mountpoint)) == (0, ["fuse.sstorefs"])
        assert os.listdir(refused.mountpoint) == ["prod"]
    finally:
        daemon = daemon_at(refused.mountpoint)
        while mounts_at(refused.mountpoint):
            subprocess.run(["umount", refused.mountpoint], check=True)
    assert wait_for_end(daemon)


@pytest.mark.parametrize("given, remedy", [
    (f",signing_key={'A' * 43}=", "signing_key= is not the key that the service signs with: give that key, or signing_key=api, or leave the option out"),
    ("", "the key that is built in is not the one that the service signs with: give that as signing_key=BASE64, or signing_key=api")])
@pytest.mark.parametrize("with_mount", [False, True], ids=["sstorefs", "mount"])
def test_a_signing_key_that_does_not_fit(refused, sandbox, given, remedy, with_mount):
    """Every write would fail: that is found before anything is mounted."""
    message = refused(FAILURE, options=f"endpoint={refused.service.url}{given}", with_mount=with_mount)
    assert message.startswith("sstorefs: fastly: can't be mounted: ") and f": its signature does not verify: {remedy}" in message


@pytest.mark.parametrize("kind", ["bad_signature", "other_signing_key", "short_signature"])
def test_a_client_key_that_is_signed_by_another(refused, sandbox, kind):
    sandbox.fault(operation="fastly.create_client_key", key=kind)
    assert "give that key, or signing_key=api" in refused(FAILURE)


def test_a_service_that_makes_no_sense(refused, sandbox):
    sandbox.fault(body="html")
    refused(FAILURE, options=f"{refused.service.options},timeout=2")


ACCOUNT = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize("source,remedy", [
    ("stripe", "did you mean 'stripe:'?"),
    ("cloudflare", "did you mean 'cloudflare:ACCOUNT_ID'?"),
    ("Fastly:prod", "did you mean 'fastly:prod'?"),
    ("cloudfare:x", "did you mean 'cloudflare:x'?"),
    ("clouldflare:x", "did you mean 'cloudflare:x'?"),
    ("fasltyy:", "see sstorefs --help for the services"),
    ("fatsly:", "did you mean 'fastly:'?"),
    ("vault:", "see sstorefs --help for the services"),
    (f"cloudflare:{ACCOUNT}/a/b", f"give cloudflare:{ACCOUNT}/STORE with a name as ls shows it"),
    ("cloudflare:Our Account", "instead of the account's name"),
])
def test_a_mistyped_source(refused, source, remedy):
    assert remedy in refused(USAGE, source, options="")


@pytest.mark.parametrize("option,meant", [
    ("tokenfile=/x", "token_file=PATH"), ("Token_File=/x", "token_file=PATH"), ("allow-other", "allow_other"), ("alow_other", "allow_other"),
    ("timeuot=3", "timeout=SECONDS"), ("ttk=3", "ttl=SECONDS|minimal|indefinite"), ("nocreat", "nocreate")])
def test_a_mistyped_option(refused, option, meant):
    assert f"unknown option '{option.split('=')[0]}': did you mean '{meant}'?" in refused(USAGE, options=option)


def test_an_option_that_is_nothing_like_ours(refused):
    assert "unknown option 'sizeless': see sstorefs --help" in refused(USAGE, options="sizeless")


def test_the_name_of_an_account_instead_of_its_id(refused, sandbox):
    message = refused(FAILURE, "cloudflare:our-account", options=f"endpoint={sandbox.url}/client/v4")
    assert "perhaps your object identifier is invalid" in message and "give the account's id, 32 hex digits, instead of its name" in message


def test_a_global_key_without_its_address(refused):
    message = refused(FAILURE, f"cloudflare:{ACCOUNT}", options="", token_file=None, CLOUDFLARE_API_KEY="abc", CLOUDFLARE_API_TOKEN="")
    assert "CLOUDFLARE_API_KEY is set without CLOUDFLARE_EMAIL" in message and "set both" in message and "abc" not in message


@pytest.mark.parametrize("wrapped,fault", [
    (b'"%s"\n', "is in quotes"), (b"'%s'\n", "is in quotes"), (b"FASTLY_API_TOKEN=%s\n", "NAME=VALUE"),
    (b"export FASTLY_API_TOKEN=%s\n", "NAME=VALUE"), (b"\xef\xbb\xbf%s\r\n", "byte order mark")])
def test_a_token_file_with_more_than_the_token(refused, wrapped, fault):
    token = refused.service.token
    refused.token.write_bytes(wrapped % token.encode())
    message = refused(FAILURE)
    assert fault in message and token not in message


def test_a_token_file_of_another_system(make_mount, direct):
    mount = make_mount(direct, start=False)
    mount.token_file.write_bytes(direct.token.encode() + b"\r\n")
    mount.start()


@pytest.mark.parametrize("option", ["token_file", "cacert"])
def test_a_home_directory_that_no_shell_replaced(refused, option):
    assert "write $HOME instead" in refused(USAGE, options=f"{option}=~/absent", token_file=None)


def test_a_mountpoint_that_no_shell_replaced(refused):
    assert "write $HOME" in refused(FAILURE, where="~/mnt")


def test_the_root_directory(refused):
    assert "give a directory of its own" in refused(FAILURE, where="/")


@pytest.mark.parametrize("with_mount", [False, True], ids=["sstorefs", "mount"])
def test_mounted_there_already(refused, make_mount, direct, tmp_path, with_mount):
    there = make_mount(direct).path
    before = mounts_at(there)
    assert "sstorefs is mounted there already: umount it first" in refused(FAILURE, where=there, with_mount=with_mount)
    assert mounts_at(there) == before


def test_an_expiry_without_a_unit(refused):
    assert "give one with a unit, such as" in refused(USAGE, "stripe:", options="expires=7")


def test_what_fusermount_says_has_blanks_between(refused):
    """Two lines of it are one of ours. A user's directories: pytest's are root's alone."""
    with tempfile.TemporaryDirectory() as name:
        there = Path(name)
        (there / "mnt").mkdir()
        shutil.copy(PROGRAM, there / "sstorefs")
        (there / "token").write_text(refused.service.token)
        (there / "token").chmod(0o600)
        (there / "fusermount3").write_text("#!/bin/sh\necho 'fusermount3: one' >&2\necho 'fusermount3: two' >&2\nexit 1\n")
        for path in (there, *there.iterdir()):
            path.chmod(path.stat().st_mode | 0o111)
            os.chown(path, 65534, 65534)
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", there / "sstorefs", "fastly:", there / "mnt",
                 "-o", f"token_file={there}/token,{refused.service.options}"]
        before = (f"mknod -m 666 {there}/fuse c 10 229; mount --bind {there}/fuse /dev/fuse;"
                  f" mount --bind {there}/fusermount3 /usr/bin/fusermount3")
        ended = run_program(["unshare", "-m", "sh", "-ec", f'{before}; exec "$@"', "sh", *command], refused.token.parent, **OF_ANOTHER_USER)
    assert ended.returncode == FAILURE and "fusermount3: one; fusermount3: two" in ended.stderr, ended


@pytest.mark.parametrize("name", ["plain", "./plain", "absolute"])
def test_checking_a_directory_that_is_no_mount(tmp_path, name):
    plain = tmp_path / "plain"
    plain.mkdir()
    checked = run_program([PROGRAM, "--check", plain if name == "absolute" else name], tmp_path)
    assert checked.returncode == 9 and "is a directory, and no mount of sstorefs: mount it" in checked.stdout + checked.stderr


def test_checking_what_does_not_exist(tmp_path):
    checked = run_program([PROGRAM, "--check", tmp_path / "absent"], tmp_path)
    assert checked.returncode == 9 and "does not exist" in checked.stdout + checked.stderr


def test_the_version_of_the_mount_proxy(tmp_path):
    shown = run_program([PROXY, "--version"], tmp_path)
    assert (shown.returncode, shown.stderr) == (0, "") and shown.stdout.startswith("sstorefs-mount-proxy 0.")


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
