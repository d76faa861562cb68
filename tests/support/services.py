"""The services as the sandbox simulates them: what differs between them, and how a mount reaches them."""

import json
import urllib.request
from contextlib import contextmanager
from functools import partial

from request_schema import problems


class Target:
    """
    A service at an address: what a mount has to know of it, and what tests ask and change there. `way` says how it is reached: "direct" by plain HTTP/1.1,
    anything else by TLS.
    """

    name = None    # as the sandbox calls it
    source = None  # of the mount
    store = None   # the directory of the secrets that tests write
    path = ""      # of the endpoint
    creates = None   # the operation that sends the value of a new secret
    replaces = None  # the operation that sends the value of an existing one
    seals = False    # values are sealed before they are sent

    def __init__(self, way, sandbox, url=None, cacert=None, token=None):
        self.way = way
        self.sandbox = sandbox
        self.url = (url or sandbox.url) + self.path
        self.cacert = cacert
        self.token = token or sandbox.token
        for action in ("put", "seed", "delete", "value"):
            setattr(self, action, partial(getattr(sandbox, action), service=self.name))

    @property
    def options(self):
        """Mount options; the token is not among them."""
        return ",".join([f"endpoint={self.url}"] + ([f"cacert={self.cacert}"] if self.cacert else []))

    @property
    def writes(self):
        """All operations that send a value."""
        return {self.creates, self.replaces}

    def calls(self, operation="*", **params):
        return self.sandbox.calls(operation=f"{self.name}.{operation}", **params)

    def names(self):
        """The operations that were called, in order."""
        return [call["operation"].partition(".")[2] for call in self.calls()]

    def fault(self, operation, **params):
        return self.sandbox.fault({"operation": f"{self.name}.{operation}", **params})

    def variant(self, **choices):
        return self.sandbox.variant(**{f"{self.name}__{name}": choice for name, choice in choices.items()})

    def make_store(self):
        """Makes the store, which Stripe has always, and returns this target."""
        if self.name != "stripe":
            self.seed(self.store, 0)
        return self

    @contextmanager
    def watched(self):
        """Fails at its end if a request of sstorefs, or a response, was not as the schema has it. The schema has Cloudflare and Stripe."""
        self.sandbox.record()
        yield self
        if self.sandbox.process:
            found, _ = problems(self.sandbox.exchanges())
            assert not found, "\n".join(found)


class Fastly(Target):
    name = "fastly"
    source = "fastly:"
    store = "prod"
    creates = replaces = "put_secret"
    seals = True

    @property
    def options(self):
        return f"{super().options},signing_key={self.sandbox.signing_key}"


class Cloudflare(Target):
    name = "cloudflare"
    store = "prod"
    path = "/client/v4"
    creates = "create_secrets"
    replaces = "patch_secret"

    @property
    def source(self):
        return f"cloudflare:{self.sandbox.account}"

    def get(self, path):
        """The result of a GET, as the service sends it."""
        url = f"{self.url}/accounts/{self.sandbox.account}/secrets_store{path}"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request) as response:
            return json.load(response)["result"]

    def secret(self, name, store="prod"):
        """One secret as the service lists it, or None."""
        (found,) = [one for one in self.get("/stores") if one["name"] == store]
        return next((one for one in self.get(f"/stores/{found['id']}/secrets?per_page=100") if one["name"] == name), None)


class Stripe(Target):
    name = "stripe"
    source = "stripe:"
    store = "account"
    creates = replaces = "set_secret"


class GitHub(Target):
    """A repository; the store is one of its environments."""

    name = "github"
    source = "github:octo/app"
    store = "prod"
    creates = replaces = "put_secret"
    seals = True

    @property
    def options(self):
        """Without the pace, which would make most tests wait: test_github.py has it."""
        return f"{super().options},pace=none"


SERVICES = {service.name: service for service in (Fastly, Cloudflare, Stripe, GitHub)}
