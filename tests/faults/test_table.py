"""
The table of faults: each row a thing that goes wrong while a secret is written over, what its writer sees, which calls reach the service, how long it takes,
and what the service holds afterwards (doc/semantics.md, chapters 1 and 9, rule 13). It is printed at the end of the run.
"""

import errno
import os
import subprocess
from threading import Timer

import pytest

from network import dropping
from harness import Harness
from report import Row, errno_name

ANY = (1, 99)
BUDGET = 3
WHOLE = {"seconds": (2.5, BUDGET + 8), "timeout": BUDGET}  # to its end, and what a loaded machine takes on top
PART = {"seconds": (0, BUDGET + 8), "timeout": BUDGET}  # to its end, or until no further attempt fits into it
UNKNOWN = "unknown"
LIBCURL = subprocess.run(["pkg-config", "--modversion", "libcurl"], capture_output=True, text=True, check=True).stdout


def refuses_connections(harness):
    harness.nginx.stop()
    harness.ends.append(Restart(harness.nginx))


class Restart:
    """The front as it was, when the fault ends."""

    def __init__(self, nginx):
        self.nginx = nginx

    def __exit__(self, *failure):
        self.nginx.start()


def front(**change):
    """The front starts anew, changed."""
    def begin(harness):
        arguments = {name: getattr(harness.nginx.certificates, value) if name == "certificate" else value
                 for name, value in change.items()}
        harness.nginx.start(**arguments)
        harness.ends.append(Restart(harness.nginx))
    return begin


def drops_packets(harness):
    harness.until_the_end(dropping(harness.nginx.port))


def refusals():
    """What is final is not asked for twice."""
    for status, error in ((400, errno.EINVAL), (401, errno.EACCES), (403, errno.EACCES), (404, errno.ENOENT),
                          (409, errno.EINVAL), (413, errno.EFBIG), (422, errno.EINVAL)):
        # The client key might be what a 400 means: it is fetched anew, once (doc/apis.md, Fastly 7).
        calls = (2, 2) if status == 400 else (1, 1)
        yield Row(f"{status}", f"status={status}", error, calls=calls, holds=b"old", state="failed")


def on_github():
    """What is final, what is a limit, and what is not known: GitHub has a text for each, and one verb."""
    for status, error in ((401, errno.EACCES), (403, errno.EACCES), (404, errno.ENOENT), (413, errno.EFBIG), (422, errno.EINVAL)):
        yield Row(f"{status}", f"status={status}", error, holds=b"old", state="failed", source="github")
    for title, fault, more in (
            ("409 once", "status=409,times=1", {"calls": (2, 2)}),
            ("503 once", "status=503,times=1", {"calls": (2, 2)}),
            ("503 all the time", "status=503", {"error": errno.EIO, "calls": ANY, **PART, "holds": b"old", "state": UNKNOWN}),
            ("500 after the change, all the time", "status=500,when=after", {"error": errno.EIO, "calls": ANY, **PART, "state": UNKNOWN}),
            ("429, Retry-After: 0, once", "status=429,retry_after=0,times=1", {"calls": (2, 2)}),
            ("403, Retry-After: 1, once", "status=403,retry_after=1,times=1", {"calls": (2, 2), "seconds": (1, 15)}),
            ("429, which does not say until when", "status=429", {"error": errno.EAGAIN, "holds": b"old", "state": "failed"}),
            ("403, X-RateLimit-Reset in 1 s, once", "status=403,rate_reset=1,times=1", {"calls": (2, 2), "seconds": (0.5, 15)}),
            ("403, X-RateLimit-Reset in an hour", "status=403,rate_reset=3600", {"error": errno.EAGAIN, "holds": b"old", "state": "failed"}),
            ("reset before the change, once", "reset=before,times=1", {"calls": (2, 2)}),
            ("reset after the change, once", "reset=after,times=1", {"calls": (2, 2)}),
            ("reset after the change, all the time", "reset=after", {"error": errno.EIO, "calls": (2, 99), **PART, "state": UNKNOWN}),
            ("no answer", "hang=forever", {"error": errno.ETIMEDOUT, **WHOLE, "holds": b"old", "state": UNKNOWN}),
            ("no answer, though it was done", "hang=forever,when=after", {"error": errno.ETIMEDOUT, **WHOLE, "state": UNKNOWN}),
            ("204, and 100 MB behind it", "huge=100000000", {}),
            ("an answer in HTML", "status=502,family=html,times=1", {"calls": (2, 2)})):
        yield Row(title, fault, source="github", **more)


def certificates():
    """Nothing is sent to a server that cannot prove who it is."""
    for name, title in (("wrong_name", "the certificate has another name"), ("expired", "the certificate has expired"),
                        ("unknown", "the signer of the certificate is unknown")):
        yield Row(title, front(certificate=name), errno.EKEYREJECTED, calls=(0, 0), holds=b"old", way="tls", notices=True)


ROWS = [
    Row("nothing"),
    *refusals(),

    # 5xx: whether it took effect is not known until it is read again.
    Row("503 once", "status=503,times=1", calls=(2, 2)),
    Row("503 all the time", "status=503", errno.EIO, calls=ANY, **PART, holds=b"old", state=UNKNOWN),
    Row("500 after the change, all the time", "status=500,when=after", errno.EIO, calls=ANY, **PART, state=UNKNOWN),
    Row("503 without a body", "status=503,family=empty,times=1", calls=(2, 2)),
    Row("502 in HTML", "status=502,family=html,times=1", calls=(2, 2)),
    Row("Stripe-Should-Retry: false", "status=503,header=Stripe-Should-Retry:false", errno.EIO, calls=(1, 1), holds=b"old",
        source="stripe"),
    Row("Stripe-Should-Retry: true", "status=409,header=Stripe-Should-Retry:true,times=1", calls=(2, 2),
        source="stripe"),

    # Too many calls: none is sent before the service wants one.
    Row("429 once", "status=429,times=1", calls=(2, 2)),
    Row("429, Retry-After: 1, once", "status=429,retry_after=1,times=1", calls=(2, 2), seconds=(1, 15)),
    Row("429, Retry-After as a date, once", "status=429,retry_after=date1,times=1", calls=(2, 2), seconds=(0.9, 15)),
    Row("429, Retry-After: 3600", "status=429,retry_after=3600", errno.EAGAIN, calls=(1, 1), holds=b"old", state="failed"),
    Row("429 all the time", "status=429", errno.EAGAIN, calls=ANY, **PART, holds=b"old", state="failed"),
    Row("429, Fastly-RateLimit-Reset in an hour", "status=429,rate_reset=3600", errno.EAGAIN, calls=(1, 1), holds=b"old"),
    Row("429, Fastly-RateLimit-Reset in 1 s, once", "status=429,rate_reset=1,times=1", calls=(2, 2), seconds=(0.5, 15)),
    Row("429, Ratelimit: r=0;t=1, once", "status=429,rate_reset=1,times=1", calls=(2, 2), seconds=(0.9, 15),
        source="cloudflare"),
    Row("429, Ratelimit: r=0;t=300", "status=429,rate_reset=300", errno.EAGAIN, calls=(1, 1), holds=b"old", source="cloudflare"),
    Row("429 once", "status=429,times=1", calls=(2, 2), source="stripe"),

    # Connections that end: replies that are lost, and requests with them.
    Row("reset before the change, once", "reset=before,times=1", calls=(2, 2)),
    Row("reset after the change, once", "reset=after,times=1", calls=(2, 2)),
    Row("reset in the middle of the answer, once", "reset=middle,times=1", calls=(2, 2)),
    Row("closed before the change, once", "close=before,times=1", calls=(2, 2)),
    Row("reset before the change, all the time", "reset=before", errno.EIO, calls=(2, 99), **PART, holds=b"old", state=UNKNOWN),
    Row("reset after the change, all the time", "reset=after", errno.EIO, calls=(2, 99), **PART, state=UNKNOWN),
    Row("reset, the same over HTTP/2", "reset=before,times=1", calls=(2, 2), way="tls"),
    Row("reset, the same on Stripe", "reset=after,times=1", calls=(2, 2), source="stripe"),
    Row("reset, the same on Cloudflare", "reset=after,times=1", calls=(2, 2), source="cloudflare"),

    # Answers that never come, or never end, or are too much.
    Row("no answer", "hang=forever", errno.ETIMEDOUT, **WHOLE, holds=b"old", state=UNKNOWN),
    Row("no answer, though it was done", "hang=forever,when=after", errno.ETIMEDOUT, **WHOLE, state=UNKNOWN),
    Row("no answer for a second", "hang=1", seconds=(0.9, 15)),
    Row("an answer of 20 bytes a second", "slow=20", errno.ETIMEDOUT, **WHOLE, state=UNKNOWN),
    Row("an answer of 100 MB", "huge=100000000", errno.EIO, state=UNKNOWN),
    Row("100 MB that come as 100 kB", "body=bomb", errno.EIO, state=UNKNOWN),
    Row("5000 headers", "flood=5000", errno.EIO, state=UNKNOWN),
    Row("an answer of 100 MB over HTTP/2", "huge=100000000", errno.EIO, way="tls"),
    Row("an answer in 200000 brackets", "body=nested", errno.EIO, calls=ANY, **PART),

    # The way there. A kept connection that ends just as it is written to is a lost reply, whatever comes of the next one (doc/semantics.md, rule 13).
    Row("no server listens", refuses_connections, errno.EHOSTUNREACH, calls=(0, 0), holds=b"old", way="tls", notices=True),
    # On Debian 13 (libcurl 8.14, nginx 1.26) its end is noticed before anything is written to it: nothing is lost.
    Row("no server listens any more", refuses_connections, errno.EIO if LIBCURL < "8" else errno.EHOSTUNREACH, calls=(0, 0), holds=b"old", way="tls"),
    Row("packets vanish", drops_packets, errno.ETIMEDOUT, calls=(0, 0), **WHOLE, holds=b"old", way="tls"),
    *certificates(),
    *on_github(),
    Row("HTTP/2, GOAWAY after each request", front(requests=1), way="tls"),
    Row("HTTP/1.1 alone", front(http2=False), way="tls"),
    Row("HTTP/1.1 alone, closed after each request", front(http2=False, requests=1), way="tls"),
]


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.source}: {row.fault}" for row in ROWS])
def test_a_fault(row, request, make_mount, tmp_path, record_property):
    """Each row agrees with doc/semantics.md, rule 13 and chapter 9."""
    service = request.getfixturevalue(row.way)
    nginx = request.getfixturevalue("nginx") if row.way == "tls" else None
    harness = Harness(make_mount, service, row.source, f"timeout={row.timeout}", nginx, tmp_path)
    harness.prepare()
    if callable(row.begin):
        row.begin(harness)
    elif row.begin:
        harness.fault(row.begin)
    if row.notices:
        harness.notice()
    seen = harness.write()
    record_property("row", (f"{row.source}: {row.fault}", errno_name(seen.error), seen.calls, f"{seen.seconds:.1f}",
                            seen.holds.decode()))
    if row.error:
        assert errno_name(row.error) in harness.errors().splitlines()[0]
    harness.end_fault()
    assert errno_name(seen.error) == errno_name(row.error)
    assert row.calls[0] <= seen.calls <= row.calls[1]
    assert seen.holds == row.holds
    assert row.seconds[0] <= seen.seconds <= row.seconds[1]
    if row.state == UNKNOWN:
        tells_the_truth(harness, seen)
    elif row.state:
        assert harness.state() == row.state


def tells_the_truth(harness, seen):
    """What was unknown is read again, and then it is known: `stored` if it took effect, else `failed`."""
    told = harness.state()
    assert told in ("unknown", "stored" if seen.holds == b"val" else "failed"), told


@pytest.mark.parametrize("begin", [refuses_connections, drops_packets, front(certificate="expired")],
                         ids=["refused", "dropped", "expired"])
def test_what_is_over_is_over(begin, nginx, tls, make_mount, tmp_path):
    """The daemon stays up, and finds out by itself that all is well again."""
    harness = Harness(make_mount, tls, "fastly", "timeout=2", nginx, tmp_path)
    harness.sandbox.put("prod", "OTHER", b"other")
    harness.prepare()
    begin(harness)
    assert harness.write().error != 0
    # What was known is still served, at once.
    assert sorted(os.listdir(harness.path.parent)) == ["NAME", "OTHER"]
    assert (harness.path.parent / "OTHER").stat().st_size == 1
    harness.end_fault()
    harness.recover()


def test_a_pause_of_the_network_is_waited_for(nginx, tls, make_mount, tmp_path):
    """Packets vanish for a second."""
    harness = Harness(make_mount, tls, "fastly", "timeout=30", nginx, tmp_path)
    harness.prepare()
    drops_packets(harness)
    timer = Timer(1, harness.end_fault)
    timer.start()
    seen = harness.write()
    timer.join()
    assert (seen.error, seen.holds) == (0, b"val") and seen.seconds > 0.9
