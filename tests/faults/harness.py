"""Runs a row of the table: one mount, one secret, one writer, one fault."""

import os
import time
from dataclasses import dataclass

from programs import errno_of, write_file, write_until_stored
from services import SERVICES


@dataclass
class Seen:
    error: int
    calls: int
    seconds: float
    holds: bytes


class Harness:
    """`service` is Fastly's, as the fixtures make it; the others are reached the same way."""

    def __init__(self, make_mount, service, source="fastly", options="", nginx=None, work=None):
        self.source = source
        self.sandbox = service.sandbox
        self.nginx = nginx
        self.work = work
        self.service = SERVICES[source](service.way, service.sandbox, service.url, service.cacert).make_store()
        self.store = self.service.store
        self.writes = f"{source}.{self.service.replaces}"
        self.ends = []
        self.mount = make_mount(self.service, options=options)
        self.path = self.mount / self.store / "NAME"

    def prepare(self):
        """The secret is there and known, its store's listing too, and everything that a write needs is at hand."""
        write_file(self.path, b"old")
        assert "NAME" in os.listdir(self.path.parent)
        if self.source == "github":
            self.sandbox.variant(clock=10)  # its times are whole seconds: what is written next has another one
        self.sandbox.clear()

    def notice(self):
        """The daemon finds its connection closed before it writes anything: what comes is then a connection's fault, and no lost reply."""
        self.mount.refresh()
        errno_of(os.listdir, self.path.parent)

    def fault(self, arguments):
        self.sandbox.fault(f"operation={self.writes},{arguments}")

    def until_the_end(self, context):
        """A context that lasts as long as the fault."""
        context.__enter__()
        self.ends.append(context)

    def write(self):
        began = time.monotonic()
        error = errno_of(write_file, self.path, b"val")
        return Seen(error, len(self.sandbox.calls(operation=self.writes)), time.monotonic() - began, self.value())

    def value(self):
        return self.sandbox.value(self.store, "NAME", service=self.source)

    def state(self):
        try:
            return os.getxattr(self.path, "user.sstorefs.state").decode()
        except OSError as why:
            return why

    def errors(self):
        return self.mount.control("errors")

    def end_fault(self):
        self.sandbox.clear_faults()
        while self.ends:
            self.ends.pop().__exit__(None, None, None)

    def recover(self):
        """The fault is over: the daemon finds out by itself."""
        write_until_stored(self.path, b"again")
        assert self.value() == b"again"
