"""The whole sandbox, put together: what the parts are and who knows whom."""

import sys

from clock import Clock
from cloudflare import Cloudflare
from admin_api import ControlApi
from handler import Exchanges
from fastly import Fastly
from faults import Faults
from github import GitHub
from call_log import Journal
from variants import Plays
from seeds import Seeds
from server import Server
from state import State
from stripe import Stripe

EMAIL = "you@example.com"


class Sandbox:
    """`options` are those of the command line."""

    def __init__(self, options):
        self.options = options
        self.clock = Clock()
        self.plays = Plays()
        self.state = State(options.state)
        self.journal = Journal()
        self.faults = Faults()
        self.tokens = list(options.token)
        self.fastly = Fastly(self.state, self.plays, self.clock, self.journal, options.signing_seed)
        self.cloudflare = Cloudflare(self.state, self.plays, self.clock, self.journal, options.account,
                                     options.email or [EMAIL])
        self.stripe = Stripe(self.state, self.plays, self.clock, self.journal, self.tokens, options.stripe_account)
        self.github = GitHub(self.state, self.plays, self.clock, self.journal)
        self.services = (self.fastly, self.cloudflare, self.stripe, self.github)
        self.seeds = Seeds(self.services, self.state, self.clock)
        self.begin_as_asked()

    def begin_as_asked(self):
        """The plays and faults of the command line."""
        for name, choice in self.options.play:
            self.plays.choose(name, choice)
        self.clock.offset = self.plays["clock"]
        for spec in self.options.fault:
            self.faults.add(spec)

    def server(self):
        log = print_call if self.options.log else None
        exchanges = Exchanges(self.services, self.faults, self.journal, self.clock, self.tokens, log)
        return Server(exchanges, ControlApi(self), self.clock)

    def reset(self):
        """As it was at the start, but for the signing key and the numbers of calls."""
        self.faults.clear()
        self.journal.forget()
        self.journal.recording = False
        self.plays.forget()
        self.state.forget_everything()
        self.tokens[:] = self.options.token
        for service in self.services:
            service.forget()
        self.begin_as_asked()

    def summary(self):
        count = {service.name: {"stores": self.state.store_count(service.name),
                                "secrets": self.state.secret_total(service.name)} for service in self.services}
        return {**count, "signing_key": self.fastly.keys.signing_key(), "calls": self.journal.number,
                "counts": self.journal.counts, "expanded": self.journal.expanded,
                "uploads": len(self.journal.uploads), "held": len(self.faults.held),
                "faults": [fault.shown() for fault in self.faults.all], "play": self.plays.chosen}


def print_call(call):
    """One line a call on stderr, for a person who is trying things out. No value, no token."""
    where = "/".join(part for part in (call["store"], call["name"]) if part)
    sealed = " sealed" if call["sealed"] else ""
    fault = f"  [{call['fault']}]" if call["fault"] else ""
    print(f"{call['operation']} {where!r}{sealed} -> {call['status'] or call['state']}"
          f" in {call['duration'] * 1000:.1f} ms{fault}", file=sys.stderr, flush=True)
