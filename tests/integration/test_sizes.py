"""What is shown of a secret's size and times: what this mount knows from having written it, and nothing else."""

import errno
import os
import stat
import subprocess
import threading
import time

import pytest

from programs import close, errno_of, shell, write_file
from services import SERVICES

REMEMBERED = 4096
TIMES = (1_577_836_800_123_456_789, 1_609_459_200_987_654_321)  # accessed, modified
SEARCHABLE = "allow_other,umask=022"


@pytest.fixture(params=SERVICES)
def served(request, sandbox):
    return SERVICES[request.param]("direct", sandbox).make_store()


@pytest.fixture
def directory(make_mount, served, request):
    """The store's directory in a mount."""
    marker = request.node.get_closest_marker("mount_options")
    mount = make_mount(served, source=served.source, options=marker.args[0] if marker else "")
    served.mount = mount
    served.sandbox.clear()
    return mount / served.store


def size(path):
    return os.stat(path).st_size


def times(path):
    found = os.stat(path)
    return found.st_atime_ns, found.st_mtime_ns


def change_elsewhere(served, name, value=b"another value"):
    """Another client's write, at a moment that the service tells apart, and seen here."""
    served.put(served.store, name, value, **{"created": 1.7e9} if served.name in ("stripe", "github") else {})
    served.mount.refresh()


def test_what_was_not_written_here_has_one_byte_and_the_services_time(directory, served):
    served.put(served.store, "NAME", b"some value", created=1.7e9, **{"modified": 1.7e9} if served.name == "cloudflare" else {})
    found = os.stat(directory / "NAME")
    assert (found.st_size, found.st_blocks) == (1, 1)
    assert found.st_mtime == found.st_atime == found.st_ctime == 1.7e9


@pytest.mark.parametrize("value", [b"x", b"val\n", b"two\nlines\n", b"x" * 4999 + b"\n"], ids=["one", "line", "lines", "large"])
def test_what_was_written_here_has_the_length_that_was_written(directory, served, value):
    """The newline that is not stored as well: those who compare sizes compare with what they have."""
    before = time.time() - 0.1  # the clock of files ticks, and is as much as 10 ms behind
    write_file(directory / "NAME", value)
    found = os.stat(directory / "NAME")
    assert (found.st_size, found.st_blocks) == (len(value), (len(value) + 511) // 512)
    assert before <= found.st_mtime <= time.time() and found.st_atime == found.st_mtime
    created = shell("date -d $(getfattr --only-values -n user.created_at NAME) +%s", cwd=directory)
    assert int(found.st_ctime) == int(created.stdout)


@pytest.mark.mount_options("entry_timeout=0,attr_timeout=3600")
def test_a_lookup_shows_it(directory):
    write_file(directory / "NAME", b"val")
    os.utime(directory / "NAME", ns=TIMES)
    assert size(directory / "NAME") == 3 and times(directory / "NAME") == TIMES


@pytest.mark.mount_options("entry_timeout=3600,attr_timeout=3600")
def test_a_listing_shows_it(directory):
    """What READDIRPLUS brought, and a GETATTR after it."""
    write_file(directory / "NAME", b"val")
    os.utime(directory / "NAME", ns=TIMES)
    assert os.listdir(directory) == ["NAME"]
    assert size(directory / "NAME") == 3 and times(directory / "NAME") == TIMES
    opened = os.open(directory / "NAME", os.O_PATH)
    asked = subprocess.run(["stat", "-L", "--cached=never", "-c", "%s %.Y", f"/dev/fd/{opened}"], pass_fds=[opened], capture_output=True, text=True)
    os.close(opened)
    assert asked.stdout == f"3 {TIMES[1] // 10**9}.{TIMES[1] % 10**9}\n"


def test_it_lasts_until_another_client_changes_it(directory, served):
    write_file(directory / "NAME", b"val")
    served.mount.refresh()
    assert size(directory / "NAME") == 3
    change_elsewhere(served, "NAME")
    found = os.stat(directory / "NAME")
    assert found.st_size == 1 and found.st_mtime == found.st_ctime
    write_file(directory / "NAME", b"value")
    assert size(directory / "NAME") == 5


def test_what_another_client_deleted_and_made_anew_is_another(directory, served):
    write_file(directory / "NAME", b"val")
    served.delete(served.store, "NAME")
    change_elsewhere(served, "NAME")
    assert size(directory / "NAME") == 1


def test_what_was_removed_and_made_anew_elsewhere_is_another(directory, served):
    write_file(directory / "NAME", b"val")
    os.unlink(directory / "NAME")
    change_elsewhere(served, "NAME")
    assert size(directory / "NAME") == 1


def test_it_ends_with_the_mount(make_mount, served):
    mount = make_mount(served, source=served.source)
    write_file(mount / served.store / "NAME", b"val")
    mount.unmount()
    assert size(make_mount(served, source=served.source) / served.store / "NAME") == 1


def test_a_rename_takes_it_along(directory, served):
    if served.name == "stripe":
        return  # which can't rename
    write_file(directory / "OLD", b"val")
    os.utime(directory / "OLD", ns=TIMES)
    os.rename(directory / "OLD", directory / "NEW")
    served.mount.refresh()
    assert size(directory / "NEW") == 3 and times(directory / "NEW") == TIMES


def test_a_rename_of_what_was_not_written_here_knows_no_more(directory, served):
    if served.name != "cloudflare":
        return  # the others can't
    write_file(directory / "OLD", b"val")
    change_elsewhere(served, "OLD")
    assert size(directory / "OLD") == 1
    os.rename(directory / "OLD", directory / "NEW")
    assert size(directory / "NEW") == 1


def test_a_copy_that_the_service_made_has_it_too(directory, served):
    if served.name != "cloudflare":
        return
    write_file(directory / "OLD", b"val")
    os.link(directory / "OLD", directory / "NEW")
    served.mount.refresh()
    assert size(directory / "NEW") == size(directory / "OLD") == 3


def test_an_attribute_that_is_set_changes_no_length(directory, served):
    if served.name != "cloudflare":
        return
    write_file(directory / "NAME", b"val")
    os.utime(directory / "NAME", ns=TIMES)
    os.setxattr(directory / "NAME", "user.comment", b"x")
    served.mount.refresh()
    assert size(directory / "NAME") == 3 and times(directory / "NAME") == TIMES
    change_elsewhere(served, "NAME")
    assert size(directory / "NAME") == 1
    os.setxattr(directory / "NAME", "user.comment", b"y")
    assert size(directory / "NAME") == 1


@pytest.mark.mount_options("timeout=1")
def test_of_an_indeterminate_version_nothing_is_known(directory, served):
    """Where the service shows no change, too, when a value may or may not have been stored."""
    write_file(directory / "NAME", b"val")
    served.sandbox.fault({"operation": f"{served.name}.[ps]*_secret", "reset": "after"})
    assert errno_of(write_file, directory / "NAME", b"value") in (errno.EIO, errno.ETIMEDOUT)
    served.sandbox.clear_faults()
    served.mount.refresh()
    assert size(directory / "NAME") == 1


def test_a_refused_value_leaves_what_is_known_of_the_old_one(directory, served):
    write_file(directory / "NAME", b"val")
    os.utime(directory / "NAME", ns=TIMES)
    served.sandbox.fault({"operation": f"{served.name}.[ps]*_secret", "status": 403})
    assert errno_of(write_file, directory / "NAME", b"value") == errno.EACCES
    assert size(directory / "NAME") == 3 and times(directory / "NAME") == TIMES


def test_a_file_that_is_not_stored_yet_shows_what_was_written_so_far(directory, served):
    """And never nothing: who deletes what is empty must not take it away from its writer."""
    opened = os.open(directory / "NAME", os.O_WRONLY | os.O_CREAT, 0o600)
    assert size(directory / "NAME") == 1
    for length in (3, 6):
        os.write(opened, b"abc")
        assert size(directory / "NAME") == os.fstat(opened).st_size == os.lseek(opened, 0, os.SEEK_END) == length
    os.utime(opened, ns=TIMES)
    os.pwrite(opened, b"ABC", 0)
    assert times(directory / "NAME") > TIMES  # a write has a time of its own
    os.utime(opened, ns=TIMES)
    assert times(directory / "NAME") == TIMES
    close(opened)
    assert size(directory / "NAME") == 6 and times(directory / "NAME") == TIMES
    # A new value, over the old one.
    opened = os.open(directory / "NAME", os.O_WRONLY | os.O_TRUNC)
    assert size(directory / "NAME") == 6
    os.write(opened, b"x")
    assert size(directory / "NAME") == 1 and times(directory / "NAME") > TIMES
    close(opened)
    assert size(directory / "NAME") == 1 and len(served.sandbox.uploads("NAME")) == 2


def test_what_is_being_uploaded_shows_what_was_written(directory, served):
    served.put(served.store, "NAME", b"some value")
    served.sandbox.fault({"operation": f"{served.name}.[cps]*_secret*", "name": "NAME", "hold": "before"})
    opened = os.open(directory / "NAME", os.O_WRONLY)
    os.write(opened, b"val")
    closing = threading.Thread(target=close, args=[opened])
    closing.start()
    served.sandbox.wait_for_calls(1, operation=f"{served.name}.[cps]*_secret*", name="NAME", state="held", timeout=60)
    try:
        assert size(directory / "NAME") == 3
        os.utime(directory / "NAME", ns=TIMES)
    finally:
        served.sandbox.release()
        closing.join()
    served.mount.refresh()
    assert size(directory / "NAME") == 3 and times(directory / "NAME") == TIMES


def test_what_is_staged_shows_it_and_takes_it_along(directory, served):
    path = directory / ".NAME.x7Qp2k"
    opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(opened, b"val\n")
    close(opened)
    assert size(path) == 4
    os.utime(path, ns=TIMES)
    assert times(path) == TIMES
    os.rename(path, directory / "NAME")
    served.mount.refresh()
    assert size(directory / "NAME") == 4 and times(directory / "NAME") == TIMES


def test_times_of_what_was_written_here_can_be_set(directory, served):
    path = directory / "NAME"
    write_file(path, b"val")
    changed = os.stat(path).st_ctime_ns
    os.utime(path, ns=TIMES)
    assert times(path) == TIMES
    assert shell("touch -m -d @1000000000 NAME; touch -a -d @1100000000 NAME", cwd=directory).returncode == 0
    assert times(path) == (1_100_000_000 * 10**9, 1_000_000_000 * 10**9)
    assert shell("touch -d 3000-01-01T00:00:00Z NAME; stat -c %Y NAME", cwd=directory).stdout == "32503680000\n"
    os.utime(path)
    assert abs(os.stat(path).st_mtime - time.time()) < 60
    assert os.stat(path).st_ctime_ns == changed and len(served.sandbox.uploads()) == 1
    write_file(path, b"value")
    assert abs(os.stat(path).st_mtime - time.time()) < 60


def test_times_of_what_was_not_written_here_stay(directory, served):
    served.put(served.store, "NAME", b"val")
    before = times(directory / "NAME")
    os.utime(directory / "NAME", ns=TIMES)
    assert times(directory / "NAME") == before and served.sandbox.uploads() == []


@pytest.mark.parametrize("options,shown", [("", True), ("sizes=hidden", False), (SEARCHABLE, False), (f"{SEARCHABLE},sizes=shown", True),
                                           ("allow_other,sizes=hidden", False), ("default_permissions", True)])
def test_where_others_can_look_no_length_is_shown_unless_it_is_asked_for(make_mount, served, options, shown):
    directory = make_mount(served, source=served.source, options=options) / served.store
    opened = os.open(directory / "NAME", os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(opened, b"val")
    assert size(directory / "NAME") == os.fstat(opened).st_size == (3 if shown else 1)
    assert os.lseek(opened, 0, os.SEEK_END) == 3  # its writer's own question
    os.utime(opened, ns=TIMES)
    close(opened)
    assert size(directory / "NAME") == (3 if shown else 1) and times(directory / "NAME") == TIMES


def test_only_the_last_few_thousand_are_remembered(make_mount, sandbox):
    served = SERVICES["fastly"]("direct", sandbox).make_store()
    directory = make_mount(served, source=served.source) / served.store
    for number in range(REMEMBERED + 1):
        write_file(directory / f"NAME{number}", b"val")
    sizes = [size(directory / f"NAME{number}") for number in range(REMEMBERED + 1)]
    assert sizes == [1] + [3] * REMEMBERED


def test_what_replaces_a_secret_keeps_its_inode_size_and_times(directory):
    path, temporary = directory / "NAME", directory / "tmpk3v8q1zw"
    write_file(path, b"old")
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    os.write(descriptor, b"longer")
    os.close(descriptor)
    os.utime(temporary, ns=TIMES)
    number = os.stat(temporary).st_ino
    os.rename(temporary, path)
    assert (os.stat(path).st_ino, size(path), times(path)) == (number, 6, TIMES)


def test_directories_and_control_files_are_as_they_were(directory, served):
    write_file(directory / "NAME", b"val")
    os.utime(directory, ns=TIMES)
    assert stat.S_ISDIR(os.stat(directory).st_mode) and size(directory) == 0 and times(directory) != TIMES
    assert size(served.mount.path / ".sstorefs/refresh") == 0
