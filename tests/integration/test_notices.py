"""What services say beside results and errors: in the log once, and in `errors` where a change was refused."""

import errno
import os

import pytest

from programs import errno_of, write_file
from waiting import wait_until

SUNSET = "Sunset: Sat, 31 Dec 2033 23:59:59 GMT"


def reported(mount, text):
    """How often the log has it; it is logged before the response is used."""
    return mount.log().count(f': "{text}"')


def test_messages_are_logged_once(cloudflare_mount, cloudflare):
    cloudflare.fault("*", body="talkative")
    for number in range(5):
        write_file(cloudflare_mount / f"prod/NAME{number}", b"val")
        os.unlink(cloudflare_mount / f"prod/NAME{number}")
    wait_until(lambda: reported(cloudflare_mount, "another one"))
    assert [reported(cloudflare_mount, text) for text in ("a message (10042)", "another one")] == [1, 1]
    assert cloudflare_mount.control("errors") == ""


@pytest.mark.mount_options("scopes=no_such_scope")
def test_a_refused_change_is_explained_by_every_error_and_message(cloudflare_mount, cloudflare):
    cloudflare.fault("create_secrets", body="talkative")
    for _ in range(2):
        assert errno_of(write_file, cloudflare_mount / "prod/NAME", b"val") == errno.EINVAL
    message = cloudflare_mount.control("errors").splitlines()[0].split("\t")[-1]
    assert message.startswith("secret_scope_invalid") and message.endswith("; a second error (1099); a message (10042); another one")
    wait_until(lambda: reported(cloudflare_mount, "another one"))
    assert reported(cloudflare_mount, "a second error (1099)") == 1


def test_an_announced_end_is_logged_once_and_explains_what_is_refused(place):
    place.service.fault("*", header=["Deprecation:@1688169599", SUNSET.replace(": ", ":", 1)])
    for number in range(3):
        write_file(place / f"NAME{number}", b"val")
    wait_until(lambda: reported(place.mount, SUNSET))
    assert [reported(place.mount, text) for text in ("Deprecation: @1688169599", SUNSET)] == [1, 1]
    assert place.errors() == []
    place.service.fault(place.service.creates, status=403, header=SUNSET.replace(": ", ":", 1))
    assert errno_of(write_file, place / "OTHER", b"val") == errno.EACCES
    assert place.errors()[0][-1].endswith(f"; {SUNSET}")


def test_a_notice_that_quotes_the_value_is_left_out(place):
    place.service.fault(place.service.creates, header="Sunset:the value of a secret")
    write_file(place / "NAME", b"the value of a secret")
    place.service.fault(place.service.creates, status=403, header="Sunset:the value of a secret")
    assert errno_of(write_file, place / "OTHER", b"the value of a secret") == errno.EACCES
    assert "value of a secret" not in place.errors()[0][-1]
    wait_until(lambda: "says at put_secret" in place.mount.log())
    assert "says at put_secret: \"Sunset: the value" not in place.mount.log()
