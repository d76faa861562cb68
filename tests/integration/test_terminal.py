"""The picture on the README's first page shows what happens."""

import subprocess
import sys
from pathlib import Path

import terminal
from daemon import BUILD
from waiting import TIMEOUT

TOP = Path(__file__).resolve().parents[2]
PROGRAM = TOP / "contrib" / "terminal" / "terminal.py"


def test_the_picture_shows_what_a_terminal_shows_today(tmp_path):
    arguments = [sys.executable, PROGRAM, "--build", BUILD, "--output", tmp_path / "terminal.svg"]
    subprocess.run([str(word) for word in arguments], check=True, timeout=TIMEOUT)
    today = terminal.drawn((tmp_path / "terminal.svg").read_text())
    shown = terminal.drawn((TOP / "doc" / "terminal.svg").read_text())
    assert terminal.comparable(today) == terminal.comparable(shown)
