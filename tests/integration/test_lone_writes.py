"""What a write costs that comes alone, after an hour without any use of the mount: nothing is asked that the write itself brings (doc/semantics.md, chapter 6)."""

import json
import os

import pytest

from programs import PYTHON, shell
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
    mount = make_mount(direct, options="ttl=1,attr_timeout=0,entry_timeout=0")
    sandbox.put("prod", "NAME", b"val")
    os.stat(mount / "prod/NAME")
    before = os.getxattr(mount / "prod/NAME", "user.digest")
    let_expire(mount)
    sandbox.put("prod", "NAME", b"by another client")
    assert os.getxattr(mount / "prod/NAME", "user.digest") == before, "the old answer comes at once"
    wait_until(lambda: os.getxattr(mount / "prod/NAME", "user.digest") != before)
