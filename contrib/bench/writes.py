"""Measures writes: one, many in a row, many at once, and many that one sync publishes; against curl and the service's own client."""

import os
import statistics

import clients
from report import Group, Plot, Table, seconds
from stage import FIRST, STORE, output_of, run
from three_calls import sealed_body, secrets_url

EXTRA = 0.0003  # seconds that a write may take beyond the request it is
CLIENT_FACTOR = 10
ROUND_TRIP = 0.05
PLAIN = "sstorefs"
BARE = "the upload alone, by libcurl"
MULTIPLEXED = "sstorefs over TLS and HTTP/2"


def write(stage, mount, prefix, count, writers):
    """Returns (all of it, the best one, the median one), in seconds. One writer shares the daemon's processor, many use all of them."""
    words = [stage.work / "write", mount / STORE, prefix, count, writers]
    return [float(word) for word in output_of(*(stage.pinned(*words) if writers == 1 else [*FIRST, *words])).split()]


def bare(stage, url, body, count):
    words = stage.pinned(stage.work / "request", url, "PUT", body, count, stage.sandbox.token)
    return [float(word) for word in output_of(*words).split()]


def settle(stage, way, prefix, count):
    """Writes with `commit=fsync`: all at the speed of memory, and one sync for all of them."""
    with stage.mount("commit=fsync", *way, before=FIRST) as mount:
        warm(stage, mount)
        written = write(stage, mount, prefix, count, 1)[0]
        paths = [mount / STORE / f"{prefix}{number}" for number in range(count)]
        synced = clients.timed(lambda: run(*FIRST, "sync", *paths))
    return written + synced


def warm(stage, mount):
    """Fetches what a mount fetches once: the client key, and the listing of the store."""
    os.listdir(mount / STORE)
    write(stage, mount, "WARM", 2, 1)


def bare_request(stage):
    """Returns the URL and the body of a call, sealed in advance."""
    body = stage.work / "body"
    body.write_bytes(sealed_body(stage.sandbox, "BARE", b"the value of number 1"))
    return secrets_url(stage.sandbox, STORE), body


def against_bare_request(stage, effort, say):
    """Measures ours and libcurl's own, in turns. Returns [(ours best, ours median, bare best, bare median)]."""
    stage.empty()
    url, body = bare_request(stage)
    turns = []
    with stage.mount() as mount:
        warm(stage, mount)
        stage.sandbox.clear()
        for turn in range(effort.turns):
            say(f"a write and the bare request, turn {turn + 1} of {effort.turns}")
            turns.append(write(stage, mount, "ROW", 20, 1)[1:] + bare(stage, url, body, 20)[1:])
        calls = len(stage.sandbox.calls()) - 20 * effort.turns
    return turns, calls / (20 * effort.turns)


def ours(stage, effort, latency, way, say):
    """Returns {what: seconds} of a mount that reaches the service in some way. Measurements that mostly wait are done once."""
    found = {}
    with stage.mount(*way, before=FIRST) as mount:
        warm(stage, mount)
        for what, count, writers in (("one", 1, 1), ("in a row", effort.row, 1), ("at once", effort.row, effort.row)):
            say(f"{count} {what}")
            tries = 1 if latency and what == "in a row" else effort.tries
            turns = [write(stage, mount, what.replace(" ", "_"), count, writers) for _ in range(tries)]
            found[what] = min(turn[0] for turn in turns)
            if writers == 1:
                found["one"] = min(found["one"], *(turn[1] for turn in turns))
    say(f"{effort.settled} and one sync")
    found["settled"] = min(settle(stage, way, f"SETTLED{number}_", effort.settled) for number in range(min(effort.tries, 2)))
    return found


def at_latency(stage, effort, latency, others, say):
    """Returns {client: {what: seconds}}."""
    def tell(what):
        say(f"latency {latency * 1000:.0f} ms: {what}")

    stage.empty(latency=latency)
    found = {PLAIN: ours(stage, effort, latency, (), tell),
             MULTIPLEXED: ours(stage, effort, latency, stage.through_front(), tell)}
    tell(BARE)
    took = bare(stage, *bare_request(stage), effort.row)
    found[BARE] = {"one": took[1], "in a row": took[0]}
    for other in others:
        tell(other.name)
        found[other.name] = other.measure(stage, effort)
    return found


def table_of(latency, found, effort):
    table = Table(f"A service that takes {latency * 1000:.0f} ms for an answer",
                  ["", "one", f"{effort.row} in a row", f"{effort.row} at once", f"{effort.settled}, one sync"])
    for who, figures in found.items():
        table.rows.append([who, *(seconds(figures[what]) if what in figures else "–" for what in ("one", "in a row", "at once", "settled"))])
    if latency:
        table.notes.append(f"{effort.row} at once are {found[PLAIN]['at once'] / latency:.1f} latencies, "
                           f"{found[MULTIPLEXED]['at once'] / latency:.1f} over HTTP/2. HTTP/1.1 has at most 56 connections for uploads.")
    else:
        table.notes += [note for other, note in clients.NOTES.items() if other in found]
    return table


def measure(stage, effort, say):
    group = Group("Writes")
    turns, calls = against_bare_request(stage, effort, say)
    best = min(turn[0] for turn in turns) - min(turn[2] for turn in turns)
    median = statistics.median(turn[1] - turn[3] for turn in turns)
    group.tables.append(Table("A write and the bare HTTP request that it is", ["", "best", "median"], [
        ["open, write and close of a file", seconds(min(turn[0] for turn in turns)), seconds(statistics.median(turn[1] for turn in turns))],
        ["PUT by libcurl alone, sealed before", seconds(min(turn[2] for turn in turns)), seconds(statistics.median(turn[3] for turn in turns))],
        ["the difference", seconds(best), seconds(median)]],
        ["Plain HTTP/1.1 on a connection that is open; the service is the sandbox, and most of both figures."]))
    group.targets += [("calls a write", f"{calls:g}", "1", calls == 1),
                      ("a write beyond its bare request", seconds(best), f"<= {seconds(EXTRA)}", best <= EXTRA)]
    others = clients.installed(stage, say)
    lines = {}
    for latency in effort.latencies:
        found = at_latency(stage, effort, latency, others, say)
        group.tables.append(table_of(latency, found, effort))
        for who, figures in found.items():
            lines.setdefault(who, []).append((f"{latency * 1000:.0f} ms", figures["one"]))
        promise(group, effort, latency, found)
    group.plots.append(Plot("writes", "One write", "latency of the service", "seconds", lines, logarithmic="y"))
    return group


def promise(group, effort, latency, found):
    if latency == max(effort.latencies) and latency:
        at_once = found[MULTIPLEXED]["at once"] / latency
        group.targets.append((f"{effort.row} writes at once, at {latency * 1000:.0f} ms, over HTTP/2", f"{at_once:.1f} latencies", "< 4", at_once < 4))
    if latency == ROUND_TRIP:
        beyond = found[PLAIN]["one"] / found[BARE]["one"]
        group.targets.append((f"one write at {latency * 1000:.0f} ms, to the upload alone", f"{beyond:.3f}", "<= 1.03", beyond <= 1.03))
    for other in clients.OFFICIAL:
        if not latency and other in found:
            factor = found[other]["one"] / found[PLAIN]["one"]
            group.targets.append((f"one write, against {other}", f"{factor:.0f} times as fast", f">= {CLIENT_FACTOR}", factor >= CLIENT_FACTOR))
