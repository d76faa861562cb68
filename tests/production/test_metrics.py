"""`.sstorefs/metrics`: Prometheus' text format, and figures that are right."""

import errno
import math
import os
import re
import stat
import subprocess
import time

import pytest

from daemon import BUILD
from programs import errno_of, python, write_file
from services import SERVICES, Stripe
from waiting import wait_until

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\n"])*",?)*)\})? (\S+)')
PROXY = BUILD / "src/mount-proxy/sstorefs-mount-proxy"
COMMON = ("source", "mountpoint")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"')


def parse(text):
    """The format as its specification has it. Samples by name and labels."""
    samples, kinds, family, closed = {}, {}, None, set()
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            _, _, family, help_text = line.split(" ", 3)
            assert help_text and family not in closed, f"{family}: its samples must stand together"
            closed.add(family)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == family and kind in ("counter", "gauge", "histogram") and name not in kinds
            kinds[name] = kind
            assert (kind == "counter") == name.endswith("_total"), f"{name}: counters, and only they, end in _total"
        else:
            match = SAMPLE.fullmatch(line)
            assert match, f"no sample: {line}"
            name, labels, value = match.groups()
            suffixes = ("_bucket", "_sum", "_count") if kinds[family] == "histogram" else ("",)
            assert name in [family + suffix for suffix in suffixes], f"{name}: without HELP and TYPE"
            labels = frozenset(LABEL.findall(labels or ""))
            assert (name, labels) not in samples, f"twice: {line}"
            assert math.isfinite(float(value))
            samples[name, labels] = float(value)
    return samples


def test_promtool_finds_nothing(direct_mount, sandbox):
    """After a few calls of each kind, so that nearly all samples are there; it also lints names, types and words."""
    write_file(direct_mount / "prod/NAME", b"val")
    sandbox.fault(operation="fastly.put_secret", status=400)
    errno_of(lambda: write_file(direct_mount / "prod/NAME", b"val"))
    checked = subprocess.run(["promtool", "check", "metrics"], input=direct_mount.control("metrics"), capture_output=True, text=True)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def metrics(mount):
    return Figures(parse(mount.control("metrics")))


class Figures(dict):
    """Samples without the two labels that all of them have."""

    def __init__(self, samples):
        super().__init__({(name, frozenset(pair for pair in labels if pair[0] not in COMMON)): value
                          for (name, labels), value in samples.items()})

    def of(self, name, **labels):
        return self.get((f"sstorefs_{name}", frozenset(labels.items())))


def test_every_sample_says_which_mount_it_is_of(direct_mount):
    for name, labels in parse(direct_mount.control("metrics")):
        assert {"source": "fastly:", "mountpoint": str(direct_mount.path)}.items() <= dict(labels).items(), name


def test_a_mountpoint_may_have_any_name(make_mount, direct):
    mount = make_mount(direct, start=False)
    mount.path = mount.work / 'a "quoted" \\ and\nbroken'
    (labels,) = [dict(labels) for name, labels in parse(mount.start().control("metrics")) if name == "sstorefs_info"]
    assert re.sub(r"\\(.)", lambda match: match[1].replace("n", "\n"), labels["mountpoint"]) == str(mount.path)


def test_a_daemon_that_was_given_its_mount_knows_where_it_is(make_mount, direct, tmp_path):
    """A unit without privileges serves /dev/fd/3, whatever the mountpoint."""
    place, listening = tmp_path / "mnt", tmp_path / "socket"
    place.mkdir()
    proxy = subprocess.Popen([PROXY, place, "-u", "0", "-o", "source=fastly:", "--listen", listening])
    mount = make_mount(direct, start=False)
    mount.path = place
    of_daemon = [mount.source, "/dev/fd/3", "-f", "-o", mount.options]
    mount.arguments = lambda *more: [PROXY, "--request", listening, "--", mount.program, *of_daemon]
    try:
        mount.start()
        figures = parse(mount.control("metrics"))
        assert {dict(labels)["mountpoint"] for _, labels in figures} == {str(place)}
    finally:
        mount.unmount()
        proxy.terminate()
        proxy.wait(60)
        subprocess.run(["chattr", "-i", place], stderr=subprocess.DEVNULL)  # it was closed to root


def test_they_can_be_parsed_and_say_what_is_mounted(mount, service):
    figures = metrics(mount)
    (labels,) = [dict(labels) for name, labels in figures if name == "sstorefs_info"]
    assert labels["service"] == "fastly" and re.fullmatch(r"\d+\.\d+\.\d+", labels["version"])
    assert figures.of("reachable") == figures.of("token_accepted") == 1
    assert service.token not in mount.control("metrics")


def test_they_count_what_the_service_was_asked(direct_mount, sandbox):
    before = metrics(direct_mount)
    write_file(direct_mount / "prod/NAME", b"four")
    after = metrics(direct_mount)
    rise = {name: after.of(name) - before.of(name) for name in ("sealed_bytes_total", "attempts_total", "retries_total")}
    assert rise["sealed_bytes_total"] == 4 and rise["retries_total"] == 0 and rise["attempts_total"] >= 1
    assert after.of("calls_total", operation="put_secret") == 1
    assert after.of("calls_failed_total", operation="put_secret") == 0
    assert after.of("calls_total", operation="client_key") == 1
    assert after.of("client_key_seconds_left") > 0


def test_they_count_what_failed_and_was_tried_again(direct_mount, sandbox):
    sandbox.fault(operation="fastly.put_secret", status=503, times=1)
    write_file(direct_mount / "prod/NAME", b"val")
    figures = metrics(direct_mount)
    assert figures.of("retries_total") == 1 and figures.of("unsettled_failures") == 0
    sandbox.fault(operation="fastly.put_secret", status=400)
    errno_of(lambda: write_file(direct_mount / "prod/NAME", b"val"))
    assert metrics(direct_mount).of("calls_failed_total", operation="put_secret") >= 1


def test_they_count_hits_and_misses(direct_mount, sandbox):
    os.listdir(direct_mount / "prod")
    before = metrics(direct_mount)
    with pytest.raises(FileNotFoundError):
        os.stat(direct_mount / "prod/absent")
    after = metrics(direct_mount)
    assert after.of("cache_hits_total") > before.of("cache_hits_total")
    assert after.of("cache_misses_total") == before.of("cache_misses_total")


def test_they_tell_of_each_listing(direct_mount, sandbox):
    sandbox.seed("more", 3)
    direct_mount.refresh()
    os.listdir(direct_mount.path)
    os.listdir(direct_mount / "more")
    figures = metrics(direct_mount)
    assert figures.of("listing_entries", store="more") == 3
    assert figures.of("listing_entries", store="") == 2
    assert figures.of("listing_stale", store="more") == 0 and figures.of("listing_age_seconds", store="more") < 60


def test_they_tell_what_is_open(direct_mount):
    with open(direct_mount / "prod/NAME", "wb", 0) as secret:
        secret.write(b"val")
        figures = metrics(direct_mount)
        assert figures.of("open_handles") == 1 and figures.of("locked_bytes") > 0
    assert metrics(direct_mount).of("open_handles") == 0
    assert metrics(direct_mount).of("locked_bytes_max") >= figures.of("locked_bytes")


def test_they_tell_of_a_refused_token(direct_mount, sandbox):
    sandbox.tokens("another-token")
    errno_of(lambda: os.listdir(direct_mount / "prod"))
    assert metrics(direct_mount).of("token_accepted") == 0


def test_only_what_the_service_has(make_mount, sandbox):
    service = Stripe("direct", sandbox, sandbox.url)
    figures = metrics(make_mount(service, source="stripe:"))
    assert figures.of("sealed_bytes_total") is None and figures.of("calls_total", operation="client_key") is None
    assert figures.of("calls_total", operation="list_secrets") >= 1


def test_the_group_can_read_them_and_others_cannot(direct_mount):
    assert stat.S_IMODE(os.stat(direct_mount / ".sstorefs/metrics").st_mode) == 0o440


def rise(mount, before):
    """What has become more, by result of the writes."""
    after = metrics(mount)
    return {dict(labels)["result"]: int(after[name, labels] - before[name, labels]) for name, labels in after
            if name == "sstorefs_writes_total" and after[name, labels] != before[name, labels]}


def test_writes_are_counted_by_their_result(make_mount, direct, sandbox):
    mount = make_mount(direct, "timeout=2")
    before = metrics(mount)
    write_file(mount / "prod/NAME", b"val")
    assert rise(mount, before) == {"stored": 1}
    sandbox.fault(operation="fastly.put_secret", status=400)
    errno_of(lambda: write_file(mount / "prod/NAME", b"val"))
    assert rise(mount, before) == {"stored": 1, "refused": 1}
    errno_of(lambda: write_file(mount / "prod/NAME", bytes(65538)))  # by the WRITE, before any call
    errno_of(lambda: write_file(mount / "prod/NAME", b"\n"))  # by the close, before any call
    assert rise(mount, before) == {"stored": 1, "refused": 3}
    sandbox.clear_faults()
    sandbox.fault(operation="fastly.put_secret", reset="after")
    errno_of(lambda: write_file(mount / "prod/NAME", b"val"))
    assert rise(mount, before) == {"stored": 1, "refused": 3, "unknown": 1}


def test_a_write_that_is_refused_at_open_is_counted(direct_mount, sandbox):
    before = metrics(direct_mount)
    errno_of(lambda: write_file(direct_mount / "prod/bad name", b"val"))
    assert rise(direct_mount, before) == {"refused_at_open": 1}
    assert errno_of(os.mknod, direct_mount / "prod/bad name") == errno.EINVAL
    assert errno_of(write_file, direct_mount / "NAME", b"val") == errno.EPERM
    assert rise(direct_mount, before) == {"refused_at_open": 3}
    write_file(direct_mount / "prod/NAME", b"val")
    assert errno_of(os.open, direct_mount / "prod/NAME", os.O_WRONLY | os.O_CREAT | os.O_EXCL) == errno.EEXIST
    assert errno_of(os.open, direct_mount / "prod/NAME", os.O_RDONLY | os.O_DIRECTORY) == errno.ENOTDIR
    assert rise(direct_mount, before) == {"refused_at_open": 3, "stored": 1}, "these were no writes"
    sandbox.tokens("another-token")
    assert errno_of(write_file, direct_mount / "prod/NAME", b"val") == errno.EACCES  # by the close
    assert errno_of(write_file, direct_mount / "prod/NAME", b"val") == errno.EACCES
    assert rise(direct_mount, before) == {"refused_at_open": 4, "stored": 1, "refused": 1}


def buckets(figures, name, **labels):
    found = {dict(of)["le"]: value for (metric, of), value in figures.items()
             if metric == f"sstorefs_{name}_bucket" and labels.items() <= dict(of).items()}
    ends = sorted(found, key=float)
    assert ends[-1] == "+Inf" and [found[end] for end in ends] == sorted(found.values()), "each bucket holds the ones below it"
    return found


def test_latencies_are_histograms(direct_mount, sandbox):
    sandbox.fault(operation="fastly.put_secret", latency=0.3)
    write_file(direct_mount / "prod/NAME", b"val")
    figures = metrics(direct_mount)
    for name, labels in (("write_duration_seconds", {}), ("call_duration_seconds", {"operation": "put_secret"})):
        found = buckets(figures, name, **labels)
        assert (found["0.25"], found["+Inf"], figures.of(f"{name}_count", **labels)) == (0, 1, 1)
        assert 0.3 <= figures.of(f"{name}_sum", **labels) < 30
    assert figures.of("call_duration_seconds_sum", operation="put_secret") == figures.of("call_seconds_total", operation="put_secret")


@pytest.mark.parametrize("name", SERVICES)
def test_refusals_for_the_rate_limit_are_counted(make_mount, sandbox, name):
    service = SERVICES[name]("direct", sandbox).make_store()
    mount = make_mount(service)
    before = metrics(mount)
    service.fault(service.creates, status=429, header=["Retry-After:1"], times=1)
    write_file(mount / service.store / "NAME", b"val")
    figures = metrics(mount)
    assert [figures.of(total) - before.of(total) for total in ("rate_limited_total", "retries_total")] == [1, 1]


def test_the_reset_of_the_limit_is_a_time(direct_mount, sandbox):
    """On a full hour; the service tells of it with its answer to a write."""
    sandbox.variant(fastly__rate_limit=1000)
    assert metrics(direct_mount).of("rate_limit_reset_timestamp_seconds") is None
    write_file(direct_mount / "prod/NAME", b"val")
    figures = metrics(direct_mount)
    assert figures.of("rate_limit_remaining") > 0
    assert -2 < figures.of("rate_limit_reset_timestamp_seconds") - time.time() <= 3602


def test_what_does_not_exist_is_no_failed_call(place):
    failed = {name: value for name, value in metrics(place.mount).items() if name[0] == "sstorefs_calls_failed_total"}
    for name in ("ABSENT", "MISSING"):
        assert errno_of(os.stat, place / name) == errno.ENOENT
    after = metrics(place.mount)
    assert {name: after[name] for name in failed} == failed and set(failed.values()) == {0}


def test_discarded_values_are_counted(direct_mount):
    before = metrics(direct_mount)
    python("""
        import os, signal, sys
        os.write(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT), b"half")
        os.kill(os.getpid(), signal.SIGKILL)
    """, direct_mount / "prod/NAME")
    wait_until(lambda: metrics(direct_mount).of("values_discarded_total", reason="killed") == 1)
    assert rise(direct_mount, before) == {}


def test_the_process_is_measured(direct_mount):
    """Under the names that Prometheus' libraries give to them."""
    figures = {name: value for (name, _), value in metrics(direct_mount).items() if name.startswith("process_")}
    with open(f"/proc/{direct_mount.pid}/statm") as statm:
        virtual, resident = [int(word) * os.sysconf("SC_PAGESIZE") for word in statm.read().split()[:2]]
    assert figures["process_virtual_memory_bytes"] == pytest.approx(virtual, rel=0.2)
    assert figures["process_resident_memory_bytes"] == pytest.approx(resident, rel=0.2)
    assert figures["process_open_fds"] == len(os.listdir(f"/proc/{direct_mount.pid}/fd"))
    assert figures["process_max_fds"] > figures["process_open_fds"]
    assert 0 < figures["process_cpu_seconds_total"] < 60
    assert 0 <= time.time() - figures["process_start_time_seconds"] < 600


def test_the_file_is_of_now(direct_mount):
    """A collector takes what is older for left over."""
    path = direct_mount / ".sstorefs/metrics"
    for _ in range(2):
        before = time.time()
        assert before - 0.1 <= os.stat(path).st_mtime <= time.time()
        wait_until(lambda: time.time() > before + 0.2)
