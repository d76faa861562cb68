"""
The file of cacert= is changed while the mount is used: what it says holds for the next request, and a certificate authority that was taken out is not
trusted any more, neither over connections that are kept nor by TLS sessions that are resumed (sstorefs(1), OPTIONS).
"""

import errno
import os
import shutil

import pytest

from programs import errno_of, write_file
from services import Fastly
from network import ADDRESS
from tls import LOOPBACK_NAMES, Authority
from waiting import wait_until


class OtherAuthority:
    """Certificates of a second authority, for the same names."""

    def __init__(self, work):
        authority = Authority(work, "another test authority")
        self.ca = authority.ca
        self.good = authority.certificate("good", f"{LOOPBACK_NAMES},IP:{ADDRESS}")


@pytest.fixture
def other(tmp_path):
    return OtherAuthority(tmp_path / "other")


@pytest.fixture
def cacert(tmp_path, certificates):
    return shutil.copy(certificates.ca, tmp_path / "cacert.pem")


@pytest.fixture
def mount(make_mount, nginx, sandbox, cacert):
    nginx.start()
    return make_mount(Fastly("nginx", sandbox, nginx.url, cacert), options="timeout=10")


def replace(path, content):
    """As a deployment does it."""
    path = os.fspath(path)
    with open(path + ".new", "wb") as file:
        file.write(content)
    os.rename(path + ".new", path)


def rewrite(path, content):
    """As an editor does it."""
    with open(path, "wb") as file:
        file.write(content)


def read(path):
    with open(path, "rb") as file:
        return file.read()


@pytest.mark.parametrize("change", [replace, rewrite])
@pytest.mark.parametrize("reload", [False, True])
def test_an_authority_that_was_taken_out_is_not_trusted_any_more(mount, sandbox, cacert, certificates, other, change, reload):
    """Though nginx runs on, and there are kept connections to it and sessions that could be resumed."""
    write_file(mount / "prod/NAME", b"old")
    connections = {call["connection"] for call in sandbox.calls()}
    change(cacert, read(other.ca))
    if reload:
        mount.signal(1)
        wait_until(lambda: "was read again and has changed" in mount.log(), mount.log)
    sandbox.clear()
    assert errno_of(write_file, mount / "prod/NAME", b"val") == errno.EKEYREJECTED
    mount.refresh()
    assert errno_of(os.stat, mount / "prod/UNKNOWN") == errno.EKEYREJECTED
    assert sandbox.calls() == [] and connections
    change(cacert, read(other.ca) + read(certificates.ca))
    mount.refresh()
    write_file(mount / "prod/NAME", b"new")
    assert sandbox.value("prod", "NAME") == b"new"


def test_a_new_authority_is_trusted_at_the_next_connection(mount, sandbox, nginx, cacert, other):
    write_file(mount / "prod/NAME", b"old")
    nginx.start(certificate=other.good)
    mount.refresh()
    assert errno_of(os.listdir, mount / "prod") != 0, "and what was kept is found closed"
    assert errno_of(write_file, mount / "prod/NAME", b"val") == errno.EKEYREJECTED
    replace(cacert, read(other.ca))
    write_file(mount / "prod/NAME", b"new")
    assert sandbox.value("prod", "NAME") == b"new"


@pytest.mark.parametrize("content", [None, b"", b"no certificate\n"], ids=["missing", "empty", "no certificate"])
def test_an_empty_file_trusts_no_authority_and_a_message_says_so(mount, sandbox, cacert, content):
    write_file(mount / "prod/NAME", b"old")
    before = read(cacert)
    os.unlink(cacert) if content is None else rewrite(cacert, content)
    sandbox.clear()
    assert errno_of(write_file, mount / "prod/NAME", b"val") == errno.EKEYREJECTED
    assert sandbox.calls() == [] and "the CA file" in mount.control("errors").splitlines()[0]
    rewrite(cacert, before)
    write_file(mount / "prod/NAME", b"new")
    assert sandbox.value("prod", "NAME") == b"new"
