"""SECURITY.md: each claim names tests that are there, and all tests of this folder stand behind a claim."""

import re
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
TEXT = (TOP / "SECURITY.md").read_text()
# (claim, tests, what was taken out)
CLAIMS = [tuple(cell.strip() for cell in line.strip("|").split(" | ")) for line in TEXT.splitlines()
          if line.startswith("| ") and line.count(" | ") >= 2 and not line.startswith("| claim")]


def named(cell):
    return re.findall(r"`([\w./]+)::(\w+)`", cell)


def test_every_claim_names_a_test():
    assert len(CLAIMS) > 40
    for claim, tests, *_ in CLAIMS:
        assert named(tests), claim


def test_every_test_that_is_named_anywhere_exists():
    for file, test in named(TEXT.replace("FILE::TEST", "")):
        path = TOP / file if "/" in file else HERE / file
        assert re.search(rf"^ *def {test}\(", path.read_text(), re.MULTILINE), f"{file}::{test}"


def test_every_test_stands_behind_a_claim():
    behind = {test for _, tests, *_ in CLAIMS for _, test in named(tests)}
    there = {test for file in HERE.glob("test_*.py") if file != Path(__file__)
             for test in re.findall(r"^ *def (test_\w+)\(", file.read_text(), re.MULTILINE)}
    assert there - behind == set()


def test_it_says_what_was_taken_out_to_see_each_test_fail():
    for claim, *_, without in CLAIMS:
        assert without, claim
