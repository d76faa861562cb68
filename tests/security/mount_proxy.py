"""
Opens /dev/fuse, mounts it, becomes another user, and runs a program on it: what mount.fuse3 -o drop_privileges does, with any options.

    mount_proxy.py MOUNTPOINT KERNEL_OPTIONS UID PROGRAM WORD…

A WORD `{fd}` becomes /dev/fd/N. user_id= is UID's, unless KERNEL_OPTIONS say otherwise.
"""

import ctypes
import os
import sys

NOSUID_NODEV = 0x2 | 0x4


def main(mountpoint, options, uid, *arguments):
    uid = int(uid)
    descriptor = os.open("/dev/fuse", os.O_RDWR)
    os.set_inheritable(descriptor, True)
    data = f"fd={descriptor},rootmode=40000" + "".join(f",{word}" for word in options.split(",") if word)
    for name in ("user_id", "group_id"):
        if name not in data:
            data += f",{name}={uid}"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"sstorefs", mountpoint.encode(), b"fuse.sstorefs", ctypes.c_ulong(NOSUID_NODEV), data.encode()) != 0:
        sys.exit(f"mount: {os.strerror(ctypes.get_errno())}: {data}")
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    os.execv(arguments[0], [word.replace("{fd}", f"/dev/fd/{descriptor}") for word in arguments])


main(*sys.argv[1:])
