"""Runs the reference and the mount side by side: a sandbox, a mount, the actors' processes, and the comparison after each step."""

import http.client
import json
import os
import select
import signal
import socket
import subprocess
import time
from urllib.parse import urlencode

from client import Sandbox
from daemon import Mount
from service_model import STALE
from services import SERVICES
from waiting import TIMEOUT

# The operations that change something, beside those that send a value.
OTHER_CHANGES = {"delete_secret": "delete", "duplicate_secret": "duplicate"}
# Patterns of the sandbox for all operations that send a value.
PUTS = {"fastly": "put_secret", "cloudflare": "[cp]*_secret*", "stripe": "set_secret", "github": "put_secret"}
FAULTS = {
    "refused": {"status": 403},
    "reply_lost": {"reset": "after"},
    "request_dropped": {"reset": "before"},
    "server_error": {"status": 503},
    "throttled": {"status": 429, "retry_after": 0},
    "undeletable": {"status": 403},
    "delete_reply_lost": {"reset": "after"},
    "hangs": {"hang": "forever"},
}


class Diverged(AssertionError):
    pass


class QuickSandbox(Sandbox):
    """One connection for all questions: there are some with each step."""

    def _ask(self, method, action, query=None, body=None, timeout=60, none_for_404=False):
        if not getattr(self, "line", None):
            self.line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        self.line.request(method, f"/_sandbox/{action}?{urlencode(query or {})}", None if body is None else json.dumps(body))
        answer = self.line.getresponse()
        text = answer.read()
        if answer.status == 404 and none_for_404:
            return None
        if answer.status != 200:
            raise ValueError(f"{method} {action}: {answer.status} {text.decode()}")
        return json.loads(text)


class Actor:
    """One process. `order` sends a command, `answer` waits for what came of it."""

    def __init__(self, line, name, process):
        self.line = line
        self.name = name
        self.process = process
        self.end = os.pidfd_open(process)

    def order(self, word, *arguments, data=None, threaded=False):
        text = " ".join(map(str, (int(threaded), word, *arguments))).encode()
        self.line.send(text + (b"" if data is None else b"\n" + data))

    def answer(self):
        error, value = self.line.recv(64).split()
        return int(error), int(value)

    def wait_for_end(self):
        watch = select.poll()
        watch.register(self.end, select.POLLIN)
        if not watch.poll(TIMEOUT * 1000):
            raise Diverged(f"{self.name} does not end")
        os.close(self.end)
        self.line.close()


# The kernel keeps nothing, and nothing grows old by itself: what is known follows from the steps alone.
STEP_BY_STEP = "ttl=indefinite,negative_ttl=86400,entry_timeout=0,attr_timeout=0,negative_timeout=0"


class Harness:
    def __init__(self, service, names, work, program=None, options=STEP_BY_STEP):
        self.service = service
        self.names = names
        self.store = SERVICES[service.name].store
        self.work = work
        self.program = program
        self.options = options
        self.sandbox = QuickSandbox()
        self.address = str(work / "actors")
        self.entrance = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.entrance.bind(self.address)
        self.entrance.listen(64)
        self.entrance.settimeout(TIMEOUT)
        self.actors = {}
        self.seen = 0
        self.edits = 0
        self.seconds = 0

    def start(self):
        self.sandbox.start()
        self.sandbox.variant(fastly__client_key_lifetime=86400)  # a sealed value is valid as long as its key
        self.target = SERVICES[self.service.name]("direct", self.sandbox).make_store()
        (self.work / "mount").mkdir()
        self.mount = Mount(self.work / "mount", self.target, options=self.options)
        self.mount.start()
        self.directory = self.mount.path / self.store
        self.status = self.mount.path / ".sstorefs/status"
        os.listdir(self.directory)
        self.sandbox.clear()
        return self

    def stop(self):
        self.end_actors()
        try:
            self.sandbox.clear_faults()
            self.wait_until_idle()
            self.mount.finish()
        finally:
            self.sandbox.stop()
            self.entrance.close()

    def abandon(self):
        """After a failure: whatever is left goes."""
        self.mount.kill()
        self.end_actors()
        self.sandbox.stop()

    def end_actors(self):
        while self.actors:
            _, actor = self.actors.popitem()
            os.kill(actor.process, signal.SIGKILL)
            actor.wait_for_end()

    # --- actors -----------------------------------------------------------------------------------------------------

    def start_actor(self, name):
        subprocess.Popen([self.program, self.address, name], stdin=subprocess.DEVNULL, cwd="/")
        return self.welcome()

    def welcome(self):
        """The next actor who comes in."""
        line, _ = self.entrance.accept()
        line.settimeout(TIMEOUT)
        name, process = line.recv(64).decode().split()
        self.actors[name] = Actor(line, name, int(process))
        return self.actors[name]

    def tell(self, name, word, *arguments, **more):
        actor = self.actors[name]
        actor.order(word, *arguments, **more)
        return actor.answer()

    def path(self, name):
        return str(self.directory / name)

    def gone(self, name):
        """Waits until an actor has ended, all of its files closed."""
        actor = self.actors.pop(name)
        actor.wait_for_end()
        try:
            os.waitpid(actor.process, 0)
        except ChildProcessError:
            pass  # another actor's child

    # --- the service ------------------------------------------------------------------------------------------------

    def operation(self, change):
        return f"{self.service.name}.{PUTS[self.service.name] if change == 'put' else f'{change}_secret'}"

    def fault(self, name, change, kind):
        return self.sandbox.fault({"operation": self.operation(change), "name": name, "times": 1, **FAULTS[kind]})

    def wait_until_it_hangs(self, name):
        self.sandbox.wait_for_calls(1, timeout=TIMEOUT, operation=self.operation("put"), name=name, state="open")

    def put(self, name, value):
        """As another client, long ago: what is found after a lost answer is then not ours. Stripe and GitHub tell versions by seconds: each has another one."""
        self.edits += 1
        shown = {"stripe": "created", "github": "modified", "cloudflare": "created"}.get(self.service.name)
        self.target.put(self.store, name, value, **({shown: time.time() - 1e6 + self.edits} if shown else {}))

    def begin_another_second(self):
        """Two versions of one second look the same: what is stored next has another time."""
        self.seconds += 1
        self.sandbox.variant(clock=self.seconds)

    def delete(self, name):
        self.target.delete(self.store, name)

    def value(self, name):
        return self.target.value(self.store, name)

    def calls(self, expected):
        """
        What the service saw since the last time: changes, when as many as expected have ended, and whether a walk has begun. (It may seem to go on when we
        have its answer already.)
        """
        filters = {"since": self.seen, "service": self.service.name, "operation": f"{self.service.name}.*_secret*"}
        if expected:
            self.sandbox._ask("GET", "calls", {**filters, "operation": f"{self.service.name}.[!lfgq]*_secret*", "state": "ended",
                                              "wait": expected, "timeout": TIMEOUT})
        calls = self.sandbox._ask("GET", "calls", filters)
        self.seen = max([self.seen, *(call["number"] for call in calls)])
        walks = [call for call in calls if call["operation"].endswith(".list_secrets")]
        changing = self.target.writes | OTHER_CHANGES.keys()
        changes = [self.change(call) for call in calls if call["operation"].partition(".")[2] in changing]
        return changes, any("search=" not in call["path"] for call in walks)

    def change(self, call):
        verb = OTHER_CHANGES.get(call["operation"].partition(".")[2]) or call["mode"]
        name = call["name"] if call["name"] in self.names else STALE
        stored = verb != "delete" and call["status"] in (201, 204)
        return verb, name, call["value_sha256"], "dropped" if call["state"] == "dropped" else 200 if stored else call["status"]

    def wait_until_idle(self):
        """Waits for uploads that go on after all programs have been answered."""
        while '"uploads_in_flight": 0' not in self.status.read_text():
            pass
