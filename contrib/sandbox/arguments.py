"""The command line."""

import argparse
import base64
import textwrap

import faults
import variants
from server import loopback

ACCOUNT = "0123456789abcdef0123456789abcdef"
LIMITS = [("fastly.rate_limit", "1000"), ("cloudflare.rate_limit", "1200"), ("stripe.rate_limit", "25"),
          ("github.rate_limit", "5000"), ("github.points", "900"), ("github.changes", "80")]


def read_arguments(words=None):
    options = _parser().parse_args(words)
    if options.limits:
        options.variant[:0] = LIMITS
    for option, variants_meant in SHORT_FORMS.items():
        if (value := getattr(options, option)) is not None:
            options.variant += [(name, value) for name in variants_meant]
    return options


def _parser():
    parser = argparse.ArgumentParser(
        prog="contrib/sandbox", formatter_class=argparse.RawDescriptionHelpFormatter, epilog=_epilog(),
        description="Serves the APIs of Fastly Secret Store, Cloudflare Secrets Store, Stripe Apps secrets and GitHub's"
                    " secrets on loopback.")
    add = parser.add_argument
    add("--listen", type=_checked(loopback), default=("127.0.0.1", 0), metavar="ADDRESS:PORT",
        help="loopback address to listen on; port 0, the default, picks a free one")
    add("--token", action="append", required=True, help="token that all services accept; may be given again")
    add("--email", action="append", metavar="ADDRESS",
        help="whose key a token is, for X-Auth-Email with X-Auth-Key (you@example.com)")
    add("--account", default=ACCOUNT, metavar="ID", help="Cloudflare account (%(default)s)")
    add("--stripe-account", action="append", metavar="ID",
        help="account that Stripe-Account may name; may be given again (any well-formed one)")
    add("--state", metavar="FILE", help="SQLite file that keeps everything; in memory otherwise")
    add("--fault", action="append", default=[], type=_checked(_fault), metavar="SPEC",
        help="see below; may be given again")
    add("--variant", action="append", default=[], type=_checked(_variant), metavar="NAME=VALUE",
        help="see below; may be given again")
    add("--limits", action="store_true", help="the services' documented rate limits; off otherwise")
    add("--signing-seed", type=_checked(_seed), metavar="BASE64", help="32 bytes from which the signing key is made")
    add("--until-eof", action="store_true", help="end when standard input does: with the process that started this")
    add("--log", action="store_true", help="one line a call on stderr")
    for option, variants_meant in SHORT_FORMS.items():
        add("--" + option.replace("_", "-"), type=_short(variants_meant[0]), metavar="NUMBER",
            help="the same as " + " ".join(f"--variant {name}=NUMBER" for name in variants_meant))
    return parser


# Options of their own for what is asked for most.
SHORT_FORMS = {
    "client_key_lifetime": ("fastly.client_key_lifetime",),
    "quota_stores": ("fastly.quota_stores", "cloudflare.quota_stores"),
    "quota_secrets": ("fastly.quota_secrets", "cloudflare.quota_secrets", "stripe.per_scope", "github.quota_secrets"),
}


def _checked(read):
    """Keeps the message of a ValueError, which argparse would drop, by argparse's own exception."""
    def check(text):
        try:
            return read(text)
        except ValueError as why:
            raise argparse.ArgumentTypeError(str(why)) from None
    return check


def _variant(text):
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"{text} is not NAME=VALUE")
    variants.Variants().set(name, value)
    return name, value


def _fault(text):
    faults.parse_fault(text)
    return text


def _short(variant):
    return _checked(lambda text: _variant(f"{variant}={text}")[1])


def _seed(text):
    seed = base64.b64decode(text, validate=True)
    if len(seed) != 32:
        raise ValueError("the seed must be 32 bytes in base64")
    return seed


def _epilog():
    lines = ["Faults are NAME=VALUE,NAME=VALUE,… in one word:", *faults.described(), "", "Variants:", *variants.described()]
    return "\n".join(textwrap.fill(line, 110, subsequent_indent=" " * 12) for line in lines)
