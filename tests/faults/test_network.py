"""Faults between the daemon and the service: name servers, proxies, connections that open and end."""

import base64
import errno
import json
import os
import socket
import subprocess
import threading
import time
from contextlib import ExitStack

import pytest

from daemon import environment, mounts_at, run_program
from network import ADDRESS, OTHER_ADDRESS, dropping, instead_of, without
from programs import errno_of, write_file
from services import Fastly
from tls import Certificates
from proxy import Proxy
from harness import Harness

SILENT = "nameserver 127.0.0.1\noptions timeout:30 attempts:2\n"
NO_ANSWER = 20  # seconds in which a mount that may take 2 is given up, on a loaded machine too: the resolver alone would wait for 60


@pytest.fixture
def silent_name_server(tmp_path):
    """The only one there is: it takes every question and never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 53))
        with instead_of("/etc/resolv.conf", SILENT, tmp_path):
            yield server


def hosts_with(nginx, tmp_path):
    return instead_of("/etc/hosts", f"127.0.0.1 localhost\n{nginx.url.split('/')[2].split(':')[0]} {Certificates.HOST}\n", tmp_path)


def by_name(sandbox, nginx, certificates):
    return Fastly("named", sandbox, f"https://{Certificates.HOST}:{nginx.port}", certificates.ca)


def refused_to_mount(make_mount, service, options="", **variables):
    """(status, stderr, seconds) of a mount that does not come to be."""
    mount = make_mount(service, start=False, options=",".join(filter(None, ("timeout=2", options))))
    mount.path.mkdir()
    began = time.monotonic()
    done = run_program(mount.arguments(), mount.work, **variables)
    assert mounts_at(mount.path) == []
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.returncode, done.stderr, time.monotonic() - began


def test_a_mount_does_not_wait_for_a_silent_name_server(silent_name_server, make_mount, sandbox, nginx, certificates):
    status, output, seconds = refused_to_mount(make_mount, by_name(sandbox, nginx, certificates))
    assert status == 32 and Certificates.HOST in output
    assert seconds < NO_ANSWER, "mounting waits no longer than `timeout`, whatever the resolver does"


def test_a_name_server_that_falls_silent_holds_nothing_up(make_mount, sandbox, nginx, certificates, tmp_path, table):
    """Metadata is served from memory while the resolver waits for its answer; what can't be known without it is an error in time."""
    sandbox.put("prod", "OTHER", b"other")
    names = hosts_with(nginx, tmp_path)
    with names:
        mount = make_mount(by_name(sandbox, nginx, certificates), options="timeout=2")
        write_file(mount / "prod/NAME", b"old")
        assert len(os.listdir(mount / "prod")) == 2
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 53))
        # The connection goes, and with it what was known of the address, which libcurl keeps for a minute.
        nginx.stop()
        with instead_of("/etc/resolv.conf", SILENT, tmp_path):
            results = []
            sandbox.clear()
            table.begin()
            writer = threading.Thread(target=lambda: results.append(errno_of(write_file, mount / "prod/NAME", b"val")))
            writer.start()
            answered = 0
            while writer.is_alive():
                os.stat(mount / "prod/OTHER")
                answered += 1
                time.sleep(0.01)
            table.line("the name server is silent", results, "old")
    assert results[0] in (errno.EHOSTUNREACH, errno.ETIMEDOUT, errno.EIO)
    assert answered > 5, "no request was answered while the resolver waited"
    nginx.start()


def test_ending_while_a_name_is_looked_up_takes_no_time(silent_name_server, make_mount, sandbox, nginx, certificates):
    """The resolver's thread is not waited for."""
    mount = make_mount(by_name(sandbox, nginx, certificates), start=False, options="timeout=60")
    mount.path.mkdir()
    daemon = subprocess.Popen(mount.arguments("-f"), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment(mount.work))
    silent_name_server.settimeout(60)
    silent_name_server.recv(512)  # it asks
    began = time.monotonic()
    daemon.terminate()
    assert daemon.wait(50) == 32
    daemon.stderr.close()
    assert time.monotonic() - began < NO_ANSWER


@pytest.mark.parametrize("old_address", ["refuses", "is unreachable", "drops packets"])
def test_a_service_that_moves_is_found_at_once(make_mount, sandbox, nginx, certificates, tmp_path, table, old_address):
    """Its name has another address, and libcurl keeps the old one for a minute."""
    service = by_name(sandbox, nginx, certificates)
    with hosts_with(nginx, tmp_path), ExitStack() as fault:
        mount = make_mount(service)
        # What a first connection finds out is not kept: a second one is needed for that.
        nginx.start()
        write_file(mount / "prod/NAME", b"old")
        nginx.stop()
        if old_address == "is unreachable":
            fault.enter_context(without(ADDRESS))
        elif old_address == "drops packets":
            fault.enter_context(dropping(nginx.port, ADDRESS))
        nginx.address = OTHER_ADDRESS
        nginx.start()
        with hosts_with(nginx, tmp_path):
            table.begin()
            error = errno_of(write_file, mount / "prod/NAME", b"val")
            table.line(f"the service moves, its old address {old_address}", error, "val")
    assert error == 0 and sandbox.value("prod", "NAME") == b"val"


@pytest.mark.parametrize("named_by", ["option", "variable"])
def test_a_proxy_is_used(make_mount, tls, sandbox, named_by):
    """The option wins over the variables, NO_PROXY among them."""
    proxy = Proxy()
    variables = {"HTTPS_PROXY": "http://127.0.0.1:1", "NO_PROXY": "*"} if named_by == "option" else {"HTTPS_PROXY": proxy.url}
    mount = make_mount(tls, options=f"proxy={proxy.url}" if named_by == "option" else "", **variables)
    write_file(mount / "prod/NAME", b"val")
    assert sandbox.value("prod", "NAME") == b"val"
    assert set(proxy.asked) == {tls.url.partition("//")[2]}
    assert json.loads(mount.control("status"))["proxy"] == proxy.url
    proxy.stop()


def test_no_proxy_is_used_where_none_is_wanted(make_mount, tls, sandbox):
    proxy = Proxy()
    mount = make_mount(tls, HTTPS_PROXY=proxy.url, NO_PROXY="10.99.0.0/16")
    write_file(mount / "prod/NAME", b"val")
    assert sandbox.value("prod", "NAME") == b"val" and proxy.asked == []
    assert json.loads(mount.control("status"))["proxy"] is None
    proxy.stop()


@pytest.mark.parametrize("named_by", ["option", "variable"])
def test_the_password_of_a_proxy_is_for_the_proxy_alone(make_mount, tls, sandbox, tmp_path, named_by):
    proxy = Proxy(credentials="me@work:pass word/ä")
    file = tmp_path / "proxy_password"
    file.write_text("pass word/ä\n")
    file.chmod(0o600)
    host = proxy.url.removeprefix("http://")
    if named_by == "option":
        mount = make_mount(tls, options=f"proxy=http://me%40work@{host},proxy_password_file={file}")
    else:
        mount = make_mount(tls, https_proxy=f"http://me%40work:pass%20word%2F%C3%A4@{host}")
    write_file(mount / "prod/NAME", b"val")
    assert sandbox.value("prod", "NAME") == b"val"
    assert proxy.asked and not [request for request in proxy.requests if b"Fastly-Key" in request]
    assert not [call for call in sandbox.calls() if "proxy-authorization" in call["headers"]]
    assert json.loads(mount.control("status"))["proxy"] == f"http://me%40work@{host}"
    with open(f"/proc/{mount.pid}/environ", "rb") as environment_of, open(f"/proc/{mount.pid}/cmdline", "rb") as arguments:
        assert b"pass%20word" not in environment_of.read() + arguments.read()
    assert "word/" not in mount.control("errors") + mount.log()
    proxy.stop()


def test_a_password_that_has_changed_is_read_again(make_mount, tls, nginx, sandbox, tmp_path):
    """When the proxy refuses the old one, as a token is."""
    proxy = Proxy(credentials="me:old")
    file = tmp_path / "proxy_password"
    file.write_text("old")
    file.chmod(0o600)
    mount = make_mount(tls, options=f"proxy=http://me@127.0.0.1:{proxy.port},proxy_password_file={file}")
    file.write_text("new")
    proxy.wanted = base64.b64encode(b"me:new")
    nginx.start()  # the connections end
    write_file(mount / "prod/NAME", b"val")
    assert sandbox.value("prod", "NAME") == b"val"
    proxy.stop()


# What a proxy does, and what is said of it.
PROXIES = [(403, "refuses to connect to 10.99.0.1"), (407, "407 Proxy Authentication Required: check the user in proxy="), (502, "502"),
           ("closes", ""), ("hangs", ""), ("is down", "cannot connect")]


@pytest.mark.parametrize("named_by", ["option", "variable"])
@pytest.mark.parametrize("behaviour,message", PROXIES)
def test_a_proxy_that_does_not_connect(make_mount, tls, behaviour, message, named_by):
    proxy = Proxy(behaviour)
    if behaviour == "is down":
        proxy.stop()
    named = {"options": f"proxy={proxy.url}"} if named_by == "option" else {"HTTPS_PROXY": proxy.url}
    status, output, seconds = refused_to_mount(make_mount, tls, **named)
    assert status == 32 and f"the proxy {proxy.url}" in output and message in output, output
    assert "token" not in output
    assert seconds < NO_ANSWER
    if behaviour != "is down":
        proxy.stop()


def test_a_proxy_that_goes_away(make_mount, tls, nginx, sandbox, tmp_path, table):
    """No secret finds another way round it."""
    proxy = Proxy()
    mount = make_mount(tls, options="timeout=2", HTTPS_PROXY=proxy.url)
    write_file(mount / "prod/NAME", b"old")
    sandbox.clear()
    proxy.stop()
    table.begin()
    error = errno_of(write_file, mount / "prod/NAME", b"val")
    table.line("the proxy goes away", error, "old")
    assert error in (errno.EHOSTUNREACH, errno.EIO, errno.ETIMEDOUT)
    assert f"cannot connect to the proxy {proxy.url}: Connection refused" in mount.control("errors")
    assert sandbox.calls() == [] and sandbox.value("prod", "NAME") == b"old"


CERTIFICATES = [("wrong_name", "it is for DNS:other.example"), ("unknown", "if its authority is your own, name its file with cacert="),
                ("expired", "it has expired, if it is"), ("not_yet_valid", "it is not yet valid, if it is")]


@pytest.mark.parametrize("certificate,message", CERTIFICATES)
def test_no_mount_of_a_server_that_cannot_prove_its_identity(make_mount, tls, nginx, sandbox, certificate, message):
    """Not even the token is sent. Nothing shows yet whether it is the certificate or the clock that is wrong."""
    nginx.start(certificate=getattr(nginx.certificates, certificate))
    status, output, _ = refused_to_mount(make_mount, tls)
    assert status == 32 and "the certificate of 10.99.0.1 was refused: " in output and message in output, output
    assert ("check the clock" in output) == ("if it is" in message)
    assert sandbox.calls() == []


def test_no_mount_where_packets_vanish(make_mount, tls, nginx):
    with dropping(nginx.port):
        status, output, seconds = refused_to_mount(make_mount, tls)
    assert status == 32 and "10.99.0.1" in output and seconds < NO_ANSWER


@pytest.mark.parametrize("http2,requests", [(True, 3), (False, 3), (False, 1000000)], ids=["GOAWAY", "closes", "HTTP/1.1"])
def test_many_at_once_over_connections_that_end(make_mount, tls, nginx, sandbox, table, http2, requests):
    """100 writers while the server ends each connection after a few requests: every value is stored, and none is reported that is not."""
    nginx.start(http2=http2, requests=requests)
    mount = make_mount(tls)
    names = [f"NAME{number}" for number in range(100)]
    errors = {}

    def write(name):
        errors[name] = errno_of(write_file, mount / f"prod/{name}", name.encode())

    writers = [threading.Thread(target=write, args=(name,)) for name in names]
    table.begin()
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    table.line(f"100 writers, HTTP/{2 if http2 else 1.1}, connections end after {requests}", errors.values(), "all")
    assert errors == dict.fromkeys(names, 0)
    assert all(sandbox.value("prod", name) == name.encode() for name in names)


def test_the_front_is_replaced_under_load(make_mount, tls, nginx, sandbox, table):
    """As services do when they deploy: 60 writes one after the other while the server is replaced three times; a write that says it was done was done."""
    harness = Harness(make_mount, tls, "fastly", "timeout=10", nginx)
    results = {}

    def write_all():
        for number in range(60):
            name = f"NAME{number}"
            results[name] = errno_of(write_file, harness.mount / f"prod/{name}", name.encode())

    writer = threading.Thread(target=write_all)
    writer.start()
    for _ in range(3):
        sandbox.wait_for_calls(len(sandbox.calls(operation=harness.writes)) + 5, operation=harness.writes)
        nginx.start()
    writer.join()
    table.line("the server is replaced three times, 60 writes", results.values(), "all")
    assert set(results.values()) == {0}
    assert all(sandbox.value("prod", name) == name.encode() for name in results)
