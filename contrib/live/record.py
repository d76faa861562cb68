"""Asks a service the open questions of doc/apis.md, runs the suite through a mount, cleans up, and writes the transcript."""

import argparse
import json
import os
import re
import signal
import sys
from pathlib import Path

import suite
from redact import Redactor
from session import Session

PREFIX = re.compile(r"[A-Z][A-Z0-9_]{3,30}")


class NotAsked(Exception):
    """Why a question was not asked."""


class Service:
    """
    What a script fills in: `name`, `endpoint`, `variables` (of the token), `questions` (by asks()), and the methods below. Everything that a question makes at the
    service is undone by what it hands to undo(), the last first.
    """

    form = False  # bodies are forms

    def __init__(self, arguments, token):
        self.arguments, self.token = arguments, token
        self.prefix = arguments.write
        self.redactor = Redactor()
        self.redactor.hide(token, "<token>")
        if self.prefix:
            self.redactor.hide(self.prefix, "NAME")
            self.redactor.hide(self.prefix.lower(), "name")
        self.undos = []
        self.session = Session(arguments.endpoint or self.endpoint, self.headers(token), self.redactor, self.form)
        self.ask = self.session.ask

    def undo(self, action, *words, **more):
        self.undos.append((action, words, more))

    def clean_up(self):
        """Undoes everything, whatever fails; returns what was left behind."""
        left = []
        while self.undos:
            action, words, more = self.undos.pop()
            try:
                response = action(*words, **more)
                if response is not None and response.status >= 300 and response.status != 404:
                    left.append(f"{' '.join(map(str, words))}: {response.status}")
            except OSError as why:
                left.append(f"{' '.join(map(str, words))}: {why}")
        return left


def asks(variant, title, writes=False):
    """Marks a method as a question; what it returns is the answer."""
    def mark(method):
        method.question = (variant, title, writes)
        return method
    return mark


def questions(service):
    """In the order of the file."""
    found = [getattr(service, name) for name in vars(type(service)) if hasattr(getattr(type(service), name), "question")]
    return [(method, *method.question) for method in found]


def ask_all(service):
    asked = {}
    for method, variant, title, writes in questions(service):
        service.session.exchanges = []
        entry = asked[variant] = {"question": title}
        try:
            if writes and not service.prefix:
                raise NotAsked("it takes --write")
            entry["answer"] = method()
        except NotAsked as why:
            entry["not asked"] = str(why)
        entry["exchanges"] = service.session.exchanges
    service.session.exchanges = []
    return asked


def run_suite(service, name):
    """`name` is "reading" or "writing"."""
    arguments = service.arguments
    options = [f"token_file={arguments.token_file}"] if arguments.token_file else []
    options += [f"endpoint={arguments.endpoint}"] if arguments.endpoint else []
    options += [arguments.mount_options] if arguments.mount_options else []
    mount = suite.Mount(arguments.program, service.source(), ",".join(options + (["ro"] if name == "reading" else [])))
    try:
        found = suite.reading(mount, service.store_name()) if name == "reading" else suite.writing(
            mount, service.store_name(), f"{service.prefix}_M", service.largest)
    finally:
        status = mount.end()
    return {**found, "the daemon's status": status}


def parse_arguments(service):
    parser = argparse.ArgumentParser(description=f"Records how {service.title} answers, for contrib/live/compare. Changes nothing without --write.")
    parser.add_argument("--write", metavar="NAME-PREFIX", help="also ask what takes changes; everything that is made is named so, and removed at the end")
    parser.add_argument("--token-file", metavar="PATH", help=f"the API token; else {' or '.join(service.variables)}")
    parser.add_argument("--endpoint", metavar="URL", help=f"another address than {service.endpoint}")
    parser.add_argument("--output", metavar="PATH", default=f"{service.name}.json", help="the transcript (%(default)s)")
    parser.add_argument("--program", metavar="PATH", default="sstorefs", help="the daemon for the suite through a mount (%(default)s)")
    parser.add_argument("--mount-options", metavar="OPTIONS", default="", help="more options of the mount")
    for name, meaning in service.own_arguments.items():
        parser.add_argument(f"--{name}", required=True, help=meaning)
    arguments = parser.parse_args()
    if arguments.write and not PREFIX.fullmatch(arguments.write):
        parser.error("NAME-PREFIX has 4 to 31 capitals, digits and _, and begins with a capital: all services take such names")
    return arguments


def read_token(service, arguments):
    if arguments.token_file:
        return Path(arguments.token_file).read_text().strip()
    found = [os.environ[name] for name in service.variables if os.environ.get(name)]
    if not found:
        raise SystemExit(f"no token: give --token-file, or set {' or '.join(service.variables)}")
    return found[0]


def stop(number, frame):
    raise KeyboardInterrupt


def main(kind):
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    arguments = parse_arguments(kind)
    service = kind(arguments, read_token(kind, arguments))
    found = {"service": kind.name, "writes": bool(service.prefix)}
    try:
        if service.prefix:
            service.prepare()
        found["questions"] = ask_all(service)
        found["mount, reading"] = run_suite(service, "reading")
        if service.prefix:
            found["mount, writing"] = run_suite(service, "writing")
    finally:
        left = service.clean_up()
        for line in left:
            print(f"left behind at the service, remove it: {line}", file=sys.stderr)
    text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    service.redactor.check(text)
    Path(arguments.output).write_text(text)
    asked = sum("answer" in one for one in found["questions"].values())
    print(f"{arguments.output}: {asked} of {len(found['questions'])} questions asked, {service.session.changes} changes made and undone")
    return 1 if left else 0
