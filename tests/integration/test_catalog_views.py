"""Directories that are open while what is in them changes: their own view, with offsets that hold (doc/semantics.md, chapter 6)."""

import os
import random

import pytest

from dirents import Raw, Stream
from programs import shell, write_file


@pytest.fixture
def prod(direct_mount, sandbox):
    sandbox.seed("prod", 500)
    return direct_mount / "prod"


def positions_of(stream):
    """{position: the name that begins there}, in order."""
    found = {}
    while True:
        position = stream.tell()
        name = stream.next()
        if name is None:
            return found
        found[position] = name


def test_every_position_leads_back(prod):
    with Stream(prod) as stream:
        found = positions_of(stream)
        assert len(found) == 502
        places = list(found)
        for position in random.Random(1).sample(places, len(places)):
            stream.seek(position)
            assert stream.next() == found[position]


def test_positions_hold_while_the_directory_changes(prod, direct_mount, sandbox):
    with Stream(prod) as stream:
        found = positions_of(stream)
        places = [place for place in found if found[place].startswith("SECRET")]
        # Deleted and made by us, by others, and all read anew by another process.
        for number in range(0, 500, 7):
            os.unlink(prod / f"SECRET_{number:07}")
        for number in range(1, 500, 7):
            sandbox.delete("prod", f"SECRET_{number:07}")
        sandbox.put("prod", "THEIRS", b"x")
        write_file(prod / "OURS", b"x")
        direct_mount.refresh()
        there = set(os.listdir(prod))
        assert {"THEIRS", "OURS"} <= there and len(there) < 450
        for position in random.Random(2).sample(places, len(places)):
            stream.seek(position)
            expected = [found[place] for place in places if place >= position and found[place] in there]
            assert stream.next() == next(iter(expected), None) or found[position] not in there
        stream.seek(places[250])
        assert [name for name in stream.rest() if name != "OURS"] == [found[place] for place in places[250:] if found[place] in there]


def test_what_stays_is_seen_once_whatever_else_comes_and_goes(prod):
    """Between every two answers of the kernel something is deleted, something made, something replaced."""
    numbers = iter(range(1000))
    seen = []
    with Raw(prod) as directory:
        for step in iter(directory.step, []):
            seen += [name for name, *_ in step]
            number = next(numbers)
            write_file(prod / f"NEW_{number}", b"x")
            if number % 3 == 0:
                os.unlink(prod / f"NEW_{number}")
            write_file(prod / f"SECRET_{(number * 17) % 500:07}", b"replaced")
    old = [name for name in seen if name.startswith("SECRET")]
    assert len(old) == 500 and len(set(old)) == 500
    assert len(seen) == len(set(seen))


def test_rm_r_while_it_reads(prod, sandbox):
    assert shell("rm -r prod", cwd=prod.parent).returncode == 0
    assert not prod.exists()
    assert len(sandbox.calls(operation="fastly.delete_secret")) == 500


def test_rewinding_shows_what_there_is_now(prod, direct_mount, sandbox):
    with Stream(prod) as stream:
        assert len(stream.rest()) == 500
        sandbox.delete("prod", "SECRET_0000000")
        sandbox.put("prod", "THEIRS", b"x")
        write_file(prod / "OURS", b"x")
        direct_mount.refresh()
        stream.rewind()
        now = set(stream.rest())
        assert {"THEIRS", "OURS"} <= now and "SECRET_0000000" not in now and len(now) == 501
        stream.rewind()
        assert set(stream.rest()) == now


def test_positions_of_before_the_beginning_was_sought_again_hold(prod, direct_mount, sandbox):
    """seekdir() to the first position is not rewinddir(), though the kernel can't tell."""
    with Stream(prod) as stream:
        found = positions_of(stream)
        places = list(found)
        for number in range(100):
            sandbox.delete("prod", f"SECRET_{number:07}")
        direct_mount.refresh()
        stream.seek(places[0])
        assert len(stream.rest()) == 400
        for position in places[150:300]:
            stream.seek(position)
            assert stream.next() == found[position]


@pytest.mark.parametrize("offset", [3, 5, 17, 1001, 2**20, 2**31, 2**32 + 3, 2**48 - 1, 2**48, 2**49 + 5, 2**50, 2**62, 2**63 - 1])
def test_positions_that_were_never_given_out_do_no_harm(prod, direct_mount, offset):
    os.listdir(prod)
    with Raw(prod) as directory:
        directory.seek(offset)
        names = [name for name, *_ in directory.entries()]
        assert all(name in (".", "..") or name.startswith("SECRET_") and len(name) == 14 for name in names)
        directory.seek(0)
        assert len(directory.entries()) == 502
    assert direct_mount.process.poll() is None


def test_any_position_at_all_does_no_harm(prod):
    numbers = random.Random(3)
    with Raw(prod, 4096) as directory:
        for _ in range(3000):
            directory.seek(numbers.randrange(0, 12000))
            assert all(name in (".", "..") or name.startswith("SECRET_") for name, *_ in directory.step())


def test_an_open_directory_of_old_keeps_its_view(prod, direct_mount, sandbox):
    assert len(os.listdir(prod)) == 500
    with Raw(prod) as directory:
        first = directory.step()
        sandbox.put("prod", "THEIRS", b"x")
        direct_mount.refresh()
        assert "THEIRS" in os.listdir(prod)
        names = [name for name, *_ in first + directory.entries()]
        assert len(names) == 502 and "THEIRS" not in names


def test_what_is_being_written_is_shown_once(prod):
    descriptors = [os.open(prod / f"OPEN_{number}", os.O_WRONLY | os.O_CREAT) for number in range(30)]
    names = os.listdir(prod)
    assert len(names) == 530 and len(set(names)) == 530
    for descriptor in descriptors:
        os.write(descriptor, b"val")
        os.close(descriptor)
    names = os.listdir(prod)
    assert len(names) == 530 and len(set(names)) == 530


def test_numbers_are_those_of_the_files(prod):
    with Raw(prod) as directory:
        entries = directory.entries()
    numbers = {name: inode for name, _, inode in entries}
    assert numbers["SECRET_0000007"] == os.stat(prod / "SECRET_0000007").st_ino
    assert numbers["."] == os.stat(prod).st_ino
    assert len(set(numbers.values())) >= 501


def test_a_descriptor_of_the_directory_can_be_listed_again_and_again(prod, direct_mount, sandbox):
    descriptor = os.open(prod, os.O_RDONLY)
    try:
        for number in range(5):
            sandbox.put("prod", f"THEIRS_{number}", b"x")
            direct_mount.refresh()
            assert len(os.listdir(descriptor)) == 501 + number
    finally:
        os.close(descriptor)


def test_own_changes_during_a_walk_are_never_undone(direct_mount, sandbox):
    sandbox.seed("prod", 600)
    prod = direct_mount / "prod"
    sandbox.fault(operation="fastly.list_secrets", hold="after", after=1, times=1)
    with Raw(prod) as directory:
        while directory.step()[-1][0] != "SECRET_0000199":
            pass
    # The second page was read at the service before our changes, and comes after them. No listing waits for it: a process that
    # reads a directory keeps all others from changing it, in the kernel.
    sandbox.wait_for_call("fastly.list_secrets", state="held")
    os.unlink(prod / "SECRET_0000100")
    os.unlink(prod / "SECRET_0000300")
    os.unlink(prod / "SECRET_0000500")
    write_file(prod / "SECRET_0000301", b"replaced")
    write_file(prod / "AAA", b"new")
    digest = os.getxattr(prod / "SECRET_0000301", "user.digest")
    sandbox.release()
    names = set(os.listdir(prod))
    assert names == {f"SECRET_{number:07}" for number in range(600)} - {
        "SECRET_0000100", "SECRET_0000300", "SECRET_0000500"} | {"AAA"}
    assert os.getxattr(prod / "SECRET_0000301", "user.digest") == digest
    assert len(sandbox.calls(operation="fastly.list_secrets")) == 3
