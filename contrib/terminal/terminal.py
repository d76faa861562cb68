#!/usr/bin/python3
"""Draws doc/terminal.svg: what a terminal shows when these commands run against a sandbox of Fastly.

    contrib/terminal/terminal.py [--build FOLDER] [--output FILE]

Needs root: it mounts, in a mount namespace of its own.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.sax.saxutils import escape

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "contrib" / "sandbox"))

COMMANDS = (
    "mount -t fuse.sstorefs fastly: /mnt -o token_file=/etc/sstorefs/token",
    "cd /mnt && mkdir prod",
    "echo val > prod/NAME",
    "openssl rand 32 | dd of=prod/SESSION_KEY conv=fsync status=none",
    "ls -l prod",
    "getfattr -d prod/NAME",
    "cat prod/NAME",
    "head -c 70000 /dev/urandom | dd of=prod/BIG conv=fsync status=none",
    "cat .sstorefs/errors",
)

COLUMNS, LINE, CHARACTER, MARGIN = 104, 18, 7.8, 14
NAMESPACE = "SSTOREFS_TERMINAL"

# What differs from run to run, and its replacement where two runs are compared.
VARIABLE = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
    (r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d", "DATE"),
    (r'user\.digest="[^"]+"', 'user.digest="DIGEST"'),
    (r"\b[0-9a-f]{32}\b", "REQUEST"),
    (r"pid[ =]\d+", "PID"),
)


def comparable(lines):
    """The lines with all that varies replaced by a word for it."""
    text = "\n".join(lines)
    for pattern, word in VARIABLE:
        text = re.sub(pattern, word, text)
    return text.split("\n")


def shell(command, where):
    """Runs one command as a terminal would; returns (lines that it showed, where it left the shell)."""
    script = f"cd {where}\n{command}\nstatus=$?\nexec 9>/run/where; pwd >&9; exit $status"
    done = subprocess.run(["bash", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    shown = re.sub(r"^bash: line \d+: ", "bash: ", done.stdout, flags=re.MULTILINE)
    return shown.splitlines(), Path("/run/where").read_text().strip()


def wrapped(line):
    """A terminal breaks a long line where it ends."""
    return [line[at:at + COLUMNS] for at in range(0, len(line), COLUMNS)] or [""]


def transcript(build):
    """(is it typed?, line) of the whole run."""
    from client import Sandbox
    prepare(build)
    lines, where = [], "/root"
    with Sandbox() as sandbox:
        os.environ.update(FASTLY_API_ENDPOINT=sandbox.url, FASTLY_USE_API_SIGNING_KEY="1", LC_ALL="C.UTF-8", TZ="UTC")
        Path("/etc/sstorefs/token").write_text(sandbox.token + "\n")
        os.chmod("/etc/sstorefs/token", 0o600)
        try:
            for command in COMMANDS:
                shown, where = shell(command, where)
                lines.append((True, f"# {command}"))
                lines += [(False, part) for line in shown for part in wrapped(line)]
        finally:
            subprocess.run(["umount", "-l", "/mnt"], stderr=subprocess.DEVNULL)
    return lines


def prepare(build):
    """The program where mount(8) looks for it, and empty directories; this namespace alone sees them."""
    for folder in ("/run", "/mnt", "/usr/local/sbin"):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder], check=True)
    subprocess.run(["mount", "-o", "remount,ro", "/mnt"], check=True)
    for folder in ("/run/upper", "/run/work"):
        Path(folder).mkdir()
    # /etc/sstorefs must not appear in the real /etc.
    subprocess.run(["mount", "-t", "overlay", "-o", "lowerdir=/etc,upperdir=/run/upper,workdir=/run/work", "overlay",
                    "/etc"], check=True)
    Path("/etc/sstorefs").mkdir(exist_ok=True)
    shutil.copy(build / "sstorefs", "/usr/local/sbin/sstorefs")


def svg(lines):
    width, height = COLUMNS * CHARACTER + 2 * MARGIN, len(lines) * LINE + 2 * MARGIN
    rows = []
    for number, (typed, line) in enumerate(lines):
        kind = ' class="typed"' if typed else ""
        rows.append(f'<text x="{MARGIN}" y="{MARGIN + (number + 0.75) * LINE:.1f}"{kind}>{escape(line)}</text>')
    return "\n".join((
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" height="{height}">',
        "<title>A secret is written, described, and not readable; a refusal is explained</title>",
        "<style>text { font: 13px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #c9d1d9;"
        " white-space: pre } .typed { fill: #ffffff; font-weight: bold }</style>",
        f'<rect width="{width:.0f}" height="{height}" rx="8" fill="#161b22"/>',
        *rows, "</svg>", ""))


def drawn(text):
    """The lines of a picture that svg() has made."""
    from xml.etree import ElementTree
    return [element.text or "" for element in ElementTree.fromstring(text).iter("{http://www.w3.org/2000/svg}text")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=TOP / "build", help="where sstorefs was built (build)")
    parser.add_argument("--output", type=Path, default=TOP / "doc" / "terminal.svg", help="the picture (doc/terminal.svg)")
    options = parser.parse_args()
    if NAMESPACE not in os.environ:
        os.environ[NAMESPACE] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv])
    options.output.write_text(svg(transcript(options.build.resolve())))


if __name__ == "__main__":
    main()
