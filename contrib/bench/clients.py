"""Other clients: curl with Fastly's three calls, and the services' official clients where they are installed."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from urllib.request import Request, urlopen

from report import seconds
from stage import STORE, run
from three_calls import STORES, sealed_body, store_id

CURL = "curl, the same three calls"
FASTLY = "Fastly CLI"
WRANGLER = "wrangler"
OFFICIAL = (FASTLY, WRANGLER)
NOTES = {
    CURL: "curl: one process a write with three transfers over one connection, for the client key, the signing key and the upload. It can't seal: what it "
          "sends was sealed before. "
          "A row is twenty times a twentieth.",
    FASTLY: "The native program, without npm's Node script around it, which takes 60 ms more. It asks for the client key, the signing key and, before all, an OpenID configuration. A row is twenty times a twentieth.",
    WRANGLER: "wrangler is a Node program, whose start takes most of the time. It makes one call, to Cloudflare's API. A row is fifty times a fiftieth.",
}


def timed(action):
    begun = time.monotonic()
    action()
    return time.monotonic() - begun


class Other:
    """A way to write a secret. Of a row only one write in `share` is made."""

    def __init__(self, stage):
        self.stage = stage
        self.environment = {**os.environ, "HOME": str(stage.work), "XDG_CONFIG_HOME": str(stage.work), "CI": "1"}
        self.prepare()

    def prepare(self):
        """Prepares once, before the first write."""

    def write(self, number):
        for words in self.commands(number):
            run(*words, env=self.environment, cwd=self.stage.work, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)

    def measure(self, stage, effort):
        self.settle()
        one = min(timed(lambda number=number: self.write(number)) for number in range(effort.tries_of_others))
        few = effort.row // self.share
        if not few:
            return {"one": one}
        return {"one": one, "in a row": timed(lambda: [self.write(100 + number) for number in range(few)]) * effort.row / few}

    def settle(self):
        """Prepares again after the sandbox was emptied."""


class Curl(Other):
    name = CURL
    share = 20

    def settle(self):
        self.body = self.stage.work / "sealed"
        self.body.write_bytes(sealed_body(self.stage.sandbox, "CURL", b"val"))
        self.store = store_id(self.stage.sandbox, STORE)

    def commands(self, number):
        sandbox = self.stage.sandbox
        common = ["-sfS", "-H", f"Fastly-Key: {sandbox.token}", "-H", "Content-Type: application/json"]
        return [["curl", *common, "-X", "POST", f"{sandbox.url}{STORES}/client-key", "--next", *common, f"{sandbox.url}{STORES}/signing-key",
                 "--next", *common, "-X", "PUT", "--data-binary", f"@{self.body}", f"{sandbox.url}{STORES}/{self.store}/secrets"]]


def native_fastly():
    """Returns the path of the Fastly CLI's native program; npm's `fastly` is a script beside the package that has it."""
    found = shutil.which("fastly")
    if not found or not os.path.realpath(found).endswith(".js"):
        return found
    (native,) = Path(found).resolve().parents[1].glob("cli-linux-*/fastly")
    return str(native)


class FastlyClient(Other):
    name = FASTLY
    program = "fastly"
    share = 20

    def prepare(self):
        sandbox = self.stage.sandbox
        self.environment |= {"FASTLY_API_TOKEN": sandbox.token, "FASTLY_API_ENDPOINT": sandbox.url,
                             "FASTLY_ACCOUNT_ENDPOINT": sandbox.url, "FASTLY_USE_API_SIGNING_KEY": "1"}
        self.value = self.stage.work / "value"
        self.value.write_text("val")

    def settle(self):
        self.store = store_id(self.stage.sandbox, STORE)

    def commands(self, number):
        return [[native_fastly(), "secret-store-entry", "create", "--store-id", self.store, "--name", f"CLI_{number}", "--file", self.value,
                 "--recreate-allow"]]


class Wrangler(Other):
    name = WRANGLER
    program = "wrangler"
    share = 50

    def prepare(self):
        sandbox = self.stage.sandbox
        self.environment |= {"CLOUDFLARE_API_TOKEN": sandbox.token, "CLOUDFLARE_API_BASE_URL": f"{sandbox.url}/client/v4",
                             "CLOUDFLARE_ACCOUNT_ID": sandbox.account, "WRANGLER_SEND_METRICS": "false"}

    def settle(self):
        sandbox = self.stage.sandbox
        sandbox.seed("store", 0, service="cloudflare")
        stores = Request(f"{sandbox.url}/client/v4/accounts/{sandbox.account}/secrets_store/stores",
                         headers={"Authorization": f"Bearer {sandbox.token}"})
        with urlopen(stores) as answer:
            self.store = json.load(answer)["result"][0]["id"]

    def commands(self, number):
        return [["wrangler", "secrets-store", "secret", "create", self.store, "--name", f"CLI_{number}", "--value", "val",
                 "--scopes", "workers", "--remote"]]


def installed(stage, say):
    """Returns the clients that are installed and support the operation."""
    found = [Curl(stage)]
    for kind in (FastlyClient, Wrangler):
        if not shutil.which(kind.program):
            continue
        stage.empty()
        other = kind(stage)
        try:
            other.settle()
            took = timed(lambda: other.write(9999))
        except subprocess.CalledProcessError as why:
            say(f"{kind.name} is left out: it failed with status {why.returncode}")
            continue
        say(f"{kind.name} is there: {seconds(took)} for its first write")
        found.append(other)
    return found
