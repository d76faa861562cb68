"""The fixtures of all tests that mount, and two programs that the matrix needs."""

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from fixtures import *  # noqa: F401, F403

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="session")
def kill_after_write(tmp_path_factory):
    """The program that kills a writer just after it has written."""
    program = tmp_path_factory.mktemp("programs") / "kill_after_write"
    subprocess.run(["cc", "-O1", "-Wall", "-Werror", "-o", program, HERE / "kill_after_write.c"], check=True)
    return program


@pytest.fixture(scope="session")
def gnupg_home():
    """Holds the socket of the agent. The path of a socket has at most 107 bytes: pytest's own directories are too deep."""
    with TemporaryDirectory(prefix="gnupg") as home:
        yield home
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=True)
