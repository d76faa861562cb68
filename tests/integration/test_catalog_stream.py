"""Listings as they come in: page by page, side by side, and no process waits for pages that it does not need."""

import os

from dirents import Raw, Stream, times_of
from programs import Together, shell

LATENCY = 0.3


def most_at_once(calls):
    """How many calls were under way at the same time."""
    moments = sorted([(call["at"], 1) for call in calls] + [(call["at"] + call["duration"], -1) for call in calls])
    under_way = most = 0
    for _, change in moments:
        under_way += change
        most = max(most, under_way)
    return most


def test_the_first_entries_come_with_the_first_page(direct_mount, sandbox):
    sandbox.seed("prod", 2000)
    sandbox.fault(operation="fastly.list_secrets", latency=LATENCY)
    found = times_of(direct_mount / "prod")
    calls = sandbox.calls(operation="fastly.list_secrets")
    assert len(found) == 2000 and len(calls) == 10
    # Each page's entries are there before the page after the next one has come: the first ones in under two pages' time.
    ends = [call["at"] + call["duration"] for call in calls]
    assert all(when < ends[number // 200 + 1] for number, (_, when) in enumerate(found[:1800]))
    # And nothing is waited for in between.
    assert sum(later["at"] - end for end, later in zip(ends, calls[1:])) < 10 * LATENCY


def test_ls_streams(direct_mount, sandbox):
    sandbox.seed("prod", 2000)
    sandbox.fault(operation="fastly.list_secrets", latency=LATENCY)
    assert shell("ls -f prod | head -n 5 | wc -l", cwd=direct_mount.path).stdout == "5\n"
    assert len(sandbox.calls(operation="fastly.list_secrets")) < 5


def test_numbered_pages_come_side_by_side(make_mount, cloudflare):
    cloudflare.seed("prod", 2000)
    mount = make_mount(cloudflare, source=cloudflare.source)
    cloudflare.fault("list_secrets", latency=LATENCY)
    assert len(os.listdir(mount / "prod")) == 2000
    calls = cloudflare.calls("list_secrets")
    assert len(calls) == 20
    assert most_at_once(calls) == 8


def test_readdir_never_waits_for_a_page_that_it_does_not_need(direct_mount, sandbox):
    sandbox.seed("prod", 600)
    sandbox.fault(operation="fastly.list_secrets", hold="before", after=1)
    with Stream(direct_mount / "prod") as stream:
        names = [stream.next() for _ in range(202)]
        sandbox.wait_for_call("fastly.list_secrets", state="held")
        assert len(set(names) - {".", ".."}) == 200
        rest = Together(stream.rest)
        sandbox.release()
        assert len(rest.wait()[0]) == 400


def test_a_later_reader_sees_at_once_what_has_arrived(direct_mount, sandbox):
    sandbox.seed("prod", 600)
    sandbox.fault(operation="fastly.list_secrets", hold="before", after=2)
    with Stream(direct_mount / "prod") as first, Stream(direct_mount / "prod") as second:
        assert len([first.next() for _ in range(402)]) == 402
        assert [second.next() for _ in range(402)][-1] == "SECRET_0000399"
        sandbox.release()
        assert first.rest() == second.rest() and len(sandbox.calls(operation="fastly.list_secrets")) == 3


def test_names_are_answered_during_a_walk(direct_mount, sandbox):
    sandbox.seed("prod", 600)
    sandbox.fault(operation="fastly.list_secrets", hold="before", after=1)
    reader = Together(lambda: os.listdir(direct_mount / "prod"))
    sandbox.wait_for_call("fastly.list_secrets", state="held")
    os.stat(direct_mount / "prod/SECRET_0000100")
    assert sandbox.calls(operation="fastly.get_secret") == []
    os.stat(direct_mount / "prod/SECRET_0000500")
    assert not os.path.exists(direct_mount / "prod/ABSENT")
    assert len(sandbox.calls(operation="fastly.get_secret")) == 2
    sandbox.release()
    assert len(reader.wait()[0]) == 600


def test_an_interrupted_reader_leaves_the_others_alone(direct_mount, sandbox):
    sandbox.seed("prod", 400)
    sandbox.fault(operation="fastly.list_secrets", hold="before")
    reader = Together(lambda: os.listdir(direct_mount / "prod"))
    sandbox.wait_for_call("fastly.list_secrets", state="held")
    done = shell("timeout -s INT 0.3 ls prod", cwd=direct_mount.path)
    assert done.returncode != 0
    sandbox.release()
    assert len(reader.wait()[0]) == 400
    assert len(sandbox.calls(operation="fastly.list_secrets")) == 2


def test_a_walk_goes_on_when_its_reader_has_left(direct_mount, sandbox):
    sandbox.seed("prod", 600)
    sandbox.fault(operation="fastly.list_secrets", latency=0.05)
    with Raw(direct_mount / "prod") as directory:
        directory.step()
    sandbox.wait_for_calls(3, operation="fastly.list_secrets", state="answered")
    assert len(os.listdir(direct_mount / "prod")) == 600
    assert len(sandbox.calls(operation="fastly.list_secrets")) == 3
