"""Values that go to the service as they are: how they get there, and what is left of them (SECURITY.md)."""

import errno
import os
import secrets

import pytest

from daemon import is_in_memory
from programs import close, errno_of, start, write_file
from services import Cloudflare, Stripe

LARGEST = {"cloudflare": 65536, "stripe": 5000}


@pytest.fixture(params=[Cloudflare, Stripe], ids=["cloudflare", "stripe"])
def served(request, sandbox, front):
    """Through nginx, by TLS 1.3, which offers HTTP/2."""
    service = request.param("nginx", sandbox, front.url, front.cacert).make_store()
    with service.watched():
        yield service


@pytest.fixture
def mount(make_mount, served):
    return make_mount(served, source=served.source, options="timeout=5")


@pytest.fixture
def marker():
    """16 bytes. A value that repeats them is recognised by any 31 bytes that are left of it."""
    return secrets.token_hex(8).encode()


def test_values_go_over_http_1_and_all_else_over_http_2(mount, served):
    for number in range(3):
        write_file(mount / served.store / f"NAME{number}", b"val")
        write_file(mount / served.store / f"NAME{number}", b"again")
        (mount / served.store / f"NAME{number}").unlink()
    by_protocol = {}
    for call in served.calls():
        operation = call["operation"].partition(".")[2]
        by_protocol.setdefault(call["headers"]["x-front-protocol"], set()).add(operation)
        assert call["headers"]["x-front-tls"] == "TLSv1.3"
    writes = {"create_secrets", "patch_secret"} if served.name == "cloudflare" else {"set_secret"}
    assert by_protocol.keys() == {"HTTP/1.1", "HTTP/2.0"}
    assert by_protocol["HTTP/1.1"] == writes and not by_protocol["HTTP/2.0"] & writes


@pytest.mark.parametrize("size", [32, 1000, 5000, 65536])
def test_nothing_of_a_value_is_left_in_memory(mount, served, marker, size):
    """Of a secret that was there. A new one's is retained for a rename: test_rename_by_value.py."""
    value = marker * (min(size, LARGEST[served.name]) // 16)
    served.put(served.store, "NAME", b"old")
    for _ in range(2):
        write_file(mount / served.store / "NAME", value)
        assert served.value(served.store, "NAME") == value
        mount.control("status")  # the RELEASE that ends a value's life came before it
        assert not is_in_memory(mount.pid, marker)


@pytest.mark.parametrize("fault", [{"status": 403}, {"status": 500}, {"reset": "after"}, {"hang": "forever"}])
def test_nor_of_one_that_was_refused_or_lost(make_mount, served, marker, fault):
    mount = make_mount(served, source=served.source, options="timeout=2")
    served.put(served.store, "NAME", b"old")
    served.fault("[cps]*_secret*", **fault)
    failed = errno_of(write_file, mount / served.store / "NAME", marker * 60)
    assert failed or "reset" in fault, "what was lost can be made up for"
    mount.control("status")
    assert not is_in_memory(mount.pid, marker)


def test_a_service_that_quotes_the_value_does_not_get_it_into_the_errors(mount, served):
    value = 'Vq7"secret%value&31415926'
    served.fault(served.creates, status=400, detail=f"can't take {value!r}")
    assert errno_of(write_file, mount / served.store / "NAME", value.encode()) == errno.EINVAL
    shown = mount.control("errors") + mount.log() + mount.control("status")
    assert not any(value[offset:offset + 8] in shown for offset in range(len(value) - 7))
    assert "EINVAL" in mount.control("errors")


def test_metadata_is_answered_while_a_value_hangs(mount, served):
    served.put(served.store, "OTHER", b"x")
    os.stat(mount / served.store / "OTHER")
    served.fault(served.creates, hold="before")
    writer = start("sh", "-c", 'echo val > "$NAME"', NAME=mount / served.store / "NAME")
    served.sandbox.wait_for_calls(1, operation=f"{served.name}.{served.creates}", state="held")
    os.stat(mount / served.store / "OTHER")
    os.listdir(mount / served.store)
    assert writer.poll() is None
    served.sandbox.release()
    assert writer.wait(30) == 0


@pytest.fixture
def small_memory(make_mount, served):
    """A daemon that may lock very little: one body of a large value at a time."""
    mount = make_mount(served, start=False, source=served.source, options="timeout=5")
    arguments = mount.arguments
    mount.arguments = lambda *more: ["prlimit", f"--memlock={512 << 10}", "setpriv", "--bounding-set=-ipc_lock",
                                 "--inh-caps=-ipc_lock", *arguments(*more)]
    return mount.start()


def test_bodies_wait_for_locked_memory(small_memory, served):
    """A body of control characters takes three to six times the room of its value: here there is room for two."""
    value = b"\x01" * (20000 if served.name == "cloudflare" else 5000)
    writers = [start("sh", "-c", 'head -c "$SIZE" /dev/zero | tr "\\0" "\\1" > "$NAME"',
                     SIZE=len(value), NAME=small_memory / served.store / f"NAME{number}") for number in range(3)]
    assert [writer.wait(60) for writer in writers] == [0] * 3
    assert small_memory.control("errors") == ""
    for number in range(3):
        assert served.value(served.store, f"NAME{number}") == value


def test_a_body_that_never_finds_room_is_enobufs(small_memory, served):
    if served.name == "stripe":
        value = b"\x01" * 5000
        write_file(small_memory / served.store / "NAME", value)
        assert served.value(served.store, "NAME") == value
        return
    assert errno_of(write_file, small_memory / served.store / "NAME", b"\x01" * 65536) == errno.ENOBUFS
    assert "no locked memory" in small_memory.control("errors")
    write_file(small_memory / served.store / "NAME", b"x" * 65536)
    assert served.value(served.store, "NAME") == b"x" * 65536


def test_a_write_that_cuts_a_character_in_two_is_refused(mount, served):
    descriptor = os.open(mount / served.store / "NAME", os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(descriptor, "bcé".encode())
    assert errno_of(os.pwrite, descriptor, b"d", 3) == errno.EILSEQ
    assert errno_of(close, descriptor) == errno.EILSEQ
    assert served.value(served.store, "NAME") is None


def test_characters_may_come_in_pieces(mount, served):
    descriptor = os.open(mount / served.store / "NAME", os.O_WRONLY | os.O_CREAT, 0o600)
    for byte in "é🔑".encode():
        os.write(descriptor, bytes([byte]))
    os.pwrite(descriptor, "è".encode()[1:], 1)
    close(descriptor)
    assert served.value(served.store, "NAME") == "è🔑".encode()


def test_a_refused_write_leaves_nothing_in_the_value_of_another_handle(mount, served):
    """Two had it open while it was staged, and shared it; they do no longer once it has its real name."""
    temporary, name = mount / served.store / ".NAME.x7Qp2k", mount / served.store / "NAME"
    good = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    bad = os.open(temporary, os.O_WRONLY)
    os.write(good, b"value")
    os.rename(temporary, name)
    assert errno_of(os.write, bad, b"\xff") == errno.EILSEQ
    os.write(good, b"!")
    os.fsync(good)
    assert served.value(served.store, "NAME") == b"value!"
    errno_of(close, bad)
    close(good)
