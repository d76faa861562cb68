"""Values and tokens stay where they belong (doc/semantics.md, promise 3; SECURITY.md)."""

import errno
import os
import secrets
import subprocess

import pytest

from daemon import PROGRAM, daemon_at, is_in_memory, run_program, wait_for_end
from programs import errno_of, write_file


@pytest.fixture
def marker():
    """16 bytes. A value that repeats them is recognised by any 31 bytes that are left of it."""
    return secrets.token_hex(8).encode()


def test_a_value_is_not_in_the_daemons_memory_after_its_upload(mount, marker):
    for size in (32, 4096, 65536):
        write_file(mount / f"prod/NAME{size}", marker * (size // 16))
    mount.control("status")  # the RELEASE that ends a value's life came before it
    assert not is_in_memory(mount.pid, marker)


def test_a_refused_value_is_not_in_the_daemons_memory(direct_mount, sandbox, marker):
    sandbox.fault(operation="fastly.put_secret", status=403)
    assert errno_of(write_file, direct_mount / "prod/NAME", marker * 60) == errno.EACCES
    direct_mount.control("status")
    assert not is_in_memory(direct_mount.pid, marker)


def test_a_value_that_is_being_written_is_found_by_such_a_search(direct_mount, marker):
    """Or the tests above could not fail."""
    descriptor = os.open(direct_mount / "prod/NAME", os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(descriptor, marker * 60)
    assert is_in_memory(direct_mount.pid, marker)
    os.close(descriptor)


def test_a_service_that_quotes_the_value_does_not_get_it_into_the_errors(direct_mount, sandbox):
    value = "Vq7-secret-value-31415926"
    sandbox.fault({"operation": "fastly.put_secret", "status": 400, "detail": f"can't take {value!r}"})
    assert errno_of(write_file, direct_mount / "prod/NAME", value.encode()) == errno.EINVAL
    shown = direct_mount.control("errors") + direct_mount.log() + direct_mount.control("status")
    assert not any(value[offset:offset + 8] in shown for offset in range(len(value) - 7))
    assert "EINVAL" in direct_mount.control("errors")


def test_control_bytes_of_the_service_are_escaped(direct_mount, sandbox):
    sandbox.fault({"operation": "fastly.put_secret", "status": 403, "detail": "red \x1b[31m\nand a line"})
    assert errno_of(write_file, direct_mount / "prod/NAME", b"val") == errno.EACCES
    errors = direct_mount.control("errors")
    assert "\x1b" not in errors and r"red \u001b[31m and a line" in errors and len(errors.splitlines()) == 1


def test_the_token_is_not_in_the_environment(make_mount, direct, tmp_path):
    mountpoint = tmp_path / "mnt"
    mountpoint.mkdir()
    mounted = run_program([PROGRAM, "fastly:", mountpoint, "-o", direct.options], tmp_path, FASTLY_API_TOKEN=direct.token)
    assert mounted.returncode == 0, mounted.stderr
    daemon = daemon_at(mountpoint)
    try:
        with open(f"/proc/{daemon}/environ", "rb") as environ:
            assert direct.token.encode() not in environ.read()
        write_file(mountpoint / "prod/NAME", b"val")
    finally:
        subprocess.run(["umount", mountpoint], check=True)
        assert wait_for_end(daemon)


def test_no_core_no_debugger_no_privileges_to_gain(direct_mount):
    with open(f"/proc/{direct_mount.pid}/limits") as limits:
        (core,) = [line.split() for line in limits if line.startswith("Max core")]
    assert core[4:6] == ["0", "0"]
    # A process that can't be dumped is owned by root in /proc, and its memory maps are root's alone.
    assert os.stat(f"/proc/{direct_mount.pid}/fd").st_uid == 0


def test_nothing_of_a_value_reaches_the_log_even_when_debugging(make_mount, direct):
    mount = make_mount(direct, start=False)
    mount.arguments = lambda *more: [str(word) for word in (mount.program, mount.source, mount.path, "-o", mount.options, "-d")]
    mount.start()
    value = secrets.token_hex(200)
    write_file(mount / "prod/NAME", value.encode())
    mount.unmount()
    log = mount.log()
    assert log and direct.token not in log
    assert not any(value[offset:offset + 8] in log for offset in range(len(value) - 7))


def test_redirects_are_not_followed(make_mount, direct, sandbox):
    sandbox.put("prod", "NAME", b"old")
    mount = make_mount(direct, options="timeout=2")
    os.stat(mount / "prod/NAME")
    sandbox.fault({"operation": "fastly.put_secret", "status": 307, "header": f"Location:{sandbox.url}/elsewhere"})
    assert errno_of(write_file, mount / "prod/NAME", b"val") != 0
    assert sandbox.calls(path="/elsewhere*") == []
    assert sandbox.value("prod", "NAME") == b"old"


@pytest.mark.parametrize("variable", ["FASTLY_API_TOKEN", "FASTLY_API_KEY"])
def test_tokens_come_from_the_services_own_variables(tmp_path, direct, variable):
    mountpoint = tmp_path / "mnt"
    mountpoint.mkdir()
    mounted = run_program([PROGRAM, "fastly:", mountpoint, "-o", direct.options], tmp_path, **{variable: direct.token})
    assert mounted.returncode == 0, mounted.stderr
    daemon = daemon_at(mountpoint)
    subprocess.run(["umount", mountpoint], check=True)
    assert wait_for_end(daemon)


def test_an_address_and_the_signing_key_come_from_the_services_own_variables(make_mount, direct, sandbox):
    class Bare:
        source, token, options, sandbox = direct.source, direct.token, "", direct.sandbox
    mount = make_mount(Bare, FASTLY_API_ENDPOINT=direct.url + "/", FASTLY_USE_API_SIGNING_KEY="1")
    write_file(mount / "prod/NAME", b"val")
    assert sandbox.uploads() == [b"val"]


def test_signing_key_api(make_mount, direct, sandbox):
    class Bare:
        source, token, options, sandbox = direct.source, direct.token, f"endpoint={direct.url},signing_key=api", direct.sandbox
    mount = make_mount(Bare)
    write_file(mount / "prod/NAME", b"val")
    assert sandbox.uploads() == [b"val"]


def test_systemds_credentials(tmp_path, make_mount, direct):
    (tmp_path / "credentials").mkdir()
    credential = tmp_path / "credentials/sstorefs-token"
    credential.write_text(direct.token + "\n")
    credential.chmod(0o440)
    mount = make_mount(direct, start=False, CREDENTIALS_DIRECTORY=str(tmp_path / "credentials"))
    mount.options = direct.options
    mount.start()
    write_file(mount / "prod/NAME", b"val")
