"""Where the reference and the mount play side by side: a sandbox, a mount, the actors' processes, and the comparison after each step."""

import http.client
import json
import os
import select
import signal
import socket
import subprocess
from urllib.parse import urlencode

from control import Sandbox
from mounting import Mount

PATIENCE = 20
STORE = "prod"
OPERATIONS = {"fastly.put_secret": "put", "fastly.delete_secret": "delete"}
FAULTS = {
    "refused": ("put_secret", {"status": 403}),
    "lost": ("put_secret", {"reset": "after"}),
    "unheard": ("put_secret", {"reset": "before"}),
    "stumbles": ("put_secret", {"status": 503}),
    "later": ("put_secret", {"status": 429, "retry_after": 0}),
    "undeletable": ("delete_secret", {"status": 403}),
    "hangs": ("put_secret", {"hang": "forever"}),
}


class Diverged(AssertionError):
    pass


class Access:
    """What mounting.Mount asks for."""

    def __init__(self, sandbox):
        self.token = sandbox.token
        self.options = f"endpoint={sandbox.url},signing_key={sandbox.signing_key}"


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
        if not watch.poll(PATIENCE * 1000):
            raise Diverged(f"{self.name} does not end")
        os.close(self.end)
        self.line.close()


class Stage:
    def __init__(self, work, program):
        self.work = work
        self.program = program
        self.sandbox = QuickSandbox()
        self.address = str(work / "actors")
        self.entrance = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.entrance.bind(self.address)
        self.entrance.listen(64)
        self.entrance.settimeout(PATIENCE)
        self.actors = {}
        self.seen = 0

    def start(self):
        self.sandbox.start()
        self.sandbox.seed(STORE, 0)
        (self.work / "mount").mkdir()
        # The kernel keeps nothing, and nothing grows old by itself: what is known follows from the steps alone.
        self.mount = Mount(self.work / "mount", Access(self.sandbox), options=(
            "ttl=indefinite,negative_ttl=86400,entry_timeout=0,attr_timeout=0,negative_timeout=0"))
        self.mount.start()
        self.directory = self.mount.path / STORE
        self.status = self.mount.path / ".sstorefs/status"
        os.listdir(self.directory)
        self.sandbox.wait_for_calls(1, operation="fastly.list_secrets", state="ended")
        self.sandbox.clear()
        return self

    def stop(self):
        for actor in self.actors.values():
            os.kill(actor.process, signal.SIGKILL)
            actor.wait_for_end()
        try:
            self.sandbox.clear_faults()
            self.mount.finish()
        finally:
            self.sandbox.stop()
            self.entrance.close()

    # --- actors -----------------------------------------------------------------------------------------------------

    def start_actor(self, name):
        subprocess.Popen([self.program, self.address, name], stdin=subprocess.DEVNULL, cwd="/")
        return self.welcome()

    def welcome(self):
        """The next actor who comes in."""
        line, _ = self.entrance.accept()
        line.settimeout(PATIENCE)
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

    def fault(self, name, kind):
        operation, words = FAULTS[kind]
        return self.sandbox.fault({"operation": f"fastly.{operation}", "name": name, "times": 1, **words})

    def calls(self, expected):
        """What the service saw since the last time: waits until as many as expected have ended."""
        calls = self.sandbox._ask("GET", "calls", {"since": self.seen, "operation": "fastly.[pdl]*_secret*", "state": "ended",
                                                  "wait": expected, "timeout": PATIENCE if expected else 0})
        self.seen = max([self.seen, *(call["number"] for call in calls)])
        changes = [(OPERATIONS[call["operation"]], call["name"], call["value_sha256"],
                    "dropped" if call["state"] == "dropped" else call["status"])
                   for call in calls if call["operation"] in OPERATIONS]
        return changes, any(call["operation"] == "fastly.list_secrets" for call in calls)

    def wait_until_idle(self):
        """What goes on after everybody has been answered."""
        while '"uploads_in_flight": 0' not in self.status.read_text():
            pass
