"""Who may do what: real users in real mounts (SECURITY.md, "Users of this machine")."""

import json
import os
import subprocess

import pytest
from daemon import run_program
from private_mount import NOBODY, OTHER, PYTHON, USERS

# What another user can do. No process reads a value or makes a symbolic link, ever; chmod and chown change nothing that is shown.
NEVER = {"read", "link"}
LIST = {"look", "list"}
WRITE = LIST | {"attributes", "write", "control"}
OWN = LIST | {"attributes", "write", "control", "status", "errors", "metrics", "refresh"}
CHANGE = {"create", "remove", "rename", "store"}
ALL = OWN | CHANGE
OWNER = ALL | {"chmod"}
ROOT = OWNER | {"chown"}
DENIED = {"EACCES", "EPERM"}

# mount options: what root, nobody and another user can do.
MOUNTED = {
    "": (ROOT, set(), set()),
    "default_permissions": (ROOT, set(), set()),
    "uid=65534,gid=65534,umask=0": (ROOT, set(), set()),
    "default_permissions,uid=65534": (ROOT, set(), set()),
    "allow_other": (ROOT, {"look"}, {"look"}),
    "allow_other,uid=65534": (ROOT, OWNER, {"look"}),
    "allow_other,uid=nobody,gid=nogroup": (ROOT, OWNER, {"look"}),
    "allow_other,umask=022": (ROOT, LIST | {"control"}, LIST | {"control"}),
    "allow_other,gid=65534,umask=007": (ROOT, WRITE | CHANGE | {"metrics"}, {"look"}),
    "allow_other,umask=0": (ROOT, WRITE | CHANGE, WRITE | CHANGE),
}
# kernel's options, ours, the daemon's user: the same, on a descriptor that another process has mounted.
DESCRIPTORS = {
    ("", "", 0): (ROOT, set(), set()),
    ("", "", NOBODY): (set(), OWNER, set()),
    ("default_permissions", "default_permissions", NOBODY): (set(), OWNER, set()),
    ("default_permissions", "default_permissions,uid=0", NOBODY): (set(), {"look"}, set()),
    ("allow_other,default_permissions", "allow_other,default_permissions", NOBODY): (ROOT, OWNER, {"look"}),
    ("allow_other,default_permissions", "allow_other,default_permissions,uid=12345", NOBODY): (ROOT, {"look"}, OWNER),
    ("user_id=12345,group_id=12345", "", NOBODY): (set(), set(), ALL),
}


@pytest.fixture
def secrets(sandbox):
    for user in USERS:
        for number in (1, 2, 3):
            sandbox.put("prod", f"{user}_{number}", b"old value")


def check(private_mount, allowed):
    """Every user tries every operation. Others than the allowed ones are refused for want of permission."""
    for (user, uid), expected in zip(USERS.items(), allowed):
        outcomes = private_mount.visit(uid, tag=user)
        done = {operation for operation, outcome in outcomes.items() if outcome == "done"}
        assert done == expected, f"{user}: {outcomes}"
        for operation in (ROOT | NEVER) - expected:
            if operation == "rename" and "create" not in expected:
                continue  # there is nothing to rename
            assert outcomes[operation] in DENIED, f"{user}: {operation}: {outcomes}"


@pytest.mark.parametrize("options", MOUNTED)
def test_a_mount(private_mount, sandbox, secrets, options):
    private_mount.mount(options)
    check(private_mount, MOUNTED[options])


@pytest.mark.parametrize("kernel, options, user", DESCRIPTORS)
def test_a_descriptor_that_is_mounted_already(private_mount, sandbox, secrets, kernel, options, user):
    private_mount.mount_descriptor(kernel, options, user)
    check(private_mount, DESCRIPTORS[kernel, options, user])


def test_read_only(private_mount, sandbox, secrets):
    private_mount.mount("ro")
    outcomes = private_mount.visit(0, tag="root")
    for operation in ("write", "create", "remove", "store", "link", "chmod", "chown", "setxattr"):
        assert outcomes[operation] == "EROFS", outcomes
    assert {operation for operation, outcome in outcomes.items() if outcome == "done"} == ALL - CHANGE - {"write"}


GROUP, OTHER_GROUP = 5432, 6543
# Users other than root, in the groups GROUP and OTHER_GROUP, and a file of OTHER and GROUP: each may do what an ordinary file would allow.
ATTEMPTS = {
    "mode": ("chmod", 0o6664),
    "no permissions": ("chmod", 0),
    "another owner": ("chown", 1, -1),
    "the same owner": ("chown", OTHER, -1),
    "the same group": ("chown", -1, GROUP),
    "another group of the user's": ("chown", -1, OTHER_GROUP),
    "a group that is not the user's": ("chown", -1, 1),
}
OWNERS = {"another owner": "EPERM", "a group that is not the user's": "EPERM"}
TRY = """
import errno, json, os, sys
outcomes = {}
for what, (call, *words) in json.loads(sys.argv[2]).items():
    try:
        getattr(os, call)(sys.argv[1], *words)
        outcomes[what] = "done"
    except OSError as why:
        outcomes[what] = errno.errorcode[why.errno]
print(json.dumps(outcomes))
"""


@pytest.mark.parametrize("kernel, options", [("", ""), ("default_permissions", "default_permissions")], ids=["asked here", "asked in the kernel"])
def test_the_owner_of_a_file_may_do_to_it_what_is_possible_elsewhere(private_mount, sandbox, secrets, kernel, options):
    """As an ordinary file beside it says, too; and nothing is changed by it."""
    private_mount.mount_descriptor(kernel, ",".join(filter(None, [options, f"uid={OTHER},gid={GROUP},umask=0"])), OTHER)
    ordinary = private_mount.work / "ordinary"
    ordinary.write_bytes(b"")
    os.chown(ordinary, OTHER, GROUP)
    expected = {what: OWNERS.get(what, "done") for what in ATTEMPTS}
    secret = private_mount.mountpoint / "prod/root_1"
    for name in ordinary, secret, private_mount.mountpoint / "prod", private_mount.mountpoint, private_mount.mountpoint / ".sstorefs/errors":
        done = subprocess.run([PYTHON, "-c", TRY, name, json.dumps(ATTEMPTS)], capture_output=True, text=True, check=True, cwd="/",
                              user=OTHER, group=OTHER, extra_groups=[GROUP, OTHER_GROUP])
        if name != ordinary or kernel:
            assert json.loads(done.stdout) == expected, name
    look = subprocess.run(["stat", "-c", "%A %u %g", secret], capture_output=True, text=True, check=True, user=OTHER, group=OTHER, extra_groups=[])
    assert look.stdout.split()[1:] == [str(OTHER), str(GROUP)] and "w" in look.stdout and "s" not in look.stdout


def test_nocreate(private_mount, sandbox, secrets):
    private_mount.mount("nocreate,allow_other,uid=65534")
    for user in ("root", "nobody"):
        outcomes = private_mount.visit(USERS[user], tag=user)
        for operation in ("create", "remove", "store", "link", "setxattr"):
            assert outcomes[operation] == "EPERM", outcomes
        assert outcomes["write"] == "done" and sandbox.value("prod", f"{user}_1") == b"val"
    assert sandbox.calls(operation="fastly.delete_secret") == []


def test_a_descriptor_open_to_all_is_refused_unless_the_kernel_checks(private_mount, sandbox):
    """As far as the options show it. An opener that leaves out allow_other's counterpart lets every user in, and only it can know."""
    private_mount.token(owner=NOBODY)
    arguments = [private_mount.program, "fastly:", "/dev/fd/9", "-f", "-o", private_mount.options("allow_other")]
    refused = run_program(arguments, private_mount.logs)
    assert refused.returncode == 1 and "default_permissions" in refused.stderr
