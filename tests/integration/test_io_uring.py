"""Writes by io_uring, as libuv (Node.js 20.3 to 20.10, or UV_USE_IO_URING=1) does them."""

import errno
import subprocess
from pathlib import Path

import pytest

from waiting import PROGRAM_TIMEOUT


@pytest.fixture(scope="session")
def write(tmp_path_factory):
    program = tmp_path_factory.mktemp("programs") / "io_uring_write"
    source = Path(__file__).with_name("io_uring_write.c")
    subprocess.run(["cc", "-O1", "-Wall", "-Werror", "-o", program, source, "-luring"], check=True)

    def run(path, value, how):
        done = subprocess.run([program, path, value, how], capture_output=True, text=True, timeout=PROGRAM_TIMEOUT)
        assert done.stderr == ""
        return done.returncode
    return run


@pytest.mark.parametrize("how", ["forward", "backward", "append", "close"])
def test_what_it_writes_is_stored(place, write, how):
    assert write(place / "NAME", "value", how) == 0
    assert place.uploads() == [b"value"] and place.value("NAME") == b"value"


def test_a_write_at_the_current_position_is_whole_or_refused(place, write):
    """Linux (6.18 and before) sends each of them to the beginning of the file, so that the last was all that was stored."""
    assert write(place / "ONE", "v", "current") == 0
    assert place.value("ONE") == b"v"
    status = write(place / "NAME", "value", "current")
    if status == 0:
        assert place.value("NAME") == b"value"
        return
    assert status == errno.ESPIPE and place.value("NAME") is None
    (line,) = place.errors()
    assert line[1:4] == ["write", f"{place.store}/NAME", "ESPIPE"] and "UV_USE_IO_URING=0" in line[-1]


def test_its_close_tells_what_became_of_it(direct_mount, sandbox, write):
    sandbox.fault(operation="fastly.put_secret", status=403)
    assert write(direct_mount / "prod/NAME", "value", "close") == errno.EACCES
    assert sandbox.uploads() == []
