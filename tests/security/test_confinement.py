"""What a daemon that was taken over by an answer of the service could do: next to nothing (SECURITY.md, "The daemon's own privileges")."""

import errno
import os
import platform
import re
import signal
import subprocess

import pytest
from daemon import mounts_at
from programs import write_file
from private_mount import NOBODY, state_of
from waiting import wait_until

SYS_ADMIN, SYS_PTRACE, DAC_READ_SEARCH = 21, 19, 2
# Numbers of x86-64, and of what came since for all.
CALLS = {"execve": 59, "fork": 57, "ptrace": 101, "process_vm_readv": 310, "mount": 165, "umount2": 166, "unlinkat": 263, "renameat2": 316,
         "fchmodat": 268, "mkdirat": 258, "truncate": 76, "setuid": 105, "capset": 126, "kill": 62, "init_module": 175, "bpf": 321, "keyctl": 250,
         "io_uring_setup": 425, "open_by_handle_at": 304, "userfaultfd": 323, "setns": 308, "unshare": 272}


def capabilities(process, kind):
    held = int(state_of(process)[kind], 16)
    return {number for number in range(64) if held >> number & 1}


def files_of(process):
    """What it has open beside sockets."""
    links = [f"/proc/{process}/fd/{name}" for name in os.listdir(f"/proc/{process}/fd")]
    return {name_of(link) for link in links if not os.readlink(link).startswith("socket:")}


def name_of(link):
    """/dev/null by its number: a private /dev of another test's shows it under another path."""
    name = os.readlink(link)
    is_null = name.endswith("/null") and os.stat(link).st_rdev == os.makedev(1, 3)
    return os.devnull if is_null else name


def evaluate(process, *expressions):
    """Has the process evaluate them; their numbers, or None where it did not live to tell."""
    call_text = [word for expression in expressions for word in ("-ex", f"print {expression}")]
    done = subprocess.run(["gdb", "-nx", "-batch", "-p", str(process), *call_text], capture_output=True, text=True, timeout=120)
    output = re.findall(r"^\$\d+ = (-?\d+)$", done.stdout, re.MULTILINE)
    if not output:
        assert "SIGSYS" in done.stdout, done.stdout + done.stderr
        return None
    return [int(number) for number in output]


def call(process, number, *arguments):
    """Has the process make a system call; what it returned, or None where it did not live to tell."""
    call_text = ", ".join(["(long)" + str(word) for word in (number, *arguments)])
    output = evaluate(process, f"((long (*)(long, ...)) syscall)({call_text})", "*((int *(*)(void)) __errno_location)()")
    return output and (output[0] if output[0] != -1 else -output[1])


@pytest.fixture(params=["", "user=nobody,allow_other"], ids=["root", "user="])
def confined(request, private_mount, sandbox):
    return private_mount.mount(request.param)


def test_root_keeps_what_looking_at_writers_takes(private_mount, sandbox):
    private_mount.mount()
    for kind in ("CapPrm", "CapEff", "CapBnd"):
        assert capabilities(private_mount.process.pid, kind) == {SYS_PTRACE, DAC_READ_SEARCH}, kind
    for kind in ("CapInh", "CapAmb"):
        assert capabilities(private_mount.process.pid, kind) == set(), kind


def test_another_user_keeps_nothing(private_mount, sandbox):
    private_mount.mount("user=nobody,allow_other")
    for kind in ("CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb"):
        assert capabilities(private_mount.process.pid, kind) == set(), kind


def test_another_user_keeps_nothing_whatever_securebits_say(private_mount, sandbox):
    """With these the kernel takes nothing away from who becomes another user."""
    private_mount.token()
    private_mount.start(["setpriv", "--securebits", "+no_setuid_fixup", private_mount.program, "fastly:", private_mount.mountpoint, "-f",
                         "-o", private_mount.options("user=nobody,allow_other")])
    for kind in ("CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb"):
        assert capabilities(private_mount.process.pid, kind) == set(), kind


def test_what_unmounts_can_do_that_alone(private_mount, sandbox):
    private_mount.mount()
    (helper,) = [int(pid) for pid in open(f"/proc/{private_mount.process.pid}/task/{private_mount.process.pid}/children").read().split()]
    assert capabilities(helper, "CapEff") == capabilities(helper, "CapBnd") == {SYS_ADMIN}
    expected = {"/dev/null", str(private_mount.mountpoint)}
    wait_until(lambda: files_of(helper) == expected, lambda: str(files_of(helper)))  # it takes the mountpoint once it runs
    with open(f"/proc/{helper}/mem", "rb", 0) as memory, open(f"/proc/{helper}/maps") as maps:
        for line in maps:
            begin, end = (int(bound, 16) for bound in line.split()[0].split("-"))
            if line.split()[1].startswith("rw") and end - begin < 1 << 30:
                memory.seek(begin)
                assert private_mount.service.token.encode() not in memory.read(end - begin), "it was there before the token"


def test_a_mount_goes_without_the_help_of_what_unmounts(private_mount, sandbox):
    """Killed, it can't; the daemon says so and ends, and nothing is lost."""
    private_mount.mount()
    (helper,) = [int(pid) for pid in open(f"/proc/{private_mount.process.pid}/task/{private_mount.process.pid}/children").read().split()]
    os.kill(helper, signal.SIGKILL)
    private_mount.process.send_signal(signal.SIGTERM)
    assert private_mount.wait() == 0 and "could not be unmounted" in private_mount.log()
    assert mounts_at(private_mount.mountpoint) == ["fuse.sstorefs"]


if platform.machine() == "x86_64" and "sanitize" not in os.environ.get("SSTOREFS_BUILD", ""):
    # The sanitizers make calls of their own: their builds have no filter.
    @pytest.mark.parametrize("name", CALLS)
    def test_a_call_that_is_none_of_ours_ends_the_process(private_mount, sandbox, name):
        private_mount.mount()
        assert call(private_mount.process.pid, CALLS[name], 0, 0, 0, 0) is None
        assert private_mount.process.wait(60) == -signal.SIGSYS
        private_mount.process = None

    def test_nothing_can_be_opened_to_be_written_to(confined):
        confined_to = confined.process.pid
        assert state_of(confined_to)["Seccomp"] == "2"
        address = call(confined_to, 9, 0, 4096, 3, 0x22, -1, 0)  # mmap
        assert address > 0
        path = confined.logs / "written"
        with open(f"/proc/{confined_to}/mem", "rb+", 0) as memory:
            memory.seek(address)
            memory.write(os.fsencode(path) + b"\0")
        for flags in (os.O_WRONLY | os.O_CREAT, os.O_RDWR | os.O_CREAT, os.O_WRONLY | os.O_TRUNC):
            assert call(confined_to, 257, -100, address, flags, 0o600) == -errno.EACCES
        assert not path.exists()
        assert call(confined_to, 41, 17, 3, 0) == -errno.EAFNOSUPPORT, "nor packets of one's own making sent"
        assert confined.unmount() == 0

    def test_memory_is_never_written_to_and_executed(private_mount, sandbox):
        private_mount.mount()
        assert call(private_mount.process.pid, 9, 0, 4096, 7, 0x22, -1, 0) is None
        private_mount.process.wait(60)
        private_mount.process = None


def test_a_mounter_without_root_gains_nothing_either(private_mount, sandbox, devices):
    """It was for fusermount3 alone that it could, and that is another process's now."""
    private_mount.mount(user=NOBODY)
    assert state_of(private_mount.process.pid)["NoNewPrivs"] == "1"
    write_file_as(NOBODY, private_mount)
    private_mount.process.send_signal(signal.SIGTERM)
    assert private_mount.wait() == 0 and mounts_at(private_mount.mountpoint) == []


def write_file_as(user, private_mount):
    done = subprocess.run(["sh", "-c", f"echo val > {private_mount.mountpoint}/prod/NAME && sync {private_mount.mountpoint}/prod/NAME"],
                          user=user, group=user, extra_groups=[])
    assert done.returncode == 0


def test_names_are_looked_up_under_the_filter(private_mount, sandbox):
    """libcurl does so in threads, a minute after the last time at the earliest; libc with files, sockets and modules that it loads then."""
    private_mount.mount()
    process = private_mount.process.pid
    # In unused memory: the end of the stack's lowest page.
    room = "((unsigned long) $sp & ~0xfff) + 16"
    looked_up = "((int (*)(const char *, const char *, void *, void *)) getaddrinfo)"
    assert evaluate(process, f"{looked_up}(\"localhost\", 0, 0, {room})", f"{looked_up}(\"absent.invalid\", 0, 0, {room}) != 0",
                    f"((int (*)(void *, void *, void *, void *)) pthread_create)({room}, 0, getpid, 0)") == [0, 1, 0]
    write_file(private_mount.mountpoint / "prod/NAME", b"val")
    assert sandbox.value("prod", "NAME") == b"val"
    assert private_mount.unmount() == 0
