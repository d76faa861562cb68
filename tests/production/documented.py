"""The commands that a user is told to type: in README.md, the man pages, doc/, the README files of contrib, and the heads of contrib's files."""

import re
import shutil

from systemd_container import TOP

PAGES = [TOP / "README.md", *sorted((TOP / "doc").glob("*.md")), *sorted((TOP / "contrib").rglob("README.md"))]
MAN_PAGES = sorted((TOP / "man").glob("*.scd"))
# What shells bring along, what the tests do not install, and what a command begins with that is no program.
OTHER_PROGRAMS = {"cd", "exec", "export", "{", "(umask", "umask", "ulimit", "value=$(cmd)", "kubectl", "kind", "k3s", "docker", "podman-compose", "promtool"}
# A part of a man page that is bold or underlined, and several of them with nothing but blanks between.
PART = r"(?:\*(?:[^*\\\n]|\\.)+\*|(?<!\w)_(?:[^_\\\n]|\\.|_(?=\w))+_(?!\w))"
PLACEHOLDER = re.compile(r"[A-Z][A-Z_]*(?:/[A-Z_]+)*|…|\.\.\.")


def is_program(word):
    return word in OTHER_PROGRAMS or word.startswith(("sstorefs", "contrib/", "tests/")) or word.endswith((".py", ".sh")) \
        or (re.match(r"[a-z0-9[/.-]+$", word) and shutil.which(word) is not None)


def is_command(line):
    """A line between fences or in a head: a command, a fault for the sandbox, a line of fstab(5); all else there is output, or a file's content."""
    return bool(line) and not set(line) & set("│─►▲▼") and (is_program(line.split()[0]) or line.startswith("--") or " fuse.sstorefs " in line)


def has_operand(text):
    """Without one it only names a program and an option, as in "`rsync -a` writes nothing the second time"."""
    words = text.split()
    return is_program(words[0]) and any(not word.startswith("-") and word != "…" for word in words[1:])


def lines_of(block):
    lines = re.sub(r"\\\n\s*", " ", block).splitlines()
    return [re.sub(r"\s+# .*", "", line.removeprefix("# ")).strip() for line in lines]


def of_page(text):
    """Markdown."""
    for block in re.findall(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield from filter(is_command, lines_of(block))
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    for span in re.findall(r"`([^`\n]+)`", prose):
        if has_operand(command := span.replace(r"\|", "|")):
            yield command


def plain(text):
    """Without the marks of scdoc(5)."""
    return re.sub(r"\\(.)", r"\1", re.sub(r"(?<![\\\w])_|_(?!\w)|(?<!\\)\*", "", text))


def of_man_page(text):
    """scdoc(5). The synopsis is a grammar and no command."""
    text = re.sub(r"^# SYNOPSIS\n.*?(?=^# )", "", text, flags=re.MULTILINE | re.DOTALL)
    for block in re.findall(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield from filter(is_command, lines_of(block.replace("\\\\", "\\")))
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    for run in re.findall(f"{PART}(?: ?{PART})*", prose):
        if has_operand(command := plain(run)):
            yield command


def of_head(text):
    """The comment or the docstring that a file of contrib begins with: what is indented there, or between backticks."""
    comment = re.match(r"(?:#.*\n|\n)+", text)
    docstring = re.match(r'(?:#![^\n]*\n)?\s*"""(.*?)"""', text, re.DOTALL)
    head = docstring[1] if docstring else comment[0] if comment else ""
    yield from filter(has_operand, re.findall(r"`([^`\n]+)`", head))
    lines = re.findall(r"^#? {4,}(.*)", head, re.MULTILINE)
    yield from filter(is_command, [re.sub(r" {3,}\S.*" if docstring else r"\s+# .*", "", line).strip() for line in lines])


def commands():
    """Returns {command: the files that have it}."""
    found = {}
    heads = [path for path in sorted((TOP / "contrib").rglob("*")) if path.is_file() and path.suffix not in (".svg", ".json", ".md", ".pyc")]
    for paths, extract in ((PAGES, of_page), (MAN_PAGES, of_man_page), (heads, of_head)):
        for path in paths:
            for command in extract(path.read_text()):
                found.setdefault(re.sub(r"\s+", " ", command), []).append(str(path.relative_to(TOP)))
    return found


def pattern(command):
    """A regular expression that finds the command where it was typed: its words in order, with anything for what stands for something else."""
    words = [PLACEHOLDER.sub("\0", word) for word in re.sub(r" \[\S.*?\]+", "", command).split()]
    return re.compile(r"\s(?:.*\s)?".join(re.escape(word).replace("\0", r"\S*") for word in words if word != "\0"))
