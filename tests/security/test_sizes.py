"""Who learns how long a value is (SECURITY.md, "Users of this machine")."""

import os
import subprocess

import pytest
from private_mount import NOBODY, OTHER, PYTHON, as_user
from programs import close

LOOK = "import os, sys; print(os.stat(sys.argv[1]).st_size)"


def size_for(user, path):
    """What stat(2) tells this user; None: nothing."""
    done = subprocess.run([PYTHON, "-c", LOOK, path], capture_output=True, text=True, timeout=60, cwd="/", **as_user(user))
    return int(done.stdout) if done.returncode == 0 else None


# options: what the mounter sees, and what others see
TOLD = {
    "": (9, None),
    "umask=0": (9, None),
    "allow_other,umask=022": (1, 1),
    "allow_other,umask=0": (1, 1),
    "allow_other,umask=022,sizes=shown": (9, 9),
    "allow_other,umask=077,sizes=shown": (9, None),
    "allow_other,umask=022,sizes=hidden": (1, 1),
    "sizes=hidden": (1, None),
}


@pytest.mark.parametrize("options", TOLD)
def test_others_learn_no_length_unless_it_is_asked_for(private_mount, sandbox, options):
    """While it is written, and once it is stored."""
    private_mount.mount(options)
    path = private_mount.mountpoint / "prod/NAME"
    opened = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(opened, b"nine byte")
    for _ in ("open", "stored"):
        assert size_for(0, path) == TOLD[options][0]
        for user in (NOBODY, OTHER):
            assert size_for(user, path) == TOLD[options][1]
        if opened is not None:
            close(opened)
            opened = None
    assert sandbox.uploads() == [b"nine byte"]


def test_on_a_descriptor_it_is_as_the_daemons_options_say(private_mount, sandbox):
    private_mount.mount_descriptor("allow_other,default_permissions", "allow_other,default_permissions,umask=022", NOBODY)
    path = private_mount.mountpoint / "prod/NAME"
    subprocess.run(["sh", "-c", 'printf 123456789 > "$1"', "sh", path], check=True, **as_user(NOBODY))
    assert [size_for(user, path) for user in (0, NOBODY, OTHER)] == [1, 1, 1]
