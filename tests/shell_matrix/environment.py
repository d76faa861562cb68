"""The environment of the matrix: a sandbox, one store of one service, and three mounts of it that last for all commands."""

import os
from functools import partial

from client import Sandbox
from daemon import Mount
from services import SERVICES, GitHub
from waiting import TIMEOUT, wait_until


# Quotas that the matrix would exhaust.
QUOTAS = ("cloudflare.quota_secrets=100000", "stripe.per_scope=100000", "github.quota_organization=100000")
WITHDRAWN = "good-for-the-mount-alone"
SHORT_TIMEOUT = 3


class GitHubOrganization(GitHub):
    """One of its stores takes 1000 secrets, where a repository's takes 100."""

    source = "github:octo-org"
    store = "actions"

    def __init__(self, *arguments, **settings):
        super().__init__(*arguments, **settings)
        for action in ("put", "seed", "delete", "value"):
            setattr(self, action, partial(self._at_the_organization, getattr(self, action)))

    @staticmethod
    def _at_the_organization(action, store, *arguments, **settings):
        return action(f"orgs/octo-org/{store}", *arguments, **settings)

    def make_store(self):
        return self


TARGETS = SERVICES | {"github": GitHubOrganization}


class Environment:
    def __init__(self, work, service):
        self.work = work
        self.sandbox = Sandbox("--token", WITHDRAWN, *(word for quota in QUOTAS for word in ("--variant", quota)))
        self.service = service
        self.mounts = {}

    def start(self, existing, old):
        """With the secrets `existing`, which the mounts know of from a listing."""
        self.sandbox.start()
        self.target = TARGETS[self.service]("direct", self.sandbox).make_store()
        for name in existing:
            self.put(name, old)
        self._mount("good", self.sandbox.token, "ttl=3600")
        self._mount("short_timeout", self.sandbox.token, f"ttl=3600,timeout={SHORT_TIMEOUT}")
        self._mount("refused", WITHDRAWN, "ttl=3600")
        self.sandbox.tokens(self.sandbox.token)
        self._learn_of_refusal()
        return self

    def _mount(self, name, token, options):
        work = self.work / name
        work.mkdir(parents=True)
        mount = Mount(work, TARGETS[self.service]("direct", self.sandbox, token=token), options=options)
        self.mounts[name] = mount
        mount.start()
        os.listdir(self.directory(name))

    def directory(self, mount):
        return self.mounts[mount].path / self.target.store

    def put(self, name, value):
        self.target.put(self.target.store, name, value)

    def fault(self, name, **arguments):
        """With the calls that send a value of that name."""
        for operation in self.target.writes:
            self.target.fault(operation, name=name, **arguments)

    def held(self, name):
        return self.target.value(self.target.store, name)

    def calls(self, name):
        """Those that send a value of that name (or of one that begins with it), those that delete it, and all others."""
        kinds = {operation: 0 for operation in self.target.writes} | {"delete_secret": 1, "delete_secrets": 1}
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
        """Waits until a call succeeds and ends the state `down`. Until the next call the mount shows what it knew: that there is no such name."""
        name = "WELL"
        self.put(name, b"well")

        def found():
            if (self.directory(mount) / name).exists():
                return True
            self.mounts[mount].refresh()
            return False

        wait_until(found, "the service is up, and the daemon does not find out", pause=0.1)

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
