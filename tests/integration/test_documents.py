"""The man page, the README and --help say the same."""

import base64
import os
import re
import runpy
import subprocess
from pathlib import Path

import pytest

from daemon import PROGRAM, run_program

TOP = Path(__file__).resolve().parents[2]
MAN = (TOP / "man/sstorefs.1.scd").read_text()
README = (TOP / "README.md").read_text()


@pytest.fixture
def offered(tmp_path):
    """The options behind -o that --help lists."""
    text = run_program([PROGRAM, "--help"], tmp_path).stdout
    return set(re.findall(r"^  (\w+)", text.split("\nOPTIONS\n")[1], re.MULTILINE))


def test_the_man_page_has_every_option_and_no_other(offered):
    section = MAN.split("# OPTIONS\n")[1].split("\n# FILES")[0]
    described = set()
    for line in section.splitlines():
        if line.startswith("*") and not line.startswith("*-"):
            described |= set(re.findall(r"\*([a-z]\w+)", line))
    assert described == offered


def test_the_readme_has_every_option_and_no_other(offered):
    table = README.split("## Options\n")[1].split("\n## ")[0]
    described = set()
    for line in table.splitlines()[3:]:
        if line.startswith("|"):
            for code in re.findall(r"`([^`]*)`", line.split("|")[1]):
                described |= {word.split("=")[0] for word in code.split() if not word.startswith("=")}
    assert described - {"minimal", "indefinite", "keep", "fsync", "write"} == offered


def test_the_man_page_has_every_attribute_that_is_listed(direct_mount, sandbox):
    sandbox.put("prod", "NAME", b"old")
    for name in os.listxattr(direct_mount / "prod/NAME") + os.listxattr(direct_mount / "prod"):
        assert f"*{name}*" in MAN


def test_the_digest_as_the_fastly_cli_prints_it(direct_mount, sandbox):
    """Go's hex.EncodeToString() of the 32 bytes."""
    sandbox.put("prod", "NAME", b"old")
    (command,) = re.findall(r"as (getfattr -n user.digest.*) does", re.sub(r"[*_]", "", MAN))
    printed = subprocess.run(["bash", "-c", command], cwd=direct_mount / "prod", capture_output=True, text=True, check=True).stdout
    assert printed == base64.b64decode(os.getxattr(direct_mount / "prod/NAME", "user.digest")).hex() + "\n"


def test_the_man_page_has_every_errno_of_the_tests():
    used = set()
    for test in Path(__file__).parent.glob("test_*.py"):
        used |= set(re.findall(r"errno\.(E[A-Z]+)", test.read_text()))
    for name in used - {"ENODATA", "ENAMETOOLONG"}:
        assert f"*{name}*" in MAN


DOCUMENTS = [path for folder in (".", "doc", "contrib", "tests") for path in (TOP / folder).glob("*.md" if folder == "." else "**/*.md")
             if "node_modules" not in path.parts]


@pytest.mark.parametrize("document", [str(path.relative_to(TOP)) for path in DOCUMENTS])
def test_what_a_document_links_to_is_there(document):
    """Files, and headings in them."""
    for link, heading in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", (TOP / document).read_text()):
        target = (TOP / document).parent / link if link else TOP / document
        assert target.exists(), link
        headings = re.findall(r"^#+ (.*)", target.read_text(), re.MULTILINE) if heading else []
        assert not heading or heading in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings}, heading


def test_every_chapter_and_rule_that_is_cited_exists():
    """As in "apis.md, Fastly 5", "semantics.md, rule 4", "sstorefs(1), CAVEATS" and, in a man page, "see *WRITING*"."""
    titles = set(re.findall(r"^## (\w+ \d+):", (TOP / "doc/apis.md").read_text(), re.MULTILINE))
    contract = (TOP / "doc/semantics.md").read_text()
    titles |= {f"chapter {number}" for number in re.findall(r"^## (\d+)\.", contract, re.MULTILINE)}
    titles |= {f"rule {number}" for number in re.findall(r"^(\d+)\. ", contract.split("\n## 5. Writing\n")[1].split("\n## 6")[0], re.MULTILINE)}
    titles |= set(re.findall(r"^##? (.*)", MAN, re.MULTILINE))
    citation = re.compile(r"apis\.md,? ([A-Z]\w+ \d+)|semantics\.md, ((?:rule|chapter) \d+)|sstorefs\*?\(1\), \*?([A-Z]{4,}(?: [A-Z]+)*)")
    texts = [path.read_text() for folder in ("src", "include", "tests", "doc", "contrib", "man") for path in (TOP / folder).rglob("*")
             if path.is_file() and path.suffix in (".c", ".h", ".py", ".md", ".scd", ".in", ".yaml", ".conf", ".sh") and "node_modules" not in path.parts]
    cited = {"".join(found) for text in texts for found in citation.findall(text)}
    cited |= {title for title in re.findall(r"[Ss]ee (?:also )?\*([A-Z][A-Z ]+)\*", MAN)}
    assert len(cited) > 40 and cited - titles == set()


def test_every_test_that_the_tests_readme_names_exists():
    text = (TOP / "tests/README.md").read_text()
    named = re.findall(r"`((?!contrib/|src/)\w+/[\w/]+\.(?:py|c))(?:::(\w+))?`", text)
    assert len(named) > 100
    for file, test in named:
        source = (TOP / "tests" / file).read_text()
        assert not test or re.search(rf"^(?:def|static void) {test}\(", source, re.MULTILINE), f"{file}::{test}"


def test_the_tests_readme_names_every_folder_and_every_rule():
    text = (TOP / "tests/README.md").read_text()
    folders = {path.name for path in (TOP / "tests").iterdir() if path.is_dir() and not path.name.startswith((".", "__"))}
    assert set(re.findall(r"^\| `(\w+)/`", text, re.MULTILINE)) == folders
    assert set(re.findall(r"^\| (\d+): ", text, re.MULTILINE)) == {str(rule) for rule in range(1, 21)}
    assert set(re.findall(r"^\| promise (\d): ", text, re.MULTILINE)) == set("12345")


def test_every_file_and_function_that_the_architecture_names_exists():
    text = (TOP / "doc/architecture.md").read_text()
    sources = [path for folder in ("src", "include") for path in (TOP / folder).rglob("*.[ch]")]
    places = ["/" + str(path.relative_to(TOP)) for path in sources]
    files = set(re.findall(r"[\w/-]+\.[ch]\b", text))
    assert len(files) > 30
    assert [file for file in sorted(files) if not any(place.endswith("/" + file) for place in places)] == []
    code = "\n".join(path.read_text() for path in sources)
    functions = set(re.findall(r"\b(\w+)\(\)", text))
    assert len(functions) > 30
    assert [name for name in sorted(functions) if not re.search(rf"\b{name}\b\)?\(", code)] == []
    assert [name for name in re.findall(r"^\| `(\w+)` \| `", text, re.MULTILINE) if f"\nstruct {name} {{" not in code] == []


@pytest.mark.parametrize("document", ["CONTRIBUTING.md", "doc/architecture.md"])
def test_the_tables_of_rooms_are_what_the_linker_symbols_are_held_to(document):
    may_call = runpy.run_path(str(TOP / "tests/layers.py"))["MAY_CALL"]
    text = (TOP / document).read_text().split("\n| room | ")[1].split("\n\n")[0]
    rows = {room: {word for word in re.findall(r"\w+", calls) if word in may_call}
            for room, calls in re.findall(r"^\| `([\w-]+)` \| .* \| ?(.*) ?\|$", text, re.MULTILINE)}
    assert rows.keys() - {"mount-proxy"} == may_call.keys()
    rows["change"] |= rows["fetch"]
    rows["main"] = may_call.keys() - {"main"}
    assert {room: rows[room] for room in may_call} == {room: set(calls) for room, calls in may_call.items()}


def test_the_newest_service_is_named_in_its_own_files_and_the_command_line_alone():
    """What is special about a service is said by flags of its provider: the rooms between know no such word, and it is a few hundred lines."""
    between = [path for room in ("base", "net", "cache", "fetch", "change", "fs", "mount-proxy") for path in (TOP / "src" / room).glob("*.[ch]")]
    assert len(between) > 80
    assert [str(path) for path in between if re.search("github", path.read_text(), re.IGNORECASE)] == []
    own = list((TOP / "src/provider").glob("github*"))
    assert len(own) > 1 and sum(len(path.read_text().splitlines()) for path in own) < 700
