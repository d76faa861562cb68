"""`.sstorefs/metrics`: Prometheus' text format, and figures that are right."""

import math
import os
import re
import stat
import subprocess

import pytest

from programs import errno_of, write_file
from services import Stripe

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\n"])*",?)*)\})? (\S+)')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"')


def parse(text):
    """The format as its specification has it. Samples by name and labels."""
    samples, kinds, family, closed = {}, {}, None, set()
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            _, _, family, words = line.split(" ", 3)
            assert words and family not in closed, f"{family}: its samples must stand together"
            closed.add(family)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == family and kind in ("counter", "gauge") and name not in kinds
            kinds[name] = kind
            assert (kind == "counter") == name.endswith("_total"), f"{name}: counters, and only they, end in _total"
        else:
            match = SAMPLE.fullmatch(line)
            assert match, f"no sample: {line}"
            name, labels, value = match.groups()
            assert name == family and name in kinds, f"{name}: introduced by no HELP and TYPE"
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
    def of(self, name, **labels):
        return self.get((f"sstorefs_{name}", frozenset(labels.items())))


def test_they_can_be_parsed_and_say_what_is_mounted(mount, service):
    figures = metrics(mount)
    (labels,) = [dict(labels) for name, labels in figures if name == "sstorefs_info"]
    assert (labels["service"], labels["source"]) == ("fastly", "fastly:") and re.fullmatch(r"\d+\.\d+\.\d+", labels["version"])
    assert figures.of("reachable") == figures.of("token_accepted") == 1
    assert service.token not in mount.control("metrics")


def test_they_count_what_the_service_was_asked(direct_mount, sandbox):
    before = metrics(direct_mount)
    write_file(direct_mount / "prod/NAME", b"four")
    after = metrics(direct_mount)
    rise = {name: after.of(name) - before.of(name) for name in ("sealed_bytes_total", "attempts_total", "retries_total")}
    assert rise["sealed_bytes_total"] == 4 and rise["retries_total"] == 0 and rise["attempts_total"] >= 2
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
