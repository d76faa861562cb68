"""The way to the service: TLS, certificates, redirects, proxies (SECURITY.md, "On the way to the service")."""

import errno
import os
import ssl
import subprocess

import pytest
from daemon import PROGRAM, mounts_at, run_program
from programs import errno_of, write_file
from tls import Authority
from memory_scan import Marked
from tls_servers import Proxy, Tunnel, server_context

SYSTEM = "/etc/ssl/certs/ca-certificates.crt"
# An administrator who trusts old TLS, so that nothing but the daemon itself refuses it.
CARELESS = """
openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = careless
[careless]
MinProtocol = None
CipherString = ALL:@SECLEVEL=0
"""


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"), "trusted")


@pytest.fixture(scope="session")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")


@pytest.fixture
def attempt(tmp_path, direct, authority):
    """attempt(url): mounts it in the background, and unmounts it; what became of it."""
    (tmp_path / "mnt").mkdir()
    (tmp_path / "token").write_text(direct.token)
    (tmp_path / "token").chmod(0o600)

    def mount(url, cacert=authority.ca, source="fastly:", **variables):
        options = f"token_file={tmp_path}/token,timeout=60,endpoint={url},signing_key={direct.sandbox.signing_key}"
        options += f",cacert={cacert}" if cacert else ""
        done = run_program([PROGRAM, source, tmp_path / "mnt", "-o", options], tmp_path, **variables)
        while mounts_at(tmp_path / "mnt"):
            os.system(f"umount {tmp_path}/mnt")
        return done

    return mount


def tunnel(context, sandbox, lowest=ssl.TLSVersion.TLSv1_2, highest=ssl.TLSVersion.TLSv1_3):
    context.minimum_version, context.maximum_version = lowest, highest
    return Tunnel(context, sandbox.port)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_tls_1_2_and_later(attempt, authority, sandbox, version):
    with tunnel(server_context(authority, "IP:127.0.0.1"), sandbox, version, version) as server:
        assert attempt(server.url).returncode == 0


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=["1.0", "1.1"])
def test_nothing_older_whatever_the_machine_allows(attempt, authority, sandbox, tmp_path, version):
    (tmp_path / "openssl.cnf").write_text(CARELESS)
    context = server_context(authority, "IP:127.0.0.1")
    context.set_ciphers("ALL:@SECLEVEL=0")
    with tunnel(context, sandbox, version, version) as server:
        refused = attempt(server.url, OPENSSL_CONF=str(tmp_path / "openssl.cnf"))
        assert server.met
    assert refused.returncode == 32, refused
    assert "TLS" in refused.stderr or "SSL" in refused.stderr
    assert sandbox.calls() == []


@pytest.mark.parametrize("names, time", [("IP:127.0.0.2,DNS:localhost", {}), ("DNS:*.0.0.1", {}),
                                         ("IP:127.0.0.1", {"end": "20210101000000Z"}),
                                         ("IP:127.0.0.1", {"begin": "20480101000000Z"})],
                         ids=["wrong name", "wildcard", "expired", "not yet valid"])
def test_a_certificate_for_something_else(attempt, authority, sandbox, names, time):
    with tunnel(server_context(authority, names, **time), sandbox) as server:
        refused = attempt(server.url)
    assert refused.returncode == 32 and "certificate" in refused.stderr
    assert sandbox.calls() == []


def test_an_unknown_authority(attempt, stranger, sandbox):
    with tunnel(server_context(stranger, "IP:127.0.0.1"), sandbox) as server:
        for cacert in ({}, {"cacert": None}):
            refused = attempt(server.url, **cacert)
            assert refused.returncode == 32 and "certificate" in refused.stderr
        assert attempt(server.url, cacert=stranger.ca).returncode == 0


@pytest.fixture
def trusted_by_the_system(stranger):
    """The machine, as our mount namespace has it, trusts a stranger."""
    subprocess.run(["mount", "--bind", stranger.ca, SYSTEM], check=True)
    yield stranger
    subprocess.run(["umount", SYSTEM], check=True)


def test_cacert_takes_the_place_of_the_systems(attempt, trusted_by_the_system, sandbox):
    """Whatever the environment says of other authorities, too."""
    stranger = trusted_by_the_system
    with tunnel(server_context(stranger, "IP:127.0.0.1"), sandbox) as server:
        refused = attempt(server.url, SSL_CERT_FILE=str(stranger.ca), SSL_CERT_DIR=str(stranger.work),
                          CURL_CA_BUNDLE=str(stranger.ca))
        assert refused.returncode == 32 and "certificate" in refused.stderr
        assert attempt(server.url, cacert=None).returncode == 0, "without cacert= the system's are those that count"


@pytest.mark.parametrize("option", ["insecure", "noverify", "ssl_verify=0", "cacert=", "k", "tls=1.0"])
def test_there_is_no_way_to_switch_verification_off(attempt, option, stranger, sandbox):
    with tunnel(server_context(stranger, "IP:127.0.0.1"), sandbox) as server:
        assert attempt(f"{server.url},{option}").returncode == 1
    assert sandbox.calls() == []


@pytest.mark.parametrize("url", ["http://192.0.2.1", "http://example.com", "http://localhost.example.com", "http://127.0.0.1@192.0.2.1",
                                 "http://[::ffff:192.0.2.1]", "http://0.0.0.0", "http://128.0.0.1", "http://[fe80::1]", "ftp://127.0.0.1",
                                 "file:///etc/passwd", "//127.0.0.1"])
def test_plain_http_leaves_this_machine_never(attempt, url):
    refused = attempt(url, cacert=None)
    assert refused.returncode == 1 and refused.stderr.count("\n") == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2"])
def test_plain_http_is_for_loopback(attempt, sandbox, host):
    if host == "127.0.0.2":
        assert "cannot connect" in attempt(f"http://{host}:{sandbox.port}", cacert=None).stderr
    else:
        assert attempt(f"http://{host}:{sandbox.port}", cacert=None).returncode == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(make_mount, direct, sandbox, status):
    sandbox.put("prod", "NAME", b"old")
    mount = make_mount(direct, options="timeout=2")
    with Proxy(sandbox.port) as elsewhere:
        sandbox.fault({"status": status, "header": f"Location:{elsewhere.url}/elsewhere"})
        assert errno_of(write_file, mount / "prod/NAME", b"val") != 0
        assert errno_of(os.stat, mount / "prod/ANOTHER") != 0
        assert elsewhere.met == 0
    assert sandbox.value("prod", "NAME") == b"old"


@pytest.mark.parametrize("url", ["http", "https"])
def test_no_proxy_ever_sees_what_is_for_loopback(attempt, authority, sandbox, url):
    with Proxy(sandbox.port) as proxy, tunnel(server_context(authority, "IP:127.0.0.1"), sandbox) as server:
        names = ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
        where = server.url if url == "https" else f"http://127.0.0.1:{sandbox.port}"
        done = attempt(where, **{name: proxy.url for name in names})
        assert done.returncode == 0, done.stderr
        assert proxy.met == 0


@pytest.mark.parametrize("variable", ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
def test_the_standard_variables_name_a_proxy_which_gets_no_secret(attempt, direct, authority, sandbox, variable):
    with tunnel(server_context(authority, "DNS:secrets.example"), sandbox) as server, Proxy(server.port) as proxy:
        done = attempt("https://secrets.example", **{variable: proxy.url})
        assert done.returncode == 0, done.stderr
        assert proxy.requests and all(request.startswith("CONNECT secrets.example:443 HTTP/1.1\r\n") for request in proxy.requests)
        assert not [request for request in proxy.requests if direct.token in request or "Fastly-Key" in request]


def test_a_proxy_on_this_machine_only_connects_where_http_is_plain(attempt, direct, sandbox):
    """The option may name one for a loopback address, too; one elsewhere would get the token."""
    plain = f"http://127.0.0.1:{sandbox.port}"
    with Proxy(sandbox.port) as proxy:
        done = attempt(f"{plain},proxy={proxy.url}", cacert=None)
        assert done.returncode == 0, done.stderr
        assert proxy.requests and not [request for request in proxy.requests if not request.startswith("CONNECT ") or direct.token in request]
    assert attempt(f"{plain},proxy=http://192.0.2.1", cacert=None).returncode == 1


def test_no_other_variable_names_a_proxy(attempt, authority, sandbox):
    with tunnel(server_context(authority, "DNS:secrets.example"), sandbox) as server, Proxy(server.port) as proxy:
        done = attempt("https://secrets.example", PROXY=proxy.url, proxy=proxy.url, http_proxy=proxy.url, FASTLY_PROXY=proxy.url)
        assert done.returncode == 32 and "secrets.example" in done.stderr
        assert proxy.met == 0


def test_a_proxy_with_a_certificate_of_its_own_is_not_believed(attempt, stranger, direct, sandbox):
    """It could read all that goes through it."""
    with tunnel(server_context(stranger, "DNS:secrets.example"), sandbox) as server, Proxy(server.port) as proxy:
        refused = attempt("https://secrets.example", https_proxy=proxy.url)
        assert refused.returncode == 32 and "certificate" in refused.stderr
    assert sandbox.calls() == []


def test_the_keys_of_tls_sessions_are_not_kept(make_mount, each_service, tmp_path):
    """libcurl would, in the file that this variable names: with it a recorded connection could be read."""
    keys = tmp_path / "keys"
    mount = make_mount(each_service, source=each_service.source, SSLKEYLOGFILE=str(keys))
    write_file(mount / each_service.store / "NAME", b"val")
    assert not keys.exists()


def test_values_that_are_not_sealed_go_over_http_1_1(make_mount, each_service):
    """Whose buffers go with the call; HTTP/2 keeps 16 KiB of the last one as long as a connection lives."""
    mount = make_mount(each_service, source=each_service.source)
    value = Marked(2000)
    write_file(mount / each_service.store / "NAME", value.bytes)
    (upload,) = [call for call in each_service.sandbox.calls() if call["operation"] == f"{each_service.name}.{each_service.creates}"]
    protocol = {name.lower(): text for name, text in upload["headers"].items()}["x-front-protocol"]
    assert protocol == ("HTTP/2.0" if each_service.seals else "HTTP/1.1")


def test_a_sealed_value_is_sealed(make_mount, direct, sandbox):
    """Fastly never gets it in clear text, even inside of TLS."""
    mount = make_mount(direct)
    sandbox.record()
    value = Marked(2000)
    write_file(mount / "prod/NAME", value.bytes)
    assert sandbox.uploads() == [value.bytes]
    exchanges = sandbox.exchanges()
    assert exchanges and not [found for found in (value.found_in(one["body"]) for one in exchanges) if found]


def test_the_signing_key_is_pinned(make_mount, direct, sandbox):
    """A service, or a server that poses as it, can't substitute a key of its own."""
    sandbox.fault("operation=fastly.create_client_key,status=403,times=1")
    mount = make_mount(direct)  # without a key: else the mount would fail
    for corrupted in ("bad_signature", "other_signing_key"):
        sandbox.fault({"operation": "fastly.create_client_key", "key": corrupted})
        assert errno_of(write_file, mount / "prod/NAME", b"val") == errno.EKEYREJECTED
        sandbox.clear_faults()
    assert sandbox.uploads() == []
