"""The benchmark runs, and leaves what it promises. No test compares what it measures: machines are too different, and too busy."""

import json
import re
import subprocess
import sys
from pathlib import Path

from daemon import BUILD
from waiting import TIMEOUT

TOP = Path(__file__).resolve().parents[2]
BENCH = TOP / "contrib/bench/bench.py"


def test_a_quick_run_leaves_a_table_plots_and_figures(tmp_path):
    arguments = [sys.executable, BENCH, "--quick", "--build", BUILD, "--output", tmp_path / "results", "--only", "metadata", "calls", "start"]
    done = subprocess.run([str(word) for word in arguments], capture_output=True, text=True, timeout=10 * TIMEOUT, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["metadata.svg", "results.json", "results.md"]
    text = (tmp_path / "results/results.md").read_text()
    assert text in done.stdout and "| 1000, 0 s |" in text and "![Warm metadata" in text
    assert (tmp_path / "results/metadata.svg").read_text().count("<svg") == 1
    groups = {group["title"]: group for group in json.loads((tmp_path / "results/results.json").read_text())["groups"]}
    assert list(groups) == ["Warm metadata", "API calls", "Start"]
    # What does not depend on the machine.
    calls = {row[0]: row[1:] for row in groups["API calls"]["tables"][0]["rows"]}
    assert calls["mounting"] == [2, 1, 1]
    assert calls["`ls -l` and `getfattr -d` of all of them, afterwards"] == [0, 0, 0]
    assert calls["`echo val > NEW2`"] == [1, 1, 1]


FLEET = BENCH.with_name("fleet.py")


def test_the_documents_have_what_the_fleet_comes_to(tmp_path):
    """The simulation repeats exactly: what changes how often a mount asks changes doc/fleets.md, and the calls in the README."""
    done = subprocess.run([sys.executable, FLEET, "--output", tmp_path], capture_output=True, text=True, timeout=TIMEOUT, check=True)
    rows = [line for line in done.stdout.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 4 * 4
    assert "\n".join(rows) in (TOP / "doc/fleets.md").read_text()
    calls = {}
    for kind, scenario, number in (re.match(r"\| (\w+), (.*?) \| (\d+) \|", row).groups() for row in rows[2:]):
        calls.setdefault(kind, {})[scenario] = number
    short = [["", *calls["Fastly"]], *([kind, *numbers.values()] for kind, numbers in calls.items())]
    readme = [[cell.strip() for cell in line.split("|")[1:-1]] for line in (TOP / "README.md").read_text().splitlines() if line.startswith("| ")]
    assert [row for row in readme if row[0] in ("", *calls)][-5:] == short
    assert (tmp_path / "fleet.md").read_text() in done.stdout and (tmp_path / "fleet.svg").read_text().count("<svg") == 1


def test_ten_real_mounts_do_what_the_model_of_a_fleet_says():
    done = subprocess.run([sys.executable, FLEET, "--check", "10", "--build", BUILD], capture_output=True, text=True, timeout=3 * TIMEOUT)
    assert done.returncode == 0, done.stdout + done.stderr
