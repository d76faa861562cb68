"""Client keys are real: signatures verify, sealed values open, keys expire (doc/apis.md, Fastly 7)."""

import base64
import re
from datetime import datetime
from email.utils import parsedate_to_datetime

import pytest
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey
from raw_http import seal


@pytest.fixture
def store(fastly):
    return fastly.store()


def raw(text):
    return base64.b64decode(text, validate=True)


def verify(sandbox, key):
    VerifyKey(raw(sandbox.signing_key)).verify(raw(key["public_key"]), raw(key["signature"]))


def test_the_signing_key_of_the_ready_line_is_the_apis(sandbox, fastly):
    assert fastly.call("GET", "/signing-key").json == {"signing_key": sandbox.signing_key}


def test_a_client_key_is_signed_over_its_raw_bytes(sandbox, fastly):
    reply = fastly.call("POST", "/client-key")
    assert reply.status == 200 and list(reply.json) == ["public_key", "signature", "expires_at"]
    assert len(raw(reply.json["public_key"])) == 32 and len(raw(reply.json["signature"])) == 64
    verify(sandbox, reply.json)
    with pytest.raises(BadSignatureError):
        VerifyKey(raw(sandbox.signing_key)).verify(reply.json["public_key"].encode(), raw(reply.json["signature"]))


def test_a_client_key_lives_ten_minutes_and_says_so_with_nine_digits(fastly):
    reply = fastly.call("POST", "/client-key")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", reply.json["expires_at"])
    expires = datetime.fromisoformat(reply.json["expires_at"][:26] + "Z")
    assert 599 <= (expires - parsedate_to_datetime(reply.headers["Date"])).total_seconds() <= 601.5


def test_every_client_key_is_a_new_one(fastly):
    assert len({fastly.client_key() for _ in range(5)}) == 5


@pytest.mark.parametrize("value", [b"val", b"\0", bytes(range(256)), b"x" * 65536])
def test_a_sealed_value_is_opened_and_kept(sandbox, fastly, store, value):
    assert fastly.put_sealed(store, "A", value, fastly.client_key()).status == 200
    assert sandbox.uploads("A") == [value] and sandbox.value("prod", "A") == value
    assert sandbox.upload_records("A")[0]["sealed"] is True


def test_one_client_key_serves_many_secrets_unless_a_variant_changes_it(sandbox, fastly, store):
    key = fastly.client_key()
    assert [fastly.put_sealed(store, name, b"1", key).status for name in "ABC"] == [200] * 3
    sandbox.variant(fastly__client_key_reuse="no")
    assert fastly.put_sealed(store, "D", b"1", key).status == 400
    assert fastly.put_sealed(store, "D", b"1", fastly.client_key()).status == 200


def test_an_expired_client_key_is_refused(sandbox, fastly, store):
    key = fastly.client_key()
    sandbox.variant(clock=601)
    reply = fastly.put_sealed(store, "A", b"1", key)
    assert (reply.status, reply.json["detail"]) == (400, "client_key: unknown or expired")
    assert sandbox.uploads() == []


def test_the_lifetime_can_be_another(sandbox, fastly, store):
    sandbox.variant(fastly__client_key_lifetime=5)
    key = fastly.client_key()
    sandbox.variant(clock=4)
    assert fastly.put_sealed(store, "A", b"1", key).status == 200
    sandbox.variant(clock=6)
    assert fastly.put_sealed(store, "A", b"1", key).status == 400


@pytest.mark.parametrize("key", ["A" * 43 + "=", "AAAA", "", "!", "A" * 44, 7, None])
def test_a_client_key_that_was_never_issued_is_refused(fastly, store, key):
    assert fastly.put(store, "A", b"x" * 64, client_key=key).status == 400


def test_what_was_sealed_for_another_key_is_refused(sandbox, fastly, store):
    one, other = fastly.client_key(), fastly.client_key()
    assert fastly.put(store, "A", seal(one, b"1"), client_key=other).status == 400
    assert sandbox.uploads() == []


def test_a_plain_value_under_a_client_key_is_refused(fastly, store):
    for value in (b"1", b"x" * 48, b"x" * 64):
        assert fastly.put(store, "A", value, client_key=fastly.client_key()).status == 400


def test_a_sealed_value_with_one_bit_changed_is_refused(fastly, store):
    key = fastly.client_key()
    sealed = seal(key, b"value")
    for place in range(len(sealed)):
        corrupted = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1:]
        assert fastly.put(store, "A", corrupted, client_key=key).status == 400, place


def test_the_size_limit_counts_the_unsealed_value(fastly, store):
    key = fastly.client_key()
    assert fastly.put_sealed(store, "A", b"x" * 65536, key).status == 200
    assert fastly.put_sealed(store, "A", b"x" * 65537, key).status == 400
    assert fastly.put_sealed(store, "A", b"", key).status == 400


def test_the_journal_knows_the_key_and_the_value_by_its_sum(sandbox, fastly, store):
    key = fastly.client_key()
    fastly.put_sealed(store, "A", b"value", key)
    call = sandbox.calls(operation="fastly.put_secret")[0]
    assert call["client_key"] == key and call["sealed"] is True
    assert call["value_sha256"] == "cd42404d52ad55ccfa9aca4adc828aa5800ad9d385a0671fbcbf724118320619"


def test_the_member_can_be_called_otherwise(sandbox, fastly):
    sandbox.variant(fastly__key_member="client_key")
    assert "public_key" not in fastly.call("POST", "/client-key").json
    sandbox.variant(fastly__key_member="both")
    key = fastly.call("POST", "/client-key").json
    assert key["public_key"] == key["client_key"]


# Keys that are corrupted on request

def test_a_bad_signature_does_not_verify(sandbox, fastly):
    sandbox.fault("key=bad_signature")
    with pytest.raises(BadSignatureError):
        verify(sandbox, fastly.call("POST", "/client-key").json)


def test_another_signing_key_verifies_against_what_the_api_then_says(sandbox, fastly):
    sandbox.fault("key=other_signing_key")
    key, output = fastly.call("POST", "/client-key").json, fastly.call("GET", "/signing-key").json["signing_key"]
    assert output != sandbox.signing_key
    VerifyKey(raw(output)).verify(raw(key["public_key"]), raw(key["signature"]))
    with pytest.raises(BadSignatureError):
        verify(sandbox, key)


@pytest.mark.parametrize("kind, member, length", [("short_key", "public_key", 31), ("long_key", "public_key", 33),
                                                  ("short_signature", "signature", 63)])
def test_lengths_can_be_wrong(sandbox, fastly, kind, member, length):
    sandbox.fault(key=kind)
    assert len(raw(fastly.call("POST", "/client-key").json[member])) == length


def test_a_forgotten_key_is_good_but_for_the_service(sandbox, fastly, store):
    sandbox.fault("key=forgotten,times=1")
    key = fastly.call("POST", "/client-key").json
    verify(sandbox, key)
    assert fastly.put_sealed(store, "A", b"1", key["public_key"]).status == 400
    assert fastly.put_sealed(store, "A", b"1", fastly.client_key()).status == 200


def test_an_expired_key_can_be_sent(sandbox, fastly):
    sandbox.fault("key=expired")
    key = fastly.call("POST", "/client-key").json
    verify(sandbox, key)
    assert key["expires_at"] < "2002"


def test_a_key_of_small_order_can_be_sent_well_signed(sandbox, fastly):
    sandbox.fault("key=zero")
    key = fastly.call("POST", "/client-key").json
    verify(sandbox, key)
    assert raw(key["public_key"]) == bytes(32)
