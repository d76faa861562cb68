"""Where the matrix is run: a sandbox, one store of one service, and three mounts of it that last for all idioms."""

import os
import time
from dataclasses import dataclass

from client import Sandbox
from mounting import Mount


@dataclass(frozen=True)
class Kind:
    """One service: what a mount of it is told, and what its calls are called."""

    name: str
    source: str
    store: str
    path: str
    writes: tuple
    value_max: int  # bytes that no value may have
    options: str = ""
    plays: tuple = ()


KINDS = {kind.name: kind for kind in (
    Kind("fastly", "fastly:", "prod", "", ("put_secret",), 65536),
    Kind("cloudflare", "cloudflare:{account}", "prod", "/client/v4", ("create_secrets", "patch_secret"), 65536,
         plays=(("cloudflare.quota_secrets", 100000),)),
    Kind("stripe", "stripe:", "account", "", ("set_secret",), 65536, plays=(("stripe.per_scope", 100000),)),
)}
WITHDRAWN = "good-for-the-mount-alone"
BRIEF = 3
TIMEOUT = 60


class Access:
    """What mounting.Mount asks for."""

    def __init__(self, kind, sandbox, token):
        self.token = token
        words = [f"endpoint={sandbox.url}{kind.path}"]
        words += [f"signing_key={sandbox.signing_key}"] if kind.name == "fastly" else []
        self.options = ",".join(words)


class Environment:
    def __init__(self, work, kind):
        self.kind = kind
        self.work = work
        plays = [word for name, value in kind.plays for word in ("--variant", f"{name}={value}")]
        self.sandbox = Sandbox("--token", WITHDRAWN, *plays)
        self.mounts = {}

    def start(self, existing, old):
        """With the secrets `existing`, which the mounts know of from a listing."""
        self.sandbox.start()
        self.sandbox.seed(self.kind.store, 0, service=self.kind.name)
        for name in existing:
            self.put(name, old)
        self._mount("good", self.sandbox.token, "ttl=3600")
        self._mount("brief", self.sandbox.token, f"ttl=3600,timeout={BRIEF}")
        self._mount("refused", WITHDRAWN, "ttl=3600")
        self.sandbox.tokens(self.sandbox.token)
        self._learn_of_refusal()
        return self

    def _mount(self, name, token, options):
        source = self.kind.source.format(account=self.sandbox.account)
        work = self.work / name
        work.mkdir(parents=True)
        mount = Mount(work, Access(self.kind, self.sandbox, token), source=source, options=options)
        self.mounts[name] = mount
        mount.start()
        os.listdir(self.directory(name))

    def directory(self, mount):
        return self.mounts[mount].path / self.kind.store

    def put(self, name, value):
        self.sandbox.put(self.kind.store, name, value, service=self.kind.name)

    def fault(self, name, **words):
        """With the calls that send a value of that name."""
        for operation in self.kind.writes:
            self.sandbox.fault({"operation": f"{self.kind.name}.{operation}", "name": name, **words})

    def held(self, name):
        return self.sandbox.value(self.kind.store, name, service=self.kind.name)

    def calls(self, name):
        """Those that send a value of that name (or of one that begins with it), those that delete it, and all others."""
        kinds = {operation: 0 for operation in self.kind.writes} | {"delete_secret": 1, "delete_secrets": 1}
        sorted_calls = [], [], []
        for call in self.sandbox.calls(name=f"{name}*"):
            sorted_calls[kinds.get(call["operation"].partition(".")[2], 2)].append(call)
        return sorted_calls

    def wait_for_upload(self, name):
        """Stripe and Cloudflare may be asked for the name first."""
        for seen in range(1, 4):
            self.sandbox.wait_for_calls(seen, name=f"{name}*", timeout=TIMEOUT)
            if self.calls(name)[0]:
                return
        raise AssertionError(f"{name} is asked for, again and again, and never sent")

    def wait_for_end_of_calls(self, name):
        """What was not given up goes on until the mount's time-out."""
        begun = len(self.sandbox.calls(name=f"{name}*"))
        self.sandbox.wait_for_calls(begun, name=f"{name}*", state="ended", timeout=TIMEOUT)

    def wait_until_up(self, mount):
        """A success, and nobody thinks the service down any more. Until it is asked again what was known is told: that there is no such name."""
        name = "WELL"
        self.put(name, b"well")
        deadline = time.monotonic() + TIMEOUT
        while not (self.directory(mount) / name).exists():
            assert time.monotonic() < deadline, "the service is well, and nobody finds out"
            time.sleep(0.1)
            (self.mounts[mount].path / ".sstorefs/refresh").write_text("x")

    def _remove_staged(self, mount):
        """What killed writers have left: it would count as lost at the end."""
        directory = self.directory(mount)
        for name in os.listdir(directory):
            try:
                if os.getxattr(directory / name, "user.sstorefs.state") == b"staged":
                    os.unlink(directory / name)
            except FileNotFoundError:
                pass  # a listing may be older than what it lists

    def stop(self):
        self.sandbox.clear_faults()
        for mount in self.mounts:
            self._remove_staged(mount)
        failures = []
        for mount in self.mounts.values():
            try:
                mount.finish()
            except AssertionError as why:
                failures.append(str(why))
        self.sandbox.stop()
        assert not failures, "\n".join(failures)

    def _learn_of_refusal(self):
        """The first call after the token was withdrawn is the one that tells."""
        try:
            (self.directory("refused") / "FIRST").write_text("x")
        except PermissionError:
            pass
