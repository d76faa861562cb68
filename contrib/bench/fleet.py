#!/usr/bin/python3
"""Simulates many mounts on one token against the limits of each service: calls, refusals, and the slowest writer.

    fleet.py [--mounts 1000] [--output FOLDER]     the table, and fleet.svg, which shows the same
    fleet.py --check 100 [--build FOLDER]          the same model beside as many real mounts of the sandbox (as root); fails where they differ

fleet_model.py says what is simulated. doc/fleets.md has the figures, README.md the calls.
"""

import argparse
import errno
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fleet_model import SCENARIOS, SERVICES, play, together
from report import Plot, Table, seconds

MEASURES = (("calls", "Calls of the service", lambda outcome: outcome.calls),
            ("refusals", "Calls that it refused (429)", lambda outcome: outcome.refusals),
            ("slowest", "The slowest writer, seconds", lambda outcome: outcome.slowest))


def simulate(count):
    return {(kind, what): play(kind, scenario, count) for kind in SERVICES for what, scenario in SCENARIOS.items()}


def table_of(outcomes, count):
    table = Table(f"{count} mounts on one token", ["", "calls", "refused (429)", "writers told EAGAIN", "slowest writer"])
    for kind in SERVICES:
        for what in SCENARIOS:
            outcome = outcomes[kind, what]
            told = outcome.told + outcome.not_started
            table.rows.append([f"{kind.name}, {what}", outcome.calls, outcome.refusals, told, seconds(outcome.slowest) if outcome.durations else "–"])
    table.notes = [f"{kind.name}: {kind.per}." for kind in SERVICES]
    return table


def draw(outcomes, count, folder):
    import plots  # only here: matplotlib takes its time

    figure, parts = plots.pyplot.subplots(1, len(MEASURES), figsize=(11, 4), layout="constrained")
    for axes, (name, label, measure) in zip(parts, MEASURES):
        lines = {kind.name: [(what.replace(" ", "\n"), measure(outcomes[kind, what])) for what in SCENARIOS] for kind in SERVICES}
        plots.bars(axes, Plot(name, label, "", "", lines))
        axes.set_title(label, loc="left")
        axes.tick_params(axis="x", labelsize=8)
    parts[0].legend()
    figure.suptitle(f"{count} mounts on one token")
    figure.savefig(folder / "fleet.svg", metadata={"Date": None})


# Real mounts


# The service, its limit for so many mounts, and how far the figures may lie apart, as a part of all calls: with few mounts on a busy machine it
# depends on when each of them starts.
CHECKED = (("fastly", lambda count: count, 0.3), ("cloudflare", lambda count: count * 3 // 2, 0.3), ("stripe", lambda count: max(5, count // 4), 0.3))


def real(name, count, limit, work):
    """Starts all mounts at once, and lets each write once. Returns (calls, refusals, writers with a result, when each first called)."""
    from client import Sandbox
    from daemon import DaemonFailed, Mount
    from programs import errno_of, write_file
    from services import SERVICES as TARGETS

    with Sandbox() as sandbox:
        target = TARGETS[name]("direct", sandbox).make_store()
        # The start of a real fleet takes longer than that of a simulated one: a window ends only after it.
        target.variant(rate_limit=limit, **({"quota_secrets": 2 * count} if name == "cloudflare" else {}),
                       **({"per_scope": 2 * count} if name == "stripe" else {}))
        sandbox.clear()
        mounts = []
        for number in range(count):
            (work / f"{name}{number}").mkdir()
            mounts.append(Mount(work / f"{name}{number}", target))
        def use(number):
            try:
                mounts[number].start()
            except DaemonFailed:
                return errno.EAGAIN
            return errno_of(write_file, mounts[number] / f"{target.store}/NAME{number}", b"val")

        try:
            with ThreadPoolExecutor(count) as pool:
                errors = list(pool.map(use, range(count)))
            calls = sandbox.calls(service=name)
        finally:
            for mount in mounts:
                mount.kill()
    unexpected = set(errors) - {0, errno.EAGAIN}
    assert not unexpected, [os.strerror(error) for error in unexpected]
    told = sum(error == errno.EAGAIN for error in errors)
    # Processes that are started at once do not get there at once.
    first = {}
    for call in calls:
        if call["method"] == "GET":  # Fastly's client key is fetched beside the listing
            first.setdefault(call["connection"], call["at"])
    moments = sorted(first.values())[:count]
    return len(calls), sum(call["status"] == 429 for call in calls), told, [moment - moments[0] for moment in moments]


def check(count):
    """Compares the model with real mounts. Returns True if they agree."""
    from daemon import enter_own_mounts

    table = Table(f"{count} real mounts that are started at once, and the model", ["", "calls", "simulated", "refused", "simulated", "told EAGAIN", "simulated"])
    agree = True
    enter_own_mounts()
    with tempfile.TemporaryDirectory(prefix="sstorefs-fleet.") as work:
        for name, limit_for, tolerance in CHECKED:
            kind = next(kind for kind in SERVICES if kind.name.lower() == name)
            limit = limit_for(count)
            *found, moments = real(name, count, limit, Path(work))
            outcome = play(kind, together, count, limit=limit, moments=moments, tries_key=name == "fastly")
            expected = [outcome.calls, outcome.refusals, outcome.told + outcome.not_started]
            agree &= all(abs(one - other) <= tolerance * (found[0] + 1) for one, other in zip(found, expected))
            table.rows.append([f"{kind.name}, a limit of {limit}", *(figure for pair in zip(found, expected) for figure in pair)])
    print(table.markdown())
    return agree


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mounts", type=int, default=1000, help="how many are simulated (%(default)s)")
    parser.add_argument("--output", type=Path, default=Path("bench-results"), help="where fleet.md and fleet.svg go (%(default)s)")
    parser.add_argument("--check", type=int, metavar="COUNT", help="compare the model with so many real mounts")
    parser.add_argument("--build", type=Path, help="where sstorefs is built (build)")
    return parser.parse_args()


def main():
    arguments = read_arguments()
    if arguments.check:
        top = Path(__file__).resolve().parents[2]
        os.environ.setdefault("SSTOREFS_BUILD", str((arguments.build or top / "build").resolve()))
        sys.path[:0] = [str(top / "contrib/sandbox"), str(top / "tests/support")]
        sys.exit(0 if check(arguments.check) else "fleet.py: the model is not what real mounts do")
    outcomes = simulate(arguments.mounts)
    arguments.output.mkdir(parents=True, exist_ok=True)
    text = table_of(outcomes, arguments.mounts).markdown()
    (arguments.output / "fleet.md").write_text(text)
    draw(outcomes, arguments.mounts, arguments.output)
    print(text)


if __name__ == "__main__":
    main()
