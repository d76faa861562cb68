"""
Searches for leaked secrets: tokens and values that no output of any mount of the whole run may contain, at whatever log level. They are collected
where the sandbox learns of them, and searched for when all tests are over.
"""

import base64
import json

import pytest

import client

HEADERS = ["Authorization", "Fastly-Key:", "X-Auth-Key", "Bearer "]
SHORTEST = 12  # values that are shorter can stand in a line by chance
OUTPUTS = ("*.log", "sanitizer.*")
collected = {base64.b64encode(client.TOKEN.encode()).decode()}
findings = []


def _remember(value):
    collected.add(base64.b64encode(value).decode())


def _before(name, gather):
    """Makes the sandbox's client tell us what it knows before it does `name`."""
    original = getattr(client.Sandbox, name)

    def gathering(self, *arguments, **more):
        gather(self, *arguments)
        return original(self, *arguments, **more)

    setattr(client.Sandbox, name, gathering)


def _gather_uploads(sandbox):
    if sandbox.process and sandbox.process.poll() is None:
        for value in sandbox.uploads():
            _remember(value)


def _gather_tokens(sandbox, *tokens):
    for token in tokens:
        _remember(token.encode())


def install():
    for name in ("reset", "clear", "stop"):
        _before(name, _gather_uploads)
    _before("tokens", _gather_tokens)


def _spellings(secret):
    """As it is, its first line, and both in base64."""
    texts = {secret, secret.strip().split(b"\n")[0]}
    texts = {text for text in texts if len(text) >= SHORTEST and len(set(text)) > 3}
    return texts | {base64.b64encode(text).rstrip(b"=") for text in texts}


def _all_in(text, needles):
    """Those that stand in it. All of them have SHORTEST bytes or more, and there may be tens of thousands: one look at each place of the text."""
    beginning = {}
    for needle in needles:
        beginning.setdefault(needle[:SHORTEST], []).append(needle)
    places = (place for place in range(len(text) - SHORTEST + 1) if text[place:place + SHORTEST] in beginning)
    return {needle for place in places for needle in beginning[text[place:place + SHORTEST]] if text.startswith(needle, place)}


def search(work, secrets):
    needles = {needle for secret in secrets for needle in _spellings(secret)}
    headers = {header.encode() for header in HEADERS}
    found = []
    for output in {path for pattern in OUTPUTS for path in work.rglob(pattern) if path.is_file() and path.name != "nginx.log"}:
        text = output.read_bytes()
        there = _all_in(text, needles) | {header for header in headers if header in text}
        found += [f"{output}: {needle[:60]!r}" for needle in sorted(there)]
    return found


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    work = session.config._tmp_path_factory.getbasetemp()
    (work / f"leaks.{id(session)}.json").write_text(json.dumps(sorted(collected)))
    if hasattr(session.config, "workerinput"):
        return  # the first process searches for what all have collected
    secrets = {base64.b64decode(secret) for file in work.rglob("leaks.*.json") for secret in json.loads(file.read_text())}
    findings.extend(search(work, secrets))
    if findings:
        session.exitstatus = 1


def pytest_terminal_summary(terminalreporter):
    for finding in findings:
        terminalreporter.write_line(f"LEAK {finding}", red=True)
    if findings:
        terminalreporter.write_line(f"{len(findings)} tokens, values or headers stand where nothing secret may be", red=True)


install()
