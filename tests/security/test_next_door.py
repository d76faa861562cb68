"""A program of the daemon's own user, which shares its process numbers, can't look into anything of ours (SECURITY.md)."""

import shutil

import pytest

from daemon import BUILD, PROGRAM
from neighbour import Neighbour


@pytest.fixture
def installed(private_mount):
    """The programs as they are installed: root's, and not to be read by others."""
    programs = {}
    for program in (PROGRAM, BUILD / "src/mount-proxy/sstorefs-mount-proxy"):
        programs[program.name] = shutil.copy(program, private_mount.work)
        (private_mount.work / program.name).chmod(0o711)
    return programs


@pytest.fixture
def beside(private_mount, sandbox):
    started = []

    def start(arguments, **more):
        started.append(Neighbour(private_mount.work, arguments, private_mount.service.token, **more))
        return started[-1]

    yield start
    for one in started:
        one.finish()


def options(private_mount, token="vault/token"):
    return f"token_file={private_mount.work}/{token},{private_mount.service.options}"


@pytest.mark.parametrize("program", ["sstorefs", "sstorefs-mount-proxy"])
def test_nothing_is_seen_of_a_program_from_its_first_instruction_on(installed, beside, program):
    """Not even where it is stopped before it could do anything for itself."""
    process = beside([installed[program], "--help"], stopped=True)
    assert process.steal() == "{}"


def test_the_helper_that_waits_for_the_mount_shows_nothing(private_mount, installed, beside, tmp_path):
    """It may wait for half a minute."""
    process = beside([private_mount.work / "sstorefs-mount-proxy", "--request", private_mount.work / "absent", "--", installed["sstorefs"]])
    assert process.steal() == "{}"


@pytest.mark.parametrize("arguments", [("--check", "fastly:"), ("fastly:", "{mountpoint}", "-f"), ("fastly:", "{mountpoint}")],
                         ids=["a check", "the daemon", "the parent of a daemon"])
def test_what_waits_for_the_service_shows_nothing(private_mount, installed, beside, sandbox, devices, arguments):
    """Its program not being the installed one, the first thing it does has to be enough."""
    sandbox.fault(operation="fastly.list_stores", hold="before")
    (private_mount.work / "sstorefs").chmod(0o755)
    private_mount.mountpoint.chmod(0o777)
    process = beside([installed["sstorefs"], *(word.format(mountpoint=private_mount.mountpoint) for word in arguments), "-o", options(private_mount)])
    sandbox.wait_for_call("fastly.list_stores", state="held")
    assert process.steal() == "{}"
    sandbox.release()


def test_the_theft_is_possible_where_nothing_hinders_it(private_mount, beside, tmp_path):
    """Or the tests above could not fail."""
    program = shutil.copy("/bin/sleep", private_mount.work)
    assert private_mount.service.token in beside([program, "60"]).steal()
