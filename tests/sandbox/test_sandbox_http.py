"""The sandbox's HTTP: connections are kept, nothing malformed is mended, state survives."""

import re
import socket
import subprocess
import time
from pathlib import Path
from threading import Thread

import pytest
from raw_http import FASTLY, Cloudflare, Fastly, Stripe, exchange_raw

PROGRAM = Path(__file__).resolve().parents[2] / "contrib" / "sandbox"
HEAD = b"Fastly-Key: sandbox-token\r\nHost: x\r\n"


def statuses(answer):
    return [int(status) for status in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", answer)]


def test_a_connection_is_kept(sandbox, fastly):
    for _ in range(20):
        fastly.call("GET")
    assert len({call["connection"] for call in sandbox.calls()}) == 1


def test_answers_do_not_wait_for_acknowledgements(fastly):
    """40 ms each would be the delayed acknowledgement of a body that was written after its head."""
    store = fastly.store()
    begun = time.monotonic()
    for _ in range(100):
        fastly.put(store, "A", b"1")
    assert time.monotonic() - begun < 2


def test_two_requests_in_one_packet_are_both_answered(sandbox):
    request = b"GET " + FASTLY.encode() + b" HTTP/1.1\r\n" + HEAD + b"\r\n"
    assert statuses(exchange_raw(sandbox.port, request * 2)) == [200, 200]


def test_connection_close_and_http_1_0_end_the_connection(sandbox):
    target = b"GET " + FASTLY.encode()
    for request in (target + b" HTTP/1.1\r\nConnection: close\r\n" + HEAD, target + b" HTTP/1.0\r\n" + HEAD):
        with socket.create_connection(("127.0.0.1", sandbox.port), timeout=5) as raw:
            raw.sendall(request + b"\r\n")
            answer = b""
            while piece := raw.recv(65536):
                answer += piece
        assert b"Connection: close" in answer and statuses(answer) == [200]


def test_the_answer_to_head_has_no_body(sandbox):
    answer = exchange_raw(sandbox.port, b"HEAD " + FASTLY.encode() + b" HTTP/1.1\r\n" + HEAD + b"\r\n")
    assert statuses(answer) == [405] and answer.endswith(b"\r\n\r\n")


def test_a_body_in_chunks_is_read(sandbox, fastly):
    body = b'5\r\n{"nam\r\nc;x=y\r\ne":"chunks"}\r\n0\r\n\r\n'
    head = b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
    answer = exchange_raw(sandbox.port, b"POST " + FASTLY.encode() + b" HTTP/1.1\r\n" + HEAD + head + b"\r\n" + body)
    assert statuses(answer) == [201] and b'"chunks"' in answer


def test_a_client_that_expects_100_continue_gets_it(sandbox):
    with socket.create_connection(("127.0.0.1", sandbox.port), timeout=5) as raw:
        raw.sendall(b"POST " + FASTLY.encode() + b" HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 12\r\n"
                    b"Expect: 100-continue\r\n" + HEAD + b"\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 100 ")
        raw.sendall(b'{"name":"e"}')
        assert raw.recv(65536).startswith(b"HTTP/1.1 201 ")


@pytest.mark.parametrize("request_text, status", [
    (b"GET /\r\n\r\n", 400), (b"nonsense\r\n\r\n", 400), (b"GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 400), (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: x\r\nBad Name: x\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabc", 400),
    (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", 413),
    (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 70000 + b"\r\n\r\n", 431)])
def test_what_is_no_http_is_refused_and_the_connection_ends(sandbox, request_text, status):
    assert statuses(exchange_raw(sandbox.port, request_text)) == [status]


def test_a_path_of_no_service_is_404(sandbox, fastly):
    assert fastly.send("GET", "/").status == 404
    assert fastly.send("GET", "/_sandbox/none").status == 404


@pytest.mark.parametrize("address", ["0.0.0.0:0", "192.0.2.1:0", "[::]:0", "example.com:0", "127.0.0.1", "127.0.0.1:x"])
def test_it_listens_on_loopback_only(address):
    done = _run("--listen", address, "--token", "t")
    assert done.returncode == 2 and "listen" in done.stderr and done.stdout == ""


@pytest.mark.parametrize("arguments", [("--variant", "none=1"), ("--variant", "fastly.order=sideways"), ("--fault", "nonsense=1"),
                                   ("--variant", "clock=x"), ("--signing-seed", "AAAA")])
def test_options_that_make_no_sense_are_named(arguments):
    done = _run("--listen", "127.0.0.1:0", "--token", "t", *arguments)
    assert done.returncode != 0 and arguments[0].strip("-") in done.stderr
    assert "Traceback" not in done.stderr


def test_a_token_is_needed():
    assert _run("--listen", "127.0.0.1:0").returncode == 2


def _run(*arguments):
    return subprocess.run(["/usr/bin/python3", PROGRAM, *arguments], capture_output=True, text=True, timeout=20)


def test_everything_survives_a_kill_with_a_state_file(sandbox_class, tmp_path):
    sandbox = sandbox_class(state=tmp_path / "state.db").start()
    fastly = Fastly(sandbox.port)
    store, key, signing_key = fastly.store(), fastly.client_key(), sandbox.signing_key
    fastly.put_sealed(store, "A", b"value", key)
    cursor_store = sandbox.seed("big", 20)["store"]
    cursor = fastly.call("GET", f"/{cursor_store}/secrets").json["meta"]["next_cursor"]
    stripe = Stripe(sandbox.port)
    first = stripe.post(name="A", payload="1", headers={"Idempotency-Key": "k"})
    sandbox.kill()
    fastly.close()
    stripe.close()
    with sandbox.start():
        assert sandbox.signing_key == signing_key
        assert sandbox.value("prod", "A") == b"value"
        assert fastly.put_sealed(store, "B", b"more", key).status == 200
        assert fastly.call("GET", f"/{cursor_store}/secrets?cursor={cursor}").status == 200
        assert stripe.post(name="A", payload="1", headers={"Idempotency-Key": "k"}).body == first.body


def test_a_signing_seed_fixes_the_signing_key(sandbox_class):
    seed = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    with sandbox_class("--signing-seed", seed) as sandbox:
        assert sandbox.signing_key == "O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik="


def test_options_of_the_command_line_hold_from_the_start_and_after_a_reset(sandbox_class):
    options = ("--fault", "status=503,method=GET", "--variant", "fastly.patch_missing=400", "--client-key-lifetime", "5",
               "--quota-secrets", "7", "--limits")
    with sandbox_class(*options) as sandbox:
        for _ in range(2):
            fastly = Fastly(sandbox.port)
            store = fastly.store()
            assert fastly.call("GET").status == 503
            assert fastly.put(store, "A", b"1", "PATCH").status == 400
            choices = sandbox.summary()["variant"]
            assert choices["fastly.client_key_lifetime"] == 5 and choices["cloudflare.quota_secrets"] == 7
            assert choices["fastly.rate_limit"] == 1000 and choices["cloudflare.rate_limit"] == 1200
            fastly.close()
            sandbox.reset()


def test_the_log_has_a_line_a_call_and_no_value():
    arguments = ["/usr/bin/python3", PROGRAM, "--listen", "127.0.0.1:0", "--token", "sandbox-token", "--log"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        fastly = Fastly(int(process.stdout.readline().rpartition(":")[2]))
        fastly.put(fastly.store(), "A", b"the value")
        process.terminate()
        log = process.stderr.read()
    assert [line.split(" in ")[0] for line in log.splitlines()] == [
        "fastly.create_store 'prod' -> 201", "fastly.put_secret 'prod/A' -> 200"]
    assert "the value" not in log and "sandbox-token" not in log


def test_200_writes_with_latency_over_56_connections_take_four_latencies(sandbox, fastly):
    store = fastly.store()
    sandbox.fault("latency=0.2,operation=fastly.put_secret")
    names = [f"N{number}" for number in range(200)]
    threads = [Thread(target=_write, args=(sandbox.port, store, names)) for _ in range(56)]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - begun < 0.2 * 4 + 0.8
    assert len(sandbox.uploads()) == 200


def _write(port, store, names):
    client = Fastly(port)
    while names:
        client.put(store, names.pop(), b"1")
    client.close()


def test_a_hundred_thousand_secrets_are_listed_in_500_calls(sandbox, fastly, cloudflare):
    store = sandbox.seed("big", 100_000)["store"]
    begun = time.monotonic()
    pages = fastly.walk(f"/{store}/secrets", 200)
    assert len(pages) == 500 and sum(len(page["data"]) for page in pages) == 100_000
    assert time.monotonic() - begun < 10


def test_the_last_of_a_thousand_numbered_pages_is_as_fast_as_the_first(sandbox, cloudflare):
    store = sandbox.seed("big", 100_000, service="cloudflare")["store"]
    path = f"/stores/{store}/secrets?per_page=100&order=name&direction=asc&page="
    assert cloudflare.call("GET", path + "1").json["result_info"]["total_count"] == 100_000
    begun = time.monotonic()
    for page in range(901, 1001):
        assert len(cloudflare.call("GET", f"{path}{page}").json["result"]) == 100
    assert time.monotonic() - begun < 5


def test_all_three_services_share_the_port(sandbox):
    clients = Fastly(sandbox.port), Cloudflare(sandbox.port, sandbox.account), Stripe(sandbox.port)
    assert clients[0].call("GET").status == 200
    assert clients[1].call("GET", "/stores").status == 200
    assert clients[2].get().status == 200
    assert [call["service"] for call in sandbox.calls()] == ["fastly", "cloudflare", "stripe"]
    for client in clients:
        client.close()


def test_it_ends_with_the_process_that_started_it(sandbox_class):
    arguments = ["/usr/bin/python3", PROGRAM, "--listen", "127.0.0.1:0", "--token", "t", "--until-eof"]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().startswith("listening on ")
        process.stdin.close()
        assert process.wait(10) == 0


def test_sigterm_ends_it_with_calls_in_flight(sandbox_class):
    with sandbox_class("--fault", "hang=forever") as sandbox:
        with socket.create_connection(("127.0.0.1", sandbox.port), timeout=5) as raw:
            raw.sendall(b"GET " + FASTLY.encode() + b" HTTP/1.1\r\n" + HEAD + b"\r\n")
            sandbox.wait_for_call("fastly.list_stores")
            process = sandbox.process
            sandbox.stop()
            assert process.returncode == 0
