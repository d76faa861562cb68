"""The units of contrib/systemd and lines of fstab, on a machine that systemd has booted."""

import re
import subprocess

import pytest

from daemon import BUILD
from systemd_container import TOP, Machine

UNITS = "/usr/local/lib/systemd/system"
EXAMPLES = TOP / "contrib/systemd"


@pytest.fixture(scope="module")
def booted(tmp_path_factory):
    machine = Machine("systemd", tmp_path_factory.mktemp("systemd"), boot=True)
    try:
        yield machine.start().install()
    finally:
        machine.finish()


@pytest.fixture
def machine(request, booted, sandbox):
    """With a configuration for `sstorefs@prod`, and nothing running."""
    booted.write("/etc/sstorefs/prod.conf", f"SOURCE=fastly:\nMOUNTPOINT=/mnt/secrets\nOPTIONS={options(sandbox)}\n")
    for name in ("prod.token", "token"):
        booted.write(f"/etc/sstorefs/{name}", f"{sandbox.token}\n")
    yield booted
    sandbox.clear_faults()
    booted.run("systemctl stop 'sstorefs-again@*' 'sstorefs@*' 'sstorefs-mount-proxy@*' 'mnt-*.automount' 'mnt-*.mount'; systemctl reset-failed;"
               "rm -rf /run/systemd/system/sstorefs* /run/systemd/system/mnt-*; sed -i /sstorefs/d /etc/fstab; systemctl daemon-reload")


def options(sandbox, *more):
    return ",".join([f"endpoint={sandbox.url}", f"signing_key={sandbox.signing_key}", *more])


def drop_in(machine, text, unit="sstorefs@.service"):
    machine.write(f"/run/systemd/system/{unit}.d/test.conf", text)
    machine.run("systemctl daemon-reload")


# --- the units as they are written ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", ["sstorefs@.service", "sstorefs-mount-proxy@.service", "sstorefs-prepare@mnt-secrets.service", "sstorefs-again@mnt-secrets.service"])
def test_verify_finds_nothing(machine, unit):
    done = machine.run(f"systemd-analyze verify {UNITS}/{unit}")
    assert done.stdout + done.stderr == ""


def test_verify_finds_nothing_in_the_examples(machine):
    done = machine.run(f"systemd-analyze verify {EXAMPLES}/mnt-secrets.mount {EXAMPLES}/mnt-secrets.automount")
    assert done.stdout + done.stderr == ""


@pytest.mark.parametrize("unit,most", [("sstorefs@.service", 1.8), ("sstorefs-mount-proxy@.service", 4.0)])
def test_they_are_hardened(machine, unit, most):
    output = machine.says(f"systemd-analyze security --no-pager --offline=yes {UNITS}/{unit}")
    assert float(re.search(r"Overall exposure level for \S+: ([\d.]+)", output).group(1)) <= most, output


# --- the service ------------------------------------------------------------------------------------------------------------------


def test_it_is_mounted_when_it_is_started_and_gone_when_it_is_stopped(machine, sandbox):
    machine.run("systemctl start sstorefs@prod")
    assert machine.says("findmnt -n -o SOURCE,FSTYPE /mnt/secrets").split() == ["fastly:", "fuse.sstorefs"]
    machine.run("echo val > /mnt/secrets/prod/NAME && sync /mnt/secrets/prod/NAME")
    assert sandbox.uploads() == [b"val"]
    assert machine.run("cat /mnt/secrets/prod/NAME", check=False).returncode != 0
    machine.run("systemctl stop sstorefs@prod")
    assert machine.run("findmnt /mnt/secrets", check=False).returncode != 0
    assert machine.says("ls -A /mnt/secrets") == ""
    assert machine.says("systemctl is-active sstorefs@prod sstorefs-mount-proxy@prod || true").split() == ["inactive"] * 2


def test_the_daemon_has_no_privilege(machine):
    machine.run("systemctl start sstorefs@prod")
    status = machine.says("cat /proc/$(systemctl show -P MainPID sstorefs@prod)/status")
    assert set(re.findall(r"^Cap(?:Prm|Eff|Bnd|Amb):\s*(\w+)", status, re.MULTILINE)) == {"0" * 16}
    assert re.search(r"^NoNewPrivs:\s*1$", status, re.MULTILINE) and re.search(r"^Seccomp:\s*2$", status, re.MULTILINE)
    uid = re.search(r"^Uid:\s*(\d+)\s+\1\s+\1\s+\1$", status, re.MULTILINE).group(1)
    assert 61184 <= int(uid) <= 65519, "a dynamic user"
    pid = machine.says("systemctl show -P MainPID sstorefs@prod")
    assert machine.run(f"nsenter -t {pid} -m -- sh -c ': > /etc/written'", check=False).returncode != 0
    assert machine.run(f"nsenter -t {pid} -m -- cat /etc/sstorefs/prod.token", check=False).returncode != 0


def test_each_instance_has_its_own_user_and_none_gets_the_mount_of_another(machine, sandbox):
    """A process of one instance asks at the socket of the other: while that one's daemon runs, and before it does."""
    machine.write("/etc/sstorefs/second.conf", f"SOURCE=fastly:\nMOUNTPOINT=/mnt/second\nOPTIONS={options(sandbox)}\n")
    machine.write("/etc/sstorefs/second.token", f"{sandbox.token}\n")
    machine.run("systemctl start sstorefs@prod sstorefs@second")
    pids = [machine.says(f"systemctl show -P MainPID sstorefs@{name}") for name in ("prod", "second")]
    users = [re.search(r"^Uid:\s*(\d+)", machine.says(f"cat /proc/{pid}/status"), re.MULTILINE).group(1) for pid in pids]
    assert len(set(users)) == 2 and "0" not in users
    ask = "sstorefs-mount-proxy --request /run/sstorefs-mount-proxy/prod/socket -- echo stolen"
    as_second = f"setpriv --reuid={users[1]} --regid={users[1]} --clear-groups"
    as_prod = f"setpriv --reuid={users[0]} --regid={users[0]} --clear-groups"
    for who in (as_second, as_prod, ""):
        refused = machine.run(f"{who} {ask}", check=False)
        assert refused.returncode == 32 and "another unit" in refused.stderr and "stolen" not in refused.stdout
    machine.run("systemctl kill -s KILL --kill-who=main sstorefs@prod")
    refused = machine.run(f"{as_prod} {ask}", check=False)
    assert "stolen" not in refused.stdout and refused.returncode == 32
    machine.run("systemctl stop sstorefs@second; rm /etc/sstorefs/second.*")


def test_the_mount_proxy_can_mount_and_little_else(machine):
    machine.run("systemctl start sstorefs@prod")
    bounding = machine.says("grep CapBnd /proc/$(systemctl show -P MainPID sstorefs-mount-proxy@prod)/status")
    assert int(bounding.split()[1], 16) == (1 << 21) | (1 << 9) | (1 << 2)  # CAP_SYS_ADMIN, CAP_LINUX_IMMUTABLE, CAP_DAC_READ_SEARCH
    state = machine.says("cat /proc/$(systemctl show -P MainPID sstorefs-mount-proxy@prod)/status")
    assert re.search(r"^NoNewPrivs:\s*1$", state, re.MULTILINE) and re.search(r"^Seccomp:\s*2$", state, re.MULTILINE)
    assert machine.says("systemctl show -P RestrictAddressFamilies sstorefs-mount-proxy@prod") == "AF_UNIX", "it speaks to no service"


def test_systemctl_says_what_is_mounted(machine):
    machine.run("systemctl start sstorefs@prod")
    assert "fastly: is mounted" in machine.says("systemctl show -P StatusText sstorefs@prod")


def test_reload_reads_the_token_again_and_forgets(machine, sandbox):
    machine.run("systemctl start sstorefs@prod; ls /mnt/secrets/prod")
    sandbox.put("prod", "THEIRS", b"val")
    assert machine.says("ls /mnt/secrets/prod") == ""
    machine.run("systemctl reload sstorefs@prod")
    assert machine.says("ls /mnt/secrets/prod") == "THEIRS"
    assert machine.says("systemctl is-active sstorefs@prod") == "active"


def test_a_refused_token_fails_the_start_with_one_line(machine):
    machine.write("/etc/sstorefs/prod.token", "another-token\n")
    drop_in(machine, "[Service]\nRestart=no\n")
    assert machine.run("systemctl start sstorefs@prod", check=False).returncode != 0
    lines = machine.says("journalctl -t sstorefs -p err -o cat --no-pager -n 1").splitlines()
    assert len(lines) == 1 and "401" in lines[0] and "another-token" not in lines[0]
    assert machine.run("findmnt /mnt/secrets", check=False).returncode != 0


def test_the_journal_knows_what_is_serious(machine, sandbox):
    machine.run("systemctl start sstorefs@prod")
    sandbox.fault(operation="fastly.put_secret", status=400)
    machine.run("/bin/echo val > /mnt/secrets/prod/REFUSED", check=False)
    assert "REFUSED" in machine.says("journalctl -u sstorefs@prod -p warning -o cat --no-pager")
    assert "is mounted" not in machine.says("journalctl -u sstorefs@prod -p warning -o cat --no-pager")
    assert "is mounted" in machine.says("journalctl -u sstorefs@prod -p info -o cat --no-pager")


def test_stop_waits_for_an_upload(machine, sandbox):
    machine.run("systemctl start sstorefs@prod")
    sandbox.fault(operation="fastly.put_secret", hold="before")
    machine.run("cp /etc/debian_version /mnt/secrets/prod/SLOW >/dev/null 2>&1 &")
    sandbox.wait_for_call("fastly.put_secret", state="held")
    machine.run("systemctl stop --no-block sstorefs@prod")
    machine.run("until journalctl -u sstorefs@prod -o cat | grep -q 'ending: what is whole'; do sleep 0.05; done")
    assert machine.says("systemctl is-active sstorefs@prod || true") == "deactivating"
    sandbox.release()
    machine.run("systemctl stop sstorefs@prod")
    assert len(sandbox.uploads("SLOW")) == 1
    assert machine.says("systemctl show -P Result sstorefs@prod") == "success"


def test_a_killed_daemon_leaves_no_process_waiting_and_comes_back(machine, sandbox):
    drop_in(machine, "[Service]\nRestartSec=0\nExecStartPre=/bin/sh -c 'until [ -e /run/again ]; do sleep 0.05; done'\n")
    machine.run("touch /run/again && systemctl start sstorefs@prod && rm /run/again")
    machine.run("systemctl kill -s KILL --kill-who=main sstorefs@prod")
    refused = machine.run("timeout 60 sh -c 'echo val > /mnt/secrets/prod/NAME'", check=False)
    assert refused.returncode not in (0, 124), "a write must fail, and not hang or go to the disk"
    machine.run("touch /run/again; until [ $(systemctl is-active sstorefs@prod) = active ]; do sleep 0.1; done")
    machine.run("echo val > /mnt/secrets/prod/NAME && sync /mnt/secrets/prod/NAME")
    assert sandbox.uploads() == [b"val"]
    assert machine.says("findmnt -n -o TARGET | grep -c /mnt/secrets") == "1"


@pytest.mark.parametrize("dropped_in", [False, True], ids=["plain", "all-or-nothing.conf"])
def test_killed_writers_of_other_users_are_noticed_with_the_drop_in(machine, sandbox, dropped_in):
    if dropped_in:
        machine.run("install -D -t /run/systemd/system/sstorefs@.service.d "
                    f"{EXAMPLES}/sstorefs@.service.d/all-or-nothing.conf && systemctl daemon-reload")
    machine.run("systemctl start sstorefs@prod")
    machine.run("bash -c 'exec 3> /mnt/secrets/prod/HALF; echo half >&3; kill -9 $$'", check=False)
    machine.run("echo val > /mnt/secrets/prod/NAME && sync /mnt/secrets/prod/NAME")
    assert sandbox.uploads("HALF") == ([] if dropped_in else [b"half"])
    shown = machine.says("grep writers_can_be_told_apart /mnt/secrets/.sstorefs/status")
    assert shown.endswith("true,") == dropped_in


def test_the_owner_can_be_another_user(machine, sandbox):
    machine.run("id deploy 2>/dev/null || useradd deploy")
    machine.write("/etc/sstorefs/prod.conf",
                  f"SOURCE=fastly:prod\nMOUNTPOINT=/mnt/secrets\nOPTIONS={options(sandbox, 'uid=deploy')}\n")
    machine.run("systemctl start sstorefs@prod")
    machine.run("setpriv --reuid=deploy --regid=deploy --clear-groups sh -c 'echo val > /mnt/secrets/NAME && sync /mnt/secrets/NAME'")
    assert sandbox.uploads() == [b"val"]
    assert machine.run("setpriv --reuid=nobody --regid=nogroup --clear-groups ls /mnt/secrets", check=False).returncode != 0


# --- fstab and mount units --------------------------------------------------------------------------------------------------------


def fstab(machine, sandbox, *more, at="/mnt/plain"):
    line = f"fastly: {at} fuse.sstorefs token_file=/etc/sstorefs/token,{options(sandbox, '_netdev', 'nofail', *more)} 0 0"
    machine.run(f"mkdir -p {at}; echo '{line}' >> /etc/fstab; systemctl daemon-reload")


def test_mount_by_fstab_and_umount(machine, sandbox):
    fstab(machine, sandbox)
    machine.run("mount /mnt/plain && echo val > /mnt/plain/prod/NAME && sync /mnt/plain/prod/NAME && umount /mnt/plain")
    assert sandbox.uploads() == [b"val"]
    assert machine.says("ls -A /mnt/plain") == ""


def test_mount_by_fstab_without_privileges(machine, sandbox):
    """The third line of mount.fuse.sstorefs(8)."""
    fstab(machine, sandbox, "user=sstorefs", "allow_other", "gid=daemon", "umask=007")
    machine.run("mount /mnt/plain && echo val > /mnt/plain/prod/NAME && sync /mnt/plain/prod/NAME")
    assert sandbox.uploads() == [b"val"]
    daemon = machine.says("pgrep -f '^/sbin/mount.fuse.sstorefs fastly: /mnt/plain'")
    assert machine.says(f"stat -c %U /proc/{daemon}/fd") == "root", "it can't be dumped"
    assert re.search(r"^CapPrm:\s*0+$", machine.says(f"cat /proc/{daemon}/status"), re.MULTILINE)
    machine.run("umount /mnt/plain")


def test_mount_all_takes_it_by_its_type(machine, sandbox):
    fstab(machine, sandbox)
    machine.run("mount -a -t fuse.sstorefs && mountpoint -q /mnt/plain && umount -a -t fuse.sstorefs")
    assert machine.run("mountpoint -q /mnt/plain", check=False).returncode != 0


def test_automount(machine, sandbox):
    fstab(machine, sandbox, "noauto", "x-systemd.automount", at="/mnt/auto")
    machine.run("systemctl start mnt-auto.automount")
    assert machine.says("findmnt -n -o FSTYPE /mnt/auto") == "autofs"
    machine.run("echo val > /mnt/auto/prod/NAME && sync /mnt/auto/prod/NAME")
    assert machine.says("findmnt -n -o FSTYPE /mnt/auto").split() == ["autofs", "fuse.sstorefs"]
    assert sandbox.uploads() == [b"val"]
    machine.run("systemctl stop mnt-auto.mount")
    assert machine.says("findmnt -n -o FSTYPE /mnt/auto") == "autofs"


def test_the_mount_unit(machine, sandbox):
    machine.run(f"cp {EXAMPLES}/mnt-secrets.* /run/systemd/system/ && "
                f"sed -i 's|^Options=.*|&,{options(sandbox)}|' /run/systemd/system/mnt-secrets.mount && systemctl daemon-reload")
    machine.run("systemctl start mnt-secrets.automount && echo val > /mnt/secrets/prod/NAME && sync /mnt/secrets/prod/NAME")
    assert sandbox.uploads() == [b"val"]
    machine.run("systemctl stop mnt-secrets.automount mnt-secrets.mount")
    assert machine.run("findmnt /mnt/secrets", check=False).returncode != 0


def test_a_service_that_is_down_does_not_hold_the_boot_up(machine, sandbox):
    """nofail: the mount fails by itself, and what wanted all file systems goes on."""
    fstab(machine, sandbox, "timeout=1", "endpoint=http://127.0.0.1:9")
    machine.run("systemctl start remote-fs.target")
    assert machine.says("systemctl is-active remote-fs.target") == "active"


# --- nothing below ------------------------------------------------------------------------------------------------------------------

WRITER = """
file=/mnt/secrets
while [ ! -e /run/end ]; do
    n=$((n + 1))
    sleep 0.01
    if (echo value-$n > $file/N$n && sync $file/N$n) 2> /dev/null; then echo N$n >> /run/stored; else echo N$n >> /run/failed; fi
done
"""


class RootWriter:
    """Root's loop on a machine, `echo v > … && sync`, while `below` shows what the mount hides."""

    def __init__(self, machine, started=False):
        self.machine = machine
        if started:
            machine.run("systemctl show -P MainPID writer > /run/writer.pid")
            return
        machine.run("rm -f /run/end /run/stored /run/failed; touch /run/stored /run/failed; mkdir -p /run/below; mount --bind --make-private /mnt /run/below")
        machine.write("/run/writer", WRITER)
        machine.run("nohup bash /run/writer >/dev/null 2>&1 & echo $! > /run/writer.pid")

    def wait_for(self, outcome, more=3, after=":"):
        """Counted from before the command `after`: what follows from it may be over when it returns."""
        self.machine.run(f"n=$(wc -l < /run/{outcome}); {after}; until [ $(wc -l < /run/{outcome}) -ge $((n + {more})) ]; do sleep 0.05; done")

    def finish(self, sandbox):
        """Every exit 0 is in the service; returns what lies below."""
        self.machine.run("touch /run/end; tail --pid=$(cat /run/writer.pid) -f /dev/null")
        stored = self.machine.says("cat /run/stored").split()
        below = self.machine.says("ls -A /run/below/secrets; umount /run/below").split()
        for name in stored:
            assert sandbox.value("prod", name) == f"value-{name[1:]}".encode(), f"{name}; below: {below}"
        return below


def test_root_writes_to_the_service_or_not_at_all(machine, sandbox):
    """Across a boot at which the service is out of reach, stop, start and kill -9."""
    conf = f"SOURCE=fastly:prod\nMOUNTPOINT=/mnt/secrets\nOPTIONS={{}}\n"
    drop_in(machine, "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestartSec=100ms\n")
    machine.write("/etc/sstorefs/prod.conf", conf.format(options(sandbox, "timeout=1", "endpoint=http://127.0.0.1:9")))
    machine.run("systemctl start sstorefs@prod", check=False)
    writer = RootWriter(machine)
    writer.wait_for("failed")
    machine.write("/etc/sstorefs/prod.conf", conf.format(options(sandbox)))
    writer.wait_for("stored")
    machine.run("systemctl stop sstorefs@prod")
    writer.wait_for("failed")
    machine.run("systemctl start sstorefs@prod")
    writer.wait_for("stored")
    writer.wait_for("failed", 1, after="systemctl kill -s KILL --kill-who=main sstorefs@prod")
    writer.wait_for("stored")
    machine.run("systemctl stop sstorefs@prod")
    writer.wait_for("failed")
    assert writer.finish(sandbox) == []


BOOT = "[Unit]\nDescription=What boots, and at once root's writer\nRequires=basic.target\nWants=sstorefs@prod.service {} writer.service\n"
EARLY = "[Unit]\nDefaultDependencies=no\n[Service]\nExecStartPre=touch /run/stored /run/failed\nExecStart=bash /etc/writer\n"


@pytest.fixture
def off(tmp_path, sandbox):
    machine = Machine("boot", tmp_path, boot=True)
    port = sandbox.url.rsplit(":", 1)[1]
    outside = subprocess.Popen(["socat", f"UNIX-LISTEN:{tmp_path}/network,fork", f"TCP:127.0.0.1:{port}"])
    machine.plug_in = lambda: machine.run(
        f"nohup socat TCP-LISTEN:{port},bind=127.0.0.1,fork UNIX-CONNECT:/outside/network >/dev/null 2>&1 & until ss -ltn | grep -q :{port}; do sleep 0.05; done")
    try:
        yield machine.start_off(network="none")
    finally:
        machine.finish()
        outside.kill()
        outside.wait()


@pytest.mark.parametrize("way", ["unit", "automount"])
def test_root_writes_to_the_service_or_not_at_all_after_a_boot_without_network(off, sandbox, way):
    """Root's writer is there before anything is mounted; the network comes long after."""
    off.run(f"meson install -C {BUILD} --no-rebuild >/dev/null; systemd-sysusers")
    off.write("/etc/sstorefs/token", sandbox.token)
    off.write("/etc/sstorefs/prod.token", sandbox.token)
    off.write("/etc/sstorefs/prod.conf", f"SOURCE=fastly:prod\nMOUNTPOINT=/mnt/{'secrets' if way == 'unit' else 'other'}\nOPTIONS={options(sandbox, 'timeout=1')}\n")
    # The mountpoint is closed to root once, when the machine is set up.
    off.run("sstorefs-mount-proxy --prepare /mnt/secrets && mkdir /run/below && mount --bind --make-private /mnt /run/below")
    off.run(f"cp {EXAMPLES}/mnt-secrets.* /etc/systemd/system/ && sed -i 's|^What=.*|&prod|; s|^Options=.*|&,{options(sandbox, 'timeout=1')}|' "
            "/etc/systemd/system/mnt-secrets.mount")
    off.write("/etc/systemd/system/sstorefs@.service.d/test.conf", "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestartSec=100ms\n")
    off.write("/etc/writer", WRITER)
    off.write("/etc/systemd/system/writer.service", EARLY)
    off.write("/etc/systemd/system/boot.target", BOOT.format("mnt-secrets.automount" if way == "automount" else ""))
    off.boot_now()
    writer = RootWriter(off, started=True)
    writer.wait_for("failed")
    assert off.says("cat /run/stored") == "" and sandbox.calls() == []
    off.plug_in()
    writer.wait_for("stored")
    assert writer.finish(sandbox) == []


def test_root_writes_to_an_automount_or_not_at_all(machine, sandbox):
    """A mount that failed is tried again by the next write, however often it fails."""
    machine.run(f"cp {EXAMPLES}/mnt-secrets.* /run/systemd/system/")
    unit = "/run/systemd/system/mnt-secrets.mount"
    machine.run(f"sed -i 's|^What=.*|&prod|; s|^Options=.*|&,{options(sandbox)}|' {unit} && systemctl daemon-reload")
    machine.write("/etc/sstorefs/token", "another-token")
    machine.run("systemctl start mnt-secrets.automount")
    writer = RootWriter(machine)
    writer.wait_for("failed", 10)
    assert machine.says("systemctl is-active mnt-secrets.automount") == "active"
    machine.write("/etc/sstorefs/token", sandbox.token)
    writer.wait_for("stored")
    machine.run("kill -9 $(pgrep -f '^/sbin/mount.fuse.sstorefs fastly:prod /mnt/secrets')")
    writer.wait_for("failed")
    machine.run("systemctl restart mnt-secrets.mount")
    writer.wait_for("stored")
    machine.run("until systemctl stop mnt-secrets.automount mnt-secrets.mount; do :; done")  # it is busy while the writer has a file open
    writer.wait_for("failed")
    assert writer.finish(sandbox) == []


def test_a_mount_unit_that_failed_is_tried_again(machine, sandbox):
    machine.run(f"cp {EXAMPLES}/mnt-secrets.* /run/systemd/system/ && sed -i 's|^Options=.*|&,{options(sandbox)}|' /run/systemd/system/mnt-secrets.mount")
    drop_in(machine, "[Service]\nRestartSec=100ms\n", "sstorefs-again@.service")
    machine.write("/etc/sstorefs/token", "another-token")
    assert machine.run("systemctl start mnt-secrets.mount", check=False).returncode != 0
    sandbox.wait_for_calls(3, operation="fastly.list_stores")
    machine.write("/etc/sstorefs/token", sandbox.token)
    machine.run("until [ $(systemctl is-active mnt-secrets.mount) = active ]; do sleep 0.05; done")
    machine.run("systemctl stop mnt-secrets.mount")
    assert machine.says("systemctl is-active mnt-secrets.mount sstorefs-again@mnt-secrets || true").split() == ["inactive"] * 2
