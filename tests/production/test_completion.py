"""Completion of bash, zsh and fish: flags, sources, options and their values."""

import os
import pty
import re
import select
import subprocess

import pytest

from systemd_container import TOP
from daemon import PROGRAM, run_program

COMPLETION = TOP / "contrib/completion/sstorefs"
COMPLETED = """
source /usr/share/bash-completion/bash_completion
source "$COMPLETION"
COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
$FUNCTION "$PROGRAM"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def complete(line, cwd="/", function="_sstorefs", program=PROGRAM):
    """What is proposed for the last word of `line`, which is cut as bash cuts it."""
    arguments = [word for word in re.findall(r"[:=]+|[^\s:=]+", line)] + ([""] if line.endswith((" ", ":", "=")) else [])
    done = subprocess.run(["bash", "-c", COMPLETED, "bash", line, *arguments], capture_output=True, text=True, cwd=cwd,
                          env={**os.environ, "COMPLETION": str(COMPLETION), "PROGRAM": str(program), "FUNCTION": function})
    assert done.stderr == ""
    return done.stdout.split()


def offered(tmp_path):
    text = run_program([PROGRAM, "--help"], tmp_path).stdout.split("\nOPTIONS\n")[1]
    return re.findall(r"^  (\w+)(=?)(\S*)", text, re.MULTILINE)


@pytest.mark.parametrize("line,proposed", [
    ("sstorefs f", ["fastly:"]),
    ("sstorefs stripe:a", ["account"]),
    ("sstorefs --ch", ["--check"]),
    ("sstorefs --check s", ["stripe:", "stripe:account", "stripe:usr_"]),
    ("sstorefs --check /us", ["/usr"]),
    ("sstorefs fastly: /us", ["/usr"]),
    ("sstorefs fastly: /mnt -o token_f", ["token_file="]),
    ("sstorefs fastly: /mnt -o token_file=/etc/debian_v", ["/etc/debian_version"]),
    ("sstorefs fastly: /mnt -o allow_other,comm", ["allow_other,comment=", "allow_other,commit="]),
    ("sstorefs fastly: /mnt -o commit=", ["close", "fsync", "write"]),
    ("sstorefs fastly: /mnt -o sizes=", ["hidden", "shown"]),
    ("sstorefs fastly: /mnt -o ttl=60,newline=k", ["keep"]),
    ("sstorefs fastly: /mnt -o ttl=", ["minimal", "indefinite"]),
    ("sstorefs fastly: /mnt -o uid=daemo", ["daemon"]),
    ("sstorefs -o ro fast", ["fastly:"]),
    ("sstorefs fastly: /mnt more", []),
])
def test_what_is_proposed(line, proposed):
    assert sorted(complete(line)) == sorted(proposed)


def test_every_option_is_proposed(tmp_path):
    assert set(complete("sstorefs fastly: /mnt -o ")) == {name + equals for name, equals, _ in offered(tmp_path)}


def test_every_word_that_an_option_takes_is_proposed(tmp_path):
    for name, equals, argument in offered(tmp_path):
        arguments = re.findall(r"(?:^|\|)([a-z]+)(?=\||$)", argument)
        if equals and arguments:
            assert set(complete(f"sstorefs fastly: /mnt -o {name}=")) == set(arguments), name


def test_every_flag_is_proposed(tmp_path):
    flags = set(re.findall(r"(?<=[ ,])(--?\w+)", run_program([PROGRAM, "--help"], tmp_path).stdout.split("\nSOURCE\n")[1].split("\nOPTIONS\n")[0]))
    assert flags and flags <= set(complete("sstorefs -"))


def test_the_helper_and_the_mount_proxy():
    assert "-n" in complete("mount.fuse.sstorefs -", program="/sbin/mount.fuse.sstorefs")
    assert complete("sstorefs-mount-proxy --li", function="_sstorefs_mount_proxy") == ["--listen"]


FISH_COMPLETION = TOP / "contrib/completion/sstorefs.fish"


@pytest.mark.parametrize("line,proposed", [
    ("sstorefs f", ["fastly:"]),
    ("sstorefs stripe:a", ["stripe:account"]),
    ("sstorefs -o ro fast", ["fastly:"]),
    ("sstorefs --ch", ["--check"]),
    ("sstorefs --check /us", ["/usr/"]),
    ("sstorefs fastly: /us", ["/usr/"]),
    ("mount.fuse.sstorefs fastly: /mnt -o token_f", ["token_file="]),
    ("sstorefs fastly: /mnt -o token_file=/etc/debian_v", ["token_file=/etc/debian_version"]),
    ("sstorefs fastly: /mnt -o allow_other,comm", ["allow_other,comment=", "allow_other,commit="]),
    ("sstorefs fastly: /mnt -o ttl=60,newline=k", ["ttl=60,newline=keep"]),
    ("sstorefs fastly: /mnt -o uid=daemo", ["uid=daemon"]),
    ("sstorefs-mount-proxy --li", ["--listen"]),
])
def test_what_fish_proposes(line, proposed):
    done = subprocess.run(["fish", "-c", f"source {FISH_COMPLETION}; complete -C '{line}'"], capture_output=True, text=True, cwd="/",
                          env={**os.environ, "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}"})
    assert done.stderr == ""
    assert sorted(row.split("\t")[0] for row in done.stdout.splitlines()) == sorted(proposed)


# Prints its arguments instead of mounting.
PRINTING = f"""
PS1='> '
PATH={PROGRAM.parent}:$PATH
sstorefs() {{ if [ "$1" = --help ]; then command sstorefs --help; else echo "typed: $*"; fi; }}
"""
RC_FILES = {
    "bash": (".bashrc", f"""
bind 'set enable-bracketed-paste off'
source /usr/share/bash-completion/bash_completion
source {COMPLETION}
{PRINTING}
echo READY
"""),
    "zsh": (".zshrc", f"""
fpath=({COMPLETION.parent} $fpath)
autoload -U compinit && compinit -u -D
unset zle_bracketed_paste
{PRINTING}
echo READY
"""),
}


@pytest.mark.parametrize("shell", RC_FILES)
def test_in_a_terminal(shell, tmp_path):
    """As it is typed."""
    ours, theirs = pty.openpty()
    name, text = RC_FILES[shell]
    (tmp_path / name).write_text(text)
    process = subprocess.Popen([shell, "-i"], stdin=theirs, stdout=theirs, stderr=theirs, cwd="/", start_new_session=True,
                               env={**os.environ, "TERM": "dumb", "HOME": str(tmp_path), "ZDOTDIR": str(tmp_path)})
    os.close(theirs)
    seen = ""

    def wait_for(text):
        nonlocal seen
        while text not in seen:
            assert select.select([ours], [], [], 60)[0], f"{text} did not come; this did: {seen}"
            seen += os.read(ours, 4096).decode()
        seen = seen.split(text, 1)[1]

    try:
        wait_for("READY\r\n")
        wait_for("> ")
        os.write(ours, b"sstorefs fas\t /us\t -o new\tk\t,commi\tf\t\n")
        wait_for("typed: fastly: /usr")
        wait_for("-o newline=keep,commit=fsync")
    finally:
        process.kill()
        process.wait()
        os.close(ours)
