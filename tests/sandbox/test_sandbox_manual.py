"""The manual says what the program does."""

import re
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
MANUAL = TOP / "man" / "sstorefs-sandbox.1.scd"


def help_text():
    done = subprocess.run(["/usr/bin/python3", TOP / "contrib" / "sandbox", "--help"], capture_output=True, text=True, check=True)
    return done.stdout


def manual_text():
    return MANUAL.read_text().replace("\\", "")


def test_the_manual_has_every_option():
    options = set(re.findall(r"^  (--[a-z-]+)", help_text(), re.MULTILINE)) - {"--help"}
    assert len(options) > 10
    assert options <= set(re.findall(r"^\*(--[a-z-]+)\*", manual_text(), re.MULTILINE))


def test_the_manual_has_every_variant_with_its_default():
    variants = re.findall(r"^  ([a-z_.0-9]+)=(\S+)", help_text(), re.MULTILINE)
    variants = [(name, default) for name, default in variants if name == "clock" or "." in name]
    assert len(variants) > 40
    for name, default in variants:
        found = re.search(rf"^\*{re.escape(name)}\*=.*\n\t.* Default: (.+)\.$", manual_text(), re.MULTILINE)
        assert found, name
        assert found[1] in (default, default.removesuffix(".0")), name


def test_the_manual_has_every_word_of_a_fault_and_every_kind():
    faults = help_text().partition("which calls")[2].partition("Variants:")[0]
    parameters = re.findall(r"^  ([a-z_]+)=  ", faults, re.MULTILINE)
    kinds = {kind for line in re.sub(r"\n {6,}", "", faults).splitlines() for group in re.findall(r"\(([a-z_|]+)\)", line)
             for kind in group.split("|")}
    assert len(parameters) > 25 and len(kinds) > 40
    for word in parameters:
        assert f"*{word}*=" in manual_text()
    for kind in kinds:
        assert re.search(rf"\b{kind}\b", manual_text()), kind


def test_the_manual_has_every_control():
    source = (TOP / "contrib" / "sandbox" / "admin_api.py").read_text()
    controls = re.findall(r'\("(GET|POST|DELETE)", "([a-z]+)"\)', source)
    assert len(controls) > 10
    for method, name in controls:
        assert f"*{method} {name}*" in manual_text()


def test_the_facts_name_every_open_question_and_no_other():
    """A variant with named choices is an open question, with what sstorefs does in either case."""
    facts = (TOP / "doc" / "apis.md").read_text()
    variants = re.findall(r"^  ([a-z]+\.[a-z_0-9]+)=\S+\s+\(([^)]+)\)", help_text(), re.MULTILINE)
    named = set(re.findall(r"`((?:fastly|cloudflare|stripe|github)\.[a-z_0-9]+)`", facts))
    assert {name for name, choices in variants if "|" in choices} <= named <= {name for name, _ in variants}
    assert len(named) > 30


def test_the_manual_compiles():
    done = subprocess.run(["scdoc"], input=MANUAL.read_bytes(), capture_output=True)
    assert done.returncode == 0, done.stderr
