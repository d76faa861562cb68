"""Who may do what: real users in real mounts (SECURITY.md, "Users of this machine")."""

import pytest
from mounting import run_program
from world import NOBODY, USERS

# What a visitor can do. Nobody reads a value, makes a symbolic link, or gives a file more permissions or another owner, ever.
NEVER = {"read", "link", "chmod", "chown"}
LIST = {"look", "list"}
WRITE = LIST | {"attributes", "write", "control"}
OWN = LIST | {"attributes", "write", "control", "status", "errors", "metrics", "refresh"}
CHANGE = {"create", "remove", "rename", "store"}
ALL = OWN | CHANGE
DENIED = {"EACCES", "EPERM"}

# mount options: what root, nobody and another user can do.
MOUNTED = {
    "": (ALL, set(), set()),
    "default_permissions": (ALL, set(), set()),
    "uid=65534,gid=65534,umask=0": (ALL | {"chmod"}, set(), set()),
    "default_permissions,uid=65534": (ALL, set(), set()),
    "allow_other": (ALL, {"look"}, {"look"}),
    "allow_other,uid=65534": (ALL, ALL, {"look"}),
    "allow_other,uid=nobody,gid=nogroup": (ALL, ALL, {"look"}),
    "allow_other,umask=022": (ALL, LIST | {"control"}, LIST | {"control"}),
    "allow_other,gid=65534,umask=007": (ALL, WRITE | CHANGE | {"metrics"}, {"look"}),
    "allow_other,umask=0": (ALL | {"chmod"}, WRITE | CHANGE, WRITE | CHANGE),
}
# kernel's options, ours, the daemon's user: the same, on a descriptor that somebody else has mounted.
DESCRIPTORS = {
    ("", "", 0): (ALL, set(), set()),
    ("", "", NOBODY): (set(), ALL, set()),
    ("default_permissions", "default_permissions", NOBODY): (set(), ALL, set()),
    ("default_permissions", "default_permissions,uid=0", NOBODY): (set(), {"look"}, set()),
    ("allow_other,default_permissions", "allow_other,default_permissions", NOBODY): (ALL, ALL, {"look"}),
    ("allow_other,default_permissions", "allow_other,default_permissions,uid=12345", NOBODY): (ALL, {"look"}, ALL),
    ("user_id=12345,group_id=12345", "", NOBODY): (set(), set(), ALL),
}


@pytest.fixture
def secrets(sandbox):
    for user in USERS:
        for number in (1, 2, 3):
            sandbox.put("prod", f"{user}_{number}", b"old value")


def check(world, allowed):
    """Everybody tries everything. What is not allowed is refused, for want of permission."""
    for (user, uid), expected in zip(USERS.items(), allowed):
        outcomes = world.visit(uid, tag=user)
        done = {operation for operation, outcome in outcomes.items() if outcome == "done"}
        assert done == expected, f"{user}: {outcomes}"
        for operation in (OWN | CHANGE | NEVER) - expected:
            if operation == "rename" and "create" not in expected:
                continue  # there is nothing to rename
            assert outcomes[operation] in DENIED, f"{user}: {operation}: {outcomes}"


@pytest.mark.parametrize("options", MOUNTED)
def test_a_mount(world, sandbox, secrets, options):
    world.mount(options)
    check(world, MOUNTED[options])


@pytest.mark.parametrize("kernel, options, user", DESCRIPTORS)
def test_a_descriptor_that_is_mounted_already(world, sandbox, secrets, kernel, options, user):
    world.mount_descriptor(kernel, options, user)
    check(world, DESCRIPTORS[kernel, options, user])


def test_read_only(world, sandbox, secrets):
    world.mount("ro")
    outcomes = world.visit(0, tag="root")
    for operation in ("write", "create", "remove", "store", "chmod", "refresh"):
        assert outcomes[operation] == "EROFS", outcomes
    assert {operation for operation, outcome in outcomes.items() if outcome == "done"} == ALL - CHANGE - {"write", "refresh"}


def test_nocreate(world, sandbox, secrets):
    world.mount("nocreate,allow_other,uid=65534")
    for user in ("root", "nobody"):
        outcomes = world.visit(USERS[user], tag=user)
        for operation in ("create", "remove", "store", "link", "setxattr"):
            assert outcomes[operation] == "EPERM", outcomes
        assert outcomes["write"] == "done" and sandbox.value("prod", f"{user}_1") == b"val"
    assert sandbox.calls(operation="fastly.delete_secret") == []


def test_a_descriptor_open_to_all_is_refused_unless_the_kernel_checks(world, sandbox):
    """As far as we are told. An opener who says nothing of it lets everybody in, and only he could know."""
    world.token(owner=NOBODY)
    words = [world.program, "fastly:", "/dev/fd/9", "-f", "-o", world.options("allow_other")]
    refused = run_program(words, world.logs)
    assert refused.returncode == 1 and "default_permissions" in refused.stderr
