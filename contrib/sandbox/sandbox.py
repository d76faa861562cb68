"""Builds the sandbox from its parts."""

import sys

from clock import Clock
from cloudflare import Cloudflare
from admin_api import AdminApi
from handler import CallHandlers
from fastly import Fastly
from faults import Faults
from github import GitHub
from call_log import CallLog
from variants import Variants
from seeds import Seeds
from server import Server
from state import State
from stripe import Stripe

EMAIL = "you@example.com"


class Sandbox:
    """A sandbox with the `options` of the command line."""

    def __init__(self, options):
        self.options = options
        self.clock = Clock()
        self.variants = Variants()
        self.state = State(options.state)
        self.call_log = CallLog()
        self.faults = Faults()
        self.tokens = list(options.token)
        self.fastly = Fastly(self.state, self.variants, self.clock, self.call_log, options.signing_seed)
        self.cloudflare = Cloudflare(self.state, self.variants, self.clock, self.call_log, options.account,
                                     options.email or [EMAIL])
        self.stripe = Stripe(self.state, self.variants, self.clock, self.call_log, self.tokens, options.stripe_account)
        self.github = GitHub(self.state, self.variants, self.clock, self.call_log)
        self.services = (self.fastly, self.cloudflare, self.stripe, self.github)
        self.seeds = Seeds(self.services, self.state, self.clock)
        self.begin_as_asked()

    def begin_as_asked(self):
        """The variants and faults of the command line."""
        for name, choice in self.options.variant:
            self.variants.set(name, choice)
        self.clock.offset = self.variants["clock"]
        for spec in self.options.fault:
            self.faults.add(spec)

    def server(self):
        log = print_call if self.options.log else None
        exchanges = CallHandlers(self.services, self.faults, self.call_log, self.clock, self.tokens, log)
        return Server(exchanges, AdminApi(self), self.clock)

    def reset(self):
        """Resets everything but the signing key and the numbers of calls."""
        self.faults.clear()
        self.call_log.forget()
        self.call_log.recording = False
        self.variants.forget()
        self.state.forget_everything()
        self.tokens[:] = self.options.token
        for service in self.services:
            service.forget()
        self.begin_as_asked()

    def summary(self):
        count = {service.name: {"stores": self.state.store_count(service.name),
                                "secrets": self.state.secret_total(service.name)} for service in self.services}
        return {**count, "signing_key": self.fastly.keys.signing_key(), "calls": self.call_log.number,
                "counts": self.call_log.counts, "expanded": self.call_log.expanded,
                "uploads": len(self.call_log.uploads), "held": len(self.faults.held),
                "faults": [fault.shown() for fault in self.faults.all], "variant": self.variants.values}


def print_call(call):
    """Prints one line for each call on stderr, for interactive use. No value, no token."""
    where = "/".join(part for part in (call["store"], call["name"]) if part)
    sealed = " sealed" if call["sealed"] else ""
    fault = f"  [{call['fault']}]" if call["fault"] else ""
    print(f"{call['operation']} {where!r}{sealed} -> {call['status'] or call['state']}"
          f" in {call['duration'] * 1000:.1f} ms{fault}", file=sys.stderr, flush=True)
