"""What a write costs that comes alone, after an hour without any use of the mount: nothing is asked that the write itself brings (doc/semantics.md, chapter 6)."""

import errno
import json
import os

import pytest

from programs import PYTHON, errno_of, shell
from services import Cloudflare
from waiting import wait_until

WRITES = {
    "echo": 'echo val > "$NAME"',
    "echo and sync": 'echo val > "$NAME" && sync "$NAME"',
    "dd": 'echo val | dd of="$NAME" conv=fsync status=none',
    "cp": 'cp /etc/hostname "$NAME"',
    "test and echo": '[ -e "$NAME" ]; echo val > "$NAME"',
    "a slow writer": f"""{PYTHON} -c 'import os, time; file = open(os.environ["NAME"], "w"); time.sleep(0.4); file.write("val")'""",
}


def let_expire(mount):
    """Key and listings: what an hour does, in seconds."""
    def has_expired():
        status = json.loads(mount.control("status"))
        return status["client_key_seconds_left"] is None and not any(listing["fresh"] for listing in status["listings"])

    wait_until(has_expired, lambda: mount.control("status"))


@pytest.mark.parametrize("source", ["fastly:", "fastly:prod"])
def test_on_fastly_it_is_two_calls(make_mount, direct, sandbox, source):
    """A client key, and the write; from any process, whether the name exists or not."""
    sandbox.variant(fastly__client_key_lifetime=2)
    sandbox.seed("prod", 250)
    mount = make_mount(direct, source=source, options="ttl=1,negative_ttl=1")
    store = mount.path if source.endswith("prod") else mount / "prod"
    assert len(os.listdir(store)) == 250
    let_expire(mount)
    for number, (what, command) in enumerate(WRITES.items()):
        name = f"NEW{number}" if number % 2 == (store == mount.path) else f"SECRET_000000{number}"
        sandbox.clear()
        done = shell(command, NAME=store / name)
        assert done.returncode == 0, done.stderr
        let_expire(mount)  # by then a refresh that was put off is made
        assert [call["operation"] for call in sandbox.calls()] == ["fastly.create_client_key", "fastly.put_secret"], (what, name)


def test_what_is_only_looked_at_is_asked_for_a_moment_later(make_mount, direct, sandbox):
    mount = make_mount(direct, options="ttl=1,attr_timeout=0,entry_timeout=0,signing_key=api")
    sandbox.put("prod", "NAME", b"val")
    os.stat(mount / "prod/NAME")
    before = os.getxattr(mount / "prod/NAME", "user.digest")
    let_expire(mount)
    sandbox.put("prod", "NAME", b"by another client")
    assert os.getxattr(mount / "prod/NAME", "user.digest") == before, "the old answer comes at once"
    wait_until(lambda: os.getxattr(mount / "prod/NAME", "user.digest") != before)


FIRST_WRITES = {
    "echo": 'echo val > "$NAME"',
    "dash": """dash -c 'echo val > "$NAME"'""",
    "dd": 'echo val | dd of="$NAME" conv=fsync status=none',
    "tee": 'echo val | tee "$NAME"',
    "python": f"""{PYTHON} -c 'import os; open(os.environ["NAME"], "w").write("val")'""",
}


@pytest.mark.parametrize("what", FIRST_WRITES)
def test_start_and_first_write_of_a_new_name_are_two_calls_on_cloudflare(make_mount, sandbox, what):
    """The stores, and the write: whether the name is taken, the write finds out."""
    service = Cloudflare("direct", sandbox).make_store()
    sandbox.seed("prod", 3, service="cloudflare")
    for source, store in (service.source, "prod"), (f"{service.source}/prod", ""):
        sandbox.clear()
        mount = make_mount(service, source=source)
        name = f"NEW{len(source)}"
        assert shell(FIRST_WRITES[what], NAME=mount / store / name).returncode == 0
        assert service.names() == ["list_stores", "create_secrets"]
        assert service.value("prod", name) in (b"val", b"val\n")
        assert (mount / store / name).stat().st_size in (3, 4)


def test_a_first_write_of_a_name_that_is_taken_replaces_it(make_mount, sandbox):
    service = Cloudflare("direct", sandbox).make_store()
    service.put("prod", "NAME", b"old")
    mount = make_mount(service)
    sandbox.clear()
    assert shell('echo val > "$NAME"', NAME=mount / "prod/NAME").returncode == 0
    assert service.value("prod", "NAME") == b"val"
    assert service.names()[0] == "create_secrets" and service.names()[-1] == "patch_secret" and len(service.calls()) <= 3


@pytest.mark.parametrize("command, says", [('[ -e "$NAME" ]', 0), ('set -C; echo val > "$NAME"', 1), ('echo val >> "$NAME"', 1), ('stat "$NAME"', 0),
                                           ('mkdir "$NAME"', 1)])
def test_an_open_for_more_than_writing_shows_the_truth(make_mount, sandbox, command, says):
    service = Cloudflare("direct", sandbox).make_store()
    service.put("prod", "NAME", b"old")
    mount = make_mount(service)
    assert (shell(command, NAME=mount / "prod/NAME").returncode != 0) == bool(says)
    assert service.value("prod", "NAME") == b"old"


@pytest.mark.parametrize("exists", [True, False])
def test_a_first_write_that_is_refused_is_reported_by_sync(make_mount, sandbox, exists):
    """`echo` ignores the error of close: `sync` says it, whether there was an old value or not, and a refused create leaves no file."""
    service = Cloudflare("direct", sandbox).make_store()
    if exists:
        service.put("prod", "NAME", b"old")
    mount = make_mount(service)
    service.fault("*", method="POST", status=403)
    assert shell('echo val > "$NAME"', NAME=mount / "prod/NAME").returncode == 0
    refused = shell('sync "$NAME"', NAME=mount / "prod/NAME")
    assert refused.returncode != 0 and ("denied" in refused.stderr) == exists
    assert (mount / "prod/NAME").exists() == exists
    assert service.value("prod", "NAME") == (b"old" if exists else None)


@pytest.fixture
def first_write(place):
    """A descriptor of NAME, which the service has, opened without a call where that can be (Stripe's expiry takes one), with a value that is not stored yet."""
    place.put("NAME", b"old")
    descriptor = os.open(place / "NAME", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.write(descriptor, b"new")
    yield descriptor
    os.close(descriptor)


def test_what_was_written_first_and_is_unlinked_is_not_at_the_service_either(place, first_write):
    os.unlink(place / "NAME")
    assert place.value("NAME") is None


def test_what_was_written_first_and_gets_another_name_leaves_none_behind(place, first_write):
    """Where the service has no rename the error says so: NAME is there, and nothing of it can be sent again."""
    error = errno_of(os.rename, place / "NAME", place / "OTHER")
    os.fsync(first_write)
    assert error in (0, errno.EOPNOTSUPP)
    assert (place.value("NAME"), place.value("OTHER")) == ((b"new", None) if error else (None, b"new"))


def test_what_was_written_first_and_is_new_takes_its_value_along(place):
    descriptor = os.open(place / "NAME", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.write(descriptor, b"new")
    os.rename(place / "NAME", place / "OTHER")
    os.close(descriptor)
    assert (place.value("NAME"), place.value("OTHER")) == (None, b"new")
