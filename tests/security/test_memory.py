"""A value is nowhere once its upload is over, whatever became of it (SECURITY.md, "In memory")."""

import base64
import errno
import json
import os
import re
import subprocess
from contextlib import contextmanager
from urllib.parse import quote, quote_plus

import pytest
from daemonized import InTheBackground
from daemon import is_in_memory
from programs import PYTHON, errno_of, write_file
from write_paths import PATHS, SLOW, Writing, by_refusal
from memory_scan import Marked, core_of, found_in_memory, retained_by, messages, unlocked_areas_of, wait_until_gone

SIZES = (48, 4800)


@pytest.fixture
def each_mount(request, make_mount, each_service):
    """One that waits for as long as a busy machine may need to take a core."""
    marker = request.node.get_closest_marker("mount_options")
    return make_mount(each_service, source=each_service.source, options=marker.args[0] if marker else "timeout=100")


@pytest.fixture
def place(each_mount, each_service):
    return each_mount / each_service.store


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.__name__)
def test_a_value_leaves_nothing_behind(make_mount, each_service, path):
    """Neither in the daemon's memory, nor in what it says."""
    mount = make_mount(each_service, source=each_service.source, options="timeout=3" if path in SLOW else "")
    writing = Writing(mount, each_service)
    values = [writing.take(path, size) for size in SIZES]
    text = messages(mount)
    assert found_in_memory(mount.pid, *values) is None, "after it was asked for all it says"
    assert not [found for found in (value.found_in(text) for value in values) if found]


def test_a_daemon_in_the_background_has_nothing_of_any_path(each_service, devices, tmp_path):
    """After all of them, one after the other: not in its memory, not in a core, not in the system's log, not in what it shows."""
    value = Marked()
    mount = InTheBackground(tmp_path, each_service, devices, source=each_service.source, options="timeout=4")
    with mount:
        writing = Writing(mount, each_service)
        for path in PATHS:
            writing.take(path, SIZES[-1], like=value)
        refused = writing.take(by_refusal, SIZES[0], like=value)
        assert value.found_in(core_of(mount.pid, tmp_path, "-a")) is None
        text = messages(mount)
        assert value.found_in(text) is None
        assert re.search(rf'errno=EINVAL [^\n]*name="{refused.name}"'.encode(), text), "or its log is not where this test looks"
        assert each_service.token.encode() not in text


@contextmanager
def held(service, path, value):
    """A value on its way: the service has got it and does not answer yet."""
    service.fault(service.creates, hold="before")
    writer = subprocess.Popen([PYTHON, "-c", "import sys; open(sys.argv[1], 'wb', 0).write(sys.stdin.buffer.read())", path],
                              stdin=subprocess.PIPE)
    writer.stdin.write(value.bytes)
    writer.stdin.close()
    service.sandbox.wait_for_call(f"{service.name}.{service.creates}", state="held")
    try:
        yield
    finally:
        service.sandbox.clear_faults()
        assert writer.wait(30) == 0


SPELLINGS = {
    "raw": bytes,
    "base64": base64.b64encode,
    "base64 for addresses": base64.urlsafe_b64encode,
    "percent-encoded": lambda text: quote(text, safe="").encode(),
    "form-encoded": lambda text: quote_plus(text).encode(),
    "JSON": lambda text: json.dumps(text.decode(errors="ignore")).encode(),
    "JSON as it is": lambda text: json.dumps(text.decode(errors="ignore"), ensure_ascii=False).encode(),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_search_finds_a_piece_in_any_spelling_at_any_alignment(spelling):
    """Or none of these tests could fail."""
    value = Marked(200)
    other = Marked(200)
    for begin in range(len(value.unit)):
        for more in range(3):
            spelled = b"some" + SPELLINGS[spelling](value.bytes[begin:begin + 40 + more]) + b"thing"
            assert value.found_in(spelled), spelled
            assert not other.found_in(spelled)


def test_a_value_on_its_way_is_found(each_mount, each_service, place):
    """Or none of these tests could fail. Where it is found the memory is locked and left out of dumps; but for what TLS takes over unsealed."""
    value = Marked()
    with held(each_service, place / value.name, value):
        assert found_in_memory(each_mount.pid, value)
        if each_service.seals:
            for area, content in unlocked_areas_of(each_mount.pid):
                assert not value.found_in(content), area
    wait_until_gone(each_mount.pid, each_mount.path, value, retained=retained_by(each_service))


def test_a_core_holds_neither_values_nor_the_token(each_mount, each_service, place, tmp_path):
    """Not even one that root takes while a value is on its way."""
    token = each_service.token.encode()
    value = Marked()
    with held(each_service, place / value.name, value):
        core = core_of(each_mount.pid, tmp_path)
        assert value.found_in(core) is None and token not in core
        everything = core_of(each_mount.pid, tmp_path, "-a")
        assert value.found_in(everything) and token in everything, "or this search finds nothing"
    wait_until_gone(each_mount.pid, each_mount.path, value, retained=retained_by(each_service))
    assert value.found_in(core_of(each_mount.pid, tmp_path, "-a")) is None


def test_a_token_lies_in_locked_memory_and_nowhere_else(each_mount, each_service, place):
    """Between calls. libnghttp2 alone keeps that of a service that takes sealed values, in the table of its compressed headers, as long as a connection lives."""
    token = each_service.token.encode()
    write_file(place / "NAME", b"val")
    os.listdir(place)
    assert is_in_memory(each_mount.pid, token)
    copies = [(area, content.count(token)) for area, content in unlocked_areas_of(each_mount.pid) if token in content]
    assert sum(count for _, count in copies) <= (1 if each_service.seals else 0), copies


@pytest.mark.mount_options("timeout=3")
def test_a_service_that_is_down_is_not_quoted_with_the_value(each_mount, each_service, place):
    """By `status`, or when the next open is refused."""
    value = Marked()
    each_service.fault(each_service.creates, status=503, detail=f"broken: {value.text}")
    assert errno_of(write_file, place / value.name, value.bytes) in (errno.EIO, errno.ETIMEDOUT)
    assert value.found_in(each_mount.control("status").encode()) is None
    each_service.sandbox.clear_faults()
    errno_of(write_file, place / value.name, b"val")
    assert value.found_in(messages(each_mount)) is None


@pytest.mark.mount_options("timeout=3")
def test_not_even_a_request_id_quotes_a_value(each_mount, each_service, place):
    value = Marked()
    header = {"fastly": "X-Request-Id", "cloudflare": "CF-Ray", "stripe": "Request-Id", "github": "X-GitHub-Request-Id"}[each_service.name]
    for status in (400, 200):
        each_service.fault(each_service.creates, status=status, header=f"{header}:{value.text[:16]}-1")
        errno_of(write_file, place / value.name, value.bytes)
        each_service.sandbox.clear_faults()
    assert value.found_in(messages(each_mount)) is None
