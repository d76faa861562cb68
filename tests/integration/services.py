"""The services as the sandbox plays them: sources, addresses, and what is stored there."""

import json
import urllib.request
from contextlib import contextmanager
from functools import partial

from conftest import Service
from wire import problems


class OtherService(Service):
    """Without the options that only Fastly's mounts have."""

    path = ""

    def __init__(self, kind, sandbox, url, cacert=None):
        super().__init__(kind, sandbox, url + self.path, cacert)
        for action in ("put", "seed", "delete", "value"):
            setattr(self, action, partial(getattr(sandbox, action), service=self.name))

    @property
    def options(self):
        return ",".join([f"endpoint={self.url}"] + ([f"cacert={self.cacert}"] if self.cacert else []))

    def calls(self, operation="*", **wishes):
        return self.sandbox.calls(operation=f"{self.name}.{operation}", **wishes)

    def names(self):
        """The operations that were called, in order."""
        return [call["operation"].partition(".")[2] for call in self.calls()]

    def fault(self, operation, **words):
        return self.sandbox.fault({"operation": f"{self.name}.{operation}", **words})

    def variant(self, **choices):
        return self.sandbox.variant(**{f"{self.name}__{name}": choice for name, choice in choices.items()})

    @contextmanager
    def watched(self):
        """At the end every request of sstorefs, and every answer, must have been as the schema has it."""
        self.sandbox.record()
        yield self
        if self.sandbox.process:
            found, _ = problems(self.sandbox.exchanges())
            assert not found, "\n".join(found)


class Cloudflare(OtherService):
    name = "cloudflare"
    path = "/client/v4"

    @property
    def source(self):
        return f"cloudflare:{self.sandbox.account}"

    def asked(self, path):
        """The service's own words about something."""
        url = f"{self.url}/accounts/{self.sandbox.account}/secrets_store{path}"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)["result"]

    def secret(self, name, store="prod"):
        """One secret as the service lists it."""
        (found,) = [one for one in self.asked("/stores") if one["name"] == store]
        return next((one for one in self.asked(f"/stores/{found['id']}/secrets?per_page=100") if one["name"] == name), None)


class Stripe(OtherService):
    name = "stripe"
    source = "stripe:"




class Fastly(OtherService):
    """With the options that only Fastly's mounts have, for tests of all three."""

    name = "fastly"
    source = "fastly:"

    @property
    def options(self):
        return f"{super().options},signing_key={self.sandbox.signing_key}"


STORES = {"fastly": "prod", "cloudflare": "prod", "stripe": "account"}


def serve(name, sandbox):
    """One of the three services, with an empty store: `service.store`."""
    service = {"fastly": Fastly, "cloudflare": Cloudflare, "stripe": Stripe}[name]("direct", sandbox, sandbox.url)
    service.store = STORES[name]
    if name == "cloudflare":
        service.seed(service.store, 0)
    return service
