"""Stripe Apps secrets: scopes for stores, one upsert for every write (doc/apis.md, Stripe)."""

import errno
import os
import time
from datetime import datetime, timezone

import pytest

from daemon import PROGRAM, run_program
from dirents import attributes
from programs import errno_of, shell, write_file
from services import Stripe
from waiting import wait_until


@pytest.fixture
def stripe(sandbox):
    with Stripe("direct", sandbox, sandbox.url).watched() as service:
        yield service


@pytest.fixture
def mount(request, make_mount, stripe):
    marker = request.node.get_closest_marker("mount_options")
    made = make_mount(stripe, source=stripe.source, options=marker.args[0] if marker else "")
    stripe.sandbox.clear()
    return made


def moment(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


# Scopes


@pytest.mark.mount_options("users=usr_A:usr_b2")
def test_scopes_are_account_the_given_users_and_those_made(mount, stripe):
    assert sorted(os.listdir(mount.path)) == ["account", "usr_A", "usr_b2"]
    os.mkdir(mount / "usr_made")
    assert sorted(os.listdir(mount.path)) == ["account", "usr_A", "usr_b2", "usr_made"]
    assert stripe.calls() == []
    for scope in ("account", "usr_A", "usr_made"):
        write_file(mount / scope / "NAME", scope.encode())
        assert stripe.value(scope, "NAME") == scope.encode()
        assert os.listdir(mount / scope) == ["NAME"]
    assert attributes(mount / "usr_A") == {"user.id": "usr_A"}


@pytest.mark.parametrize("scope", ["account", "usr_1a"])
def test_one_scope_can_be_mounted(make_mount, stripe, scope):
    mount = make_mount(stripe, source=f"stripe:{scope}")
    assert [call["operation"] for call in stripe.calls()] == ["stripe.list_secrets"]
    write_file(mount / "NAME", b"val")
    assert stripe.value(scope, "NAME") == b"val" and os.listdir(mount.path) == ["NAME"]


def test_mkdir_takes_user_ids_alone(mount):
    for name in ("usr_", "user", "usr_a-b", "usr_a b", "usr_ä", "USR_a", "acct_1"):
        assert errno_of(os.mkdir, mount / name) == errno.EINVAL, name
    assert errno_of(os.mkdir, mount / "account") == errno.EEXIST


def test_rmdir_asks_the_service_whether_the_scope_is_empty(mount, stripe):
    os.mkdir(mount / "usr_a")
    assert os.listdir(mount / "usr_a") == []
    stripe.put("usr_a", "NAME", b"another client's")
    assert errno_of(os.rmdir, mount / "usr_a") == errno.ENOTEMPTY
    assert stripe.value("usr_a", "NAME") == b"another client's"
    stripe.delete("usr_a", "NAME")
    os.rmdir(mount / "usr_a")
    assert os.listdir(mount.path) == ["account"]
    assert errno_of(os.rmdir, mount / "account") == errno.EPERM
    assert set(stripe.names()) == {"list_secrets"}


# What is there


def test_attributes_are_the_services_own(mount, stripe):
    stripe.put("account", "NAME", b"old", created=1.7e9, expires_at=4_000_000_000)
    shown = attributes(mount / "account/NAME")
    assert len(shown.pop("user.digest")) == 44 and shown.pop("user.id").startswith("appsecret_")
    assert shown == {"user.created_at": "2023-11-14T22:13:20Z", "user.expires_at": "2096-10-02T07:06:40Z",
                     "user.livemode": "false"}
    assert os.stat(mount / "account/NAME").st_mtime == 1.7e9


def test_livemode_is_the_keys(make_mount, stripe):
    stripe.sandbox.tokens(stripe.token, "sk_live_key")
    mount = make_mount(stripe, start=False, source="stripe:", STRIPE_API_KEY="sk_live_key")
    mount.options = stripe.options
    mount.start()
    write_file(mount / "account/NAME", b"val")
    assert os.getxattr(mount / "account/NAME", "user.livemode") == b"true"
    assert stripe.value("account", "NAME", livemode=True) == b"val" and stripe.value("account", "NAME", livemode=False) is None


@pytest.mark.mount_options("stripe_account=acct_1Abc")
def test_stripe_account(mount, stripe):
    write_file(mount / "account/NAME", b"val")
    os.unlink(mount / "account/NAME")
    assert len(stripe.calls()) > 2
    assert {call["headers"]["stripe-account"] for call in stripe.calls()} == {"acct_1Abc"}


@pytest.fixture
def organization(make_mount, stripe):
    """A mount with the key of an organization, not started."""
    stripe.sandbox.tokens(stripe.token, "sk_org_test_key")
    mount = make_mount(stripe, start=False)
    mount.write_token("sk_org_test_key")
    return mount


def test_the_key_of_an_organization(organization, stripe):
    organization.options += ",stripe_context=acct_1/acct_1a,stripe_version=2027-01-01.edelweiss"
    organization.start()
    write_file(organization / "account/NAME", b"val")
    assert stripe.value("account", "NAME", account="acct_1a") == b"val"
    os.unlink(organization / "account/NAME")
    assert {(call["headers"]["stripe-context"], call["headers"]["stripe-version"]) for call in stripe.calls()} == {
        ("acct_1/acct_1a", "2027-01-01.edelweiss")}


def test_an_organization_without_an_account_is_refused_when_it_is_mounted(organization):
    organization.path.mkdir()
    done = run_program(organization.arguments("-f"), organization.work)
    assert done.returncode == 32 and "Stripe-Context" in done.stderr


def test_each_call_names_the_version_that_the_facts_were_taken_from(mount, stripe):
    write_file(mount / "account/NAME", b"val")
    os.unlink(mount / "account/NAME")
    assert {call["headers"]["stripe-version"] for call in stripe.calls()} == {"2026-07-29.dahlia"}


@pytest.mark.parametrize("count", [10, 250])
@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_listings_are_whole(mount, stripe, count, order):
    stripe.variant(per_scope=1000, order=order)
    stripe.seed("account", count)
    assert len(os.listdir(mount / "account")) == count
    assert len(stripe.calls("list_secrets")) == -(-count // 100)
    stripe.sandbox.clear()
    for name in os.listdir(mount / "account"):
        os.getxattr(mount / "account" / name, "user.digest")
    assert stripe.calls() == []


def test_one_name_is_found_by_one_call(mount, stripe):
    stripe.put("account", "NAME", b"x")
    assert (mount / "account/NAME").exists() and not (mount / "account/OTHER").exists()
    assert stripe.names() == ["find_secret", "find_secret"]


# Names


NAMES = {
    "a/b": "a%2Fb", "..": "%2E%2E", ".": "%2E", "line\nbreak\ttab": "line%0Abreak%09tab", "é ü \U0001f511": "é ü \U0001f511",
    "+&=%/?#[]": "+&=%%2F?#[]", "100%25": "100%2525", ".sstorefs": "%2Esstorefs", "x" * 255: "x" * 255, " ": " ", "a%2": "a%2",
    "nul\0": "nul%00", "\x7f": "%7F",
}


@pytest.mark.parametrize("name,shown", NAMES.items(), ids=range(len(NAMES)))
def test_any_name(mount, stripe, name, shown):
    write_file(mount / "account" / shown, b"val")
    assert stripe.value("account", name) == b"val"
    assert os.listdir(mount / "account") == [shown]
    mount.refresh()
    assert os.listdir(mount / "account") == [shown]
    assert (mount / "account" / shown).exists()
    os.unlink(mount / "account" / shown)
    assert stripe.value("account", name) is None


def test_names_over_255_bytes_are_left_out_and_counted(mount, stripe):
    stripe.put("account", "x" * 256, b"x")
    stripe.put("account", "/" * 86, b"x")
    stripe.put("account", "NAME", b"x")
    assert os.listdir(mount / "account") == ["NAME"]
    assert '"left_out": 2' in mount.control("status")
    assert errno_of(write_file, mount / "account" / ("%2F" * 86), b"x") == errno.ENAMETOOLONG


# Writing


VALUES = {
    "form": b"a+b&c=d%41/e f?g#h[i]j;k~l-m_n.o!*'()",
    "percent": b"%00%zz%",
    "newlines": b"one\r\ntwo\n\n",
    "control": bytes(range(1, 32)) + b"\x7f\nx",
    "nul": b"a\0b\0",
    "non-ascii": "äöü \u0080 \u2028 \U0001f511\U0010ffff".encode(),
    "base64": b"+/+/AAAA====",
    "blank": b"  \t val \n ",
    "largest": b"x" * 5000,
    "largest-astral": "\U0001f511".encode() * 5000,
    "largest-escaped": b"%" * 5000,
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_text_arrives_byte_for_byte(mount, stripe, value):
    for _ in ("create", "replace"):
        write_file(mount / "account/NAME", value)
        assert stripe.value("account", "NAME") == value
    assert stripe.names() == ["find_secret", "set_secret", "set_secret"]


def test_the_limit_is_5000_characters(mount, stripe):
    for value in (b"x" * 5001, "é".encode() * 5001, "\U0001f511".encode() * 5000 + b"x"):
        assert errno_of(write_file, mount / "account/NAME", value) == errno.EFBIG
    assert not (mount / "account/NAME").exists() and stripe.calls("set_secret") == []
    write_file(mount / "account/NAME", "é".encode() * 5000 + b"\n")
    assert stripe.value("account", "NAME") == "é".encode() * 5000


def test_a_service_that_counts_bytes_is_efbig_too(mount, stripe):
    stripe.variant(length="bytes")
    assert errno_of(write_file, mount / "account/NAME", "é".encode() * 2501) == errno.EFBIG
    assert "at most 5000" in mount.control("errors")


@pytest.mark.parametrize("value", [b"\xff", b"a\xc3", b"\xed\xa0\x80"])
def test_what_is_not_utf8_is_eilseq(mount, stripe, value):
    assert errno_of(write_file, mount / "account/NAME", value) == errno.EILSEQ
    assert not (mount / "account/NAME").exists() and stripe.calls("set_secret") == []


def test_under_o_excl_it_is_looked_for_first(mount, stripe):
    write_file(mount / "account/NAME", b"val", os.O_CREAT | os.O_EXCL)
    assert stripe.names() == ["find_secret", "find_secret", "set_secret"]
    assert os.listdir(mount / "account") == ["NAME"]
    stripe.put("account", "OTHER", b"theirs")
    assert errno_of(write_file, mount / "account/OTHER", b"ours", os.O_CREAT | os.O_EXCL) == errno.EEXIST
    assert stripe.value("account", "OTHER") == b"theirs"


@pytest.mark.mount_options("nocreate")
def test_nocreate_looks_first_too(mount, stripe):
    stripe.put("account", "NAME", b"old")
    write_file(mount / "account/NAME", b"new")
    assert stripe.names() == ["find_secret", "find_secret", "set_secret"]
    stripe.delete("account", "NAME")
    assert errno_of(write_file, mount / "account/NAME", b"val") == errno.ENOENT
    assert errno_of(write_file, mount / "account/OTHER", b"val") == errno.EPERM
    assert stripe.value("account", "NAME") is None and len(stripe.calls("set_secret")) == 1


@pytest.mark.parametrize("body", ["full", "short"])
def test_unlink(mount, stripe, body):
    stripe.variant(delete_body=body)
    stripe.put("account", "NAME", b"old")
    os.unlink(mount / "account/NAME")
    assert stripe.value("account", "NAME") is None and not (mount / "account/NAME").exists()
    stripe.put("account", "GONE", b"old")
    os.stat(mount / "account/GONE")
    stripe.delete("account", "GONE")
    assert errno_of(os.unlink, mount / "account/GONE") == errno.ENOENT


def test_a_stored_name_can_not_be_changed(mount, stripe):
    stripe.put("account", "NAME", b"old")
    assert errno_of(os.rename, mount / "account/NAME", mount / "account/NEW") == errno.EOPNOTSUPP
    assert errno_of(os.link, mount / "account/NAME", mount / "account/NEW") == errno.EOPNOTSUPP
    assert stripe.value("account", "NAME") == b"old"


# Idempotency keys, and being asked to try again


def keys(stripe, operation="set_secret"):
    return [call["headers"].get("idempotency-key") for call in stripe.calls(operation)]


def test_every_publication_has_a_key_of_its_own(mount, stripe):
    for _ in range(5):
        write_file(mount / "account/NAME", b"val")
    os.unlink(mount / "account/NAME")
    sent = keys(stripe) + keys(stripe, "delete_secret")
    assert len(set(sent)) == 6 and all(24 <= len(key) <= 255 for key in sent)
    assert all("idempotency-key" not in call["headers"] for call in stripe.calls() if call["method"] == "GET")


@pytest.mark.parametrize("fault", [{"reset": "before"}, {"reset": "after"}, {"body": "truncated"}, {"status": 429}])
def test_a_repetition_has_the_same_key(mount, stripe, fault):
    stripe.fault("set_secret", times=1, **fault)
    write_file(mount / "account/NAME", b"val")
    first, second = keys(stripe)
    assert first == second
    assert stripe.sandbox.uploads("NAME") == [b"val"] and stripe.value("account", "NAME") == b"val"


@pytest.mark.parametrize("status", [500, 503])
def test_a_5xx_that_was_read_gets_a_new_key(mount, stripe, status):
    """The service gives the same answer to the same key again."""
    stripe.fault("set_secret", times=1, status=status)
    write_file(mount / "account/NAME", b"val")
    first, second = keys(stripe)
    assert first != second and len(first) == len(second)
    assert stripe.value("account", "NAME") == b"val"


def test_a_delete_is_repeated_with_its_key(mount, stripe):
    stripe.put("account", "NAME", b"old")
    stripe.fault("delete_secret", times=1, reset="after")
    os.unlink(mount / "account/NAME")
    first, second = keys(stripe, "delete_secret")
    assert first == second and stripe.value("account", "NAME", livemode=False) is None


def test_a_key_that_is_still_in_use_is_waited_for(mount, stripe):
    stripe.fault("set_secret", times=1, status=409, code="idempotency_key_in_use")
    write_file(mount / "account/NAME", b"val")
    assert len(set(keys(stripe))) == 1 and stripe.value("account", "NAME") == b"val"


def test_stripe_should_retry_is_obeyed(make_mount, stripe):
    mount = make_mount(stripe, source="stripe:account", options="timeout=5")
    stripe.sandbox.clear()
    stripe.fault("set_secret", times=1, status=500, header="Stripe-Should-Retry:false")
    assert errno_of(write_file, mount / "NAME", b"val") == errno.EIO
    assert len(stripe.calls("set_secret")) == 1
    time.sleep(3.1)  # after an EIO the service counts as down for so long
    stripe.fault("set_secret", times=1, status=400, header="Stripe-Should-Retry:true")
    write_file(mount / "NAME", b"val")
    assert stripe.value("account", "NAME") == b"val"


# Expiry


@pytest.mark.mount_options("expires=12h")
def test_new_secrets_expire_as_the_option_says(mount, stripe):
    write_file(mount / "account/NAME", b"val")
    sent = os.getxattr(mount / "account/NAME", "user.expires_at").decode()
    assert abs(datetime.fromisoformat(sent).timestamp() - time.time() - 12 * 3600) < 10


@pytest.mark.mount_options("expires=12h")
@pytest.mark.parametrize("known", [True, False])
def test_a_replacement_keeps_the_expiry_that_is_known(mount, stripe, known):
    stripe.put("account", "SOON", b"old", expires_at=2_000_000_000)
    stripe.put("account", "NEVER", b"old")
    for name, shown in (("SOON", "2033-05-18T03:33:20Z"), ("NEVER", "never")):
        os.stat(mount / "account" / name)
        descriptor = os.open(mount / "account" / name, os.O_WRONLY)
        if not known:
            mount.refresh()
        os.write(descriptor, b"new")
        os.close(descriptor)
        assert stripe.value("account", name) == b"new"
        mount.refresh()
        assert os.getxattr(mount / "account" / name, "user.expires_at") == shown.encode()


@pytest.mark.mount_options("expires=12h")
@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("setting,shown", [("2040-01-02T03:04:05Z", "2040-01-02T03:04:05Z"), ("never", "never"),
                                        ("2040-01-02T05:04:05.75+02:00", "2040-01-02T03:04:05Z")])
def test_an_expiry_set_before_the_value_wins(mount, stripe, exists, setting, shown):
    if exists:
        stripe.put("account", "NAME", b"old", expires_at=2_000_000_000)
    done = shell(f"exec 3> NAME; setfattr -n user.expires_at -v {setting} NAME && echo val >&3 && "
                 "getfattr --only-values -n user.expires_at NAME && exec 3>&-", cwd=mount / "account")
    assert (done.returncode, done.stderr) == (0, "")
    assert stripe.value("account", "NAME") == b"val"
    mount.refresh()
    assert os.getxattr(mount / "account/NAME", "user.expires_at").decode() == shown


def test_another_expiry_is_another_digest(mount, stripe):
    """Even where the service keeps id and time of what is replaced."""
    tags = []
    for setting in (2_000_000_000, 2_100_000_000):
        stripe.put("account", "NAME", b"val", created=1.7e9, expires_at=setting, id="appsecret_one")
        mount.refresh()
        wait_until(lambda: attributes(mount / "account/NAME")["user.expires_at"] == moment(setting))
        tags.append(os.getxattr(mount / "account/NAME", "user.digest"))
    assert tags[0] != tags[1]


def test_an_expiry_that_can_not_be_set(mount, stripe):
    stripe.put("account", "NAME", b"old")
    name = mount / "account/NAME"
    assert errno_of(os.setxattr, name, "user.expires_at", b"2040-01-01T00:00:00Z") == errno.EOPNOTSUPP
    descriptor = os.open(name, os.O_WRONLY)
    try:
        for setting in (b"2020-01-01T00:00:00Z", b"tomorrow", b"", b"2040-13-01T00:00:00Z", b"Never",
                     b"9999-12-31T23:59:59Z"):  # later than what can be kept
            assert errno_of(os.setxattr, name, "user.expires_at", setting) == errno.EINVAL, setting
        for attribute in ("user.comment", "user.scopes"):
            assert errno_of(os.setxattr, name, attribute, b"x") == errno.EOPNOTSUPP
    finally:
        os.close(descriptor)


def test_an_expired_secret_goes_by_itself_without_a_call(mount, stripe):
    stripe.put("account", "SOON", b"x", expires_at=int(time.time()) + 2)
    stripe.put("account", "LATER", b"x")
    assert sorted(os.listdir(mount / "account")) == ["LATER", "SOON"]
    os.stat(mount / "account/SOON")
    stripe.sandbox.clear()
    time.sleep(3.2)  # the time-to-live of the secret is what is tested, and the kernel's second
    assert os.listdir(mount / "account") == ["LATER"]
    assert errno_of(os.stat, mount / "account/SOON") == errno.ENOENT
    assert stripe.calls() == []
    write_file(mount / "account/SOON", b"new", os.O_CREAT | os.O_EXCL)
    assert stripe.value("account", "SOON") == b"new"


# A scope that is full


@pytest.mark.parametrize("status", [400, 403])
@pytest.mark.parametrize("code", ["none", "resource_limit_exceeded"])
def test_the_eleventh_secret_is_edquot(mount, stripe, status, code):
    stripe.variant(full_status=status, full_code=code)
    stripe.seed("account", 10)
    os.mkdir(mount / "usr_a")
    assert errno_of(write_file, mount / "account/NEW", b"val") == errno.EDQUOT
    assert "maximum of 10" in mount.control("errors") and not (mount / "account/NEW").exists()
    refused = shell('echo val > "$NAME"', NAME=mount / "account/NEWER")
    assert refused.returncode != 0 and "quota" in refused.stderr.lower()
    write_file(mount / "account/SECRET_0000003", b"replaced")
    write_file(mount / "usr_a/NEW", b"another scope")
    os.unlink(mount / "account/SECRET_0000004")
    write_file(mount / "account/NEW", b"val")


def test_a_refusal_that_says_nothing_of_a_quota_is_einval_with_its_words(mount, stripe):
    stripe.fault("set_secret", status=400, detail="This app may not do that", times=1)
    assert errno_of(write_file, mount / "account/NEW", b"val") == errno.EINVAL
    assert "This app may not do that" in mount.control("errors")


REFUSALS = [
    ({"status": 401}, errno.EACCES),
    ({"status": 403, "detail": "The app does not have secret_write"}, errno.EACCES),
    ({"status": 429}, errno.EAGAIN),
    ({"status": 400, "code": "rate_limit"}, errno.EAGAIN),
    ({"status": 500}, errno.EIO),
    ({"status": 402}, errno.EINVAL),
    ({"body": "html"}, errno.EIO),
    ({"body": "array"}, errno.EIO),
    ({"hang": "forever"}, errno.ETIMEDOUT),
]


@pytest.mark.parametrize("fault,expected", REFUSALS, ids=[str(fault) for fault, _ in REFUSALS])
def test_refusals(make_mount, stripe, fault, expected):
    mount = make_mount(stripe, source=stripe.source, options="timeout=2")
    assert os.listdir(mount / "account") == []
    stripe.fault("*", **fault)
    assert errno_of(write_file, mount / "account/NAME", b"val") == expected
    assert errno.errorcode[expected] in mount.control("errors").splitlines()[0]


# Credentials


@pytest.mark.parametrize("variable", ["STRIPE_API_KEY", "STRIPE_SECRET_KEY"])
def test_the_key_from_the_environment(make_mount, stripe, variable):
    mount = make_mount(stripe, start=False, source="stripe:", **{variable: stripe.token})
    mount.options = stripe.options
    mount.start()
    write_file(mount / "account/NAME", b"val")


@pytest.mark.parametrize("source,options", [("stripe:usr_a-b", ""), ("stripe:user", ""), ("stripe:usr_", ""), ("stripe:a/b", ""),
                                            ("stripe:", "users=usr_a:account"), ("stripe:", "users=usr_a-b"), ("stripe:", "users=x"),
                                            ("stripe:", "stripe_account=x"), ("stripe:", "stripe_context=acct_1/"),
                                            ("stripe:", "stripe_version=newest"), ("stripe:", "stripe_account=acct_1,stripe_context=acct_1"),
                                            ("stripe:", "expires=soon"), ("stripe:", "expires=0s"),
                                            ("stripe:", "scopes=workers"), ("stripe:", "signing_key=api")])
def test_sources_and_options_that_make_no_sense(stripe, tmp_path, source, options):
    (tmp_path / "mnt").mkdir()
    options_given = ",".join(filter(None, (stripe.options, options)))
    done = run_program([PROGRAM, source, tmp_path / "mnt", "-o", options_given], tmp_path, STRIPE_API_KEY=stripe.token)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert stripe.calls() == []


# What never happens


def test_nothing_brings_a_value_back(mount, stripe):
    write_file(mount / "account/NAME", b"val")
    os.listdir(mount / "account")
    mount.refresh()
    os.stat(mount / "account/NAME")
    os.unlink(mount / "account/NAME")
    assert len(stripe.calls()) > 3
    assert not any("expand" in call["path"] or call["expand"] for call in stripe.calls())
    assert stripe.sandbox.summary()["expanded"] == 0
