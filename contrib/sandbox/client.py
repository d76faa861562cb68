"""The client for tests: starts a sandbox, reads its calls, sets its faults and variants.

Needs nothing but the standard library and no other file of this folder, so that it can be imported by path.
"""

import base64
import http.client
import json
import subprocess
from pathlib import Path
from urllib.parse import urlencode

# Debian's own: it is the one that has python3-nacl.
PYTHON = "/usr/bin/python3"
PROGRAM = Path(__file__).resolve().parent
TOKEN = "sandbox-token"


class Sandbox:
    """with Sandbox() as sandbox: … or start() and stop()."""

    def __init__(self, *options, token=TOKEN, state=None, port=0):
        self.options = [str(option) for option in options]
        self.token = token
        self.state = state
        self.port = port
        self.process = None
        self.signing_key = None
        self.account = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        """Starts it and returns when it answers; does nothing if it runs.

        A port once chosen is kept, so that stop() and start() look like an outage.
        """
        if self.process:
            return self
        words = [PYTHON, PROGRAM, "--listen", f"127.0.0.1:{self.port}", "--token", self.token, "--until-eof"]
        words += self.options
        words += ["--state", self.state] if self.state else []
        # Its standard input is our end of a pipe: it ends with us, however we end.
        self.process = subprocess.Popen([str(word) for word in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        first = self.process.stdout.readline()
        if not first.startswith("listening on "):
            raise RuntimeError(f"the sandbox did not start: {words}: {first!r}, status {self.process.wait()}")
        self.port = int(first.rpartition(":")[2])
        self.signing_key = self.process.stdout.readline().strip().partition("=")[2]
        self.account = self.process.stdout.readline().strip().partition("=")[2]
        return self

    def stop(self):
        """Ends it by SIGTERM; connections that are open are closed with it."""
        self._end(subprocess.Popen.terminate)

    def kill(self):
        """Ends it by SIGKILL."""
        self._end(subprocess.Popen.kill)

    def _end(self, how):
        if self.process:
            how(self.process)
            self.process.wait(10)
            self.process.stdin.close()
            self.process.stdout.close()
            self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *failure):
        self.stop()

    # Asking

    def calls(self, **params):
        """Returns the call log, in order. Patterns: operation, service, method, name, store, path; also since, state."""
        return self._ask("GET", "calls", params)

    def wait_for_calls(self, count, timeout=60, **params):
        """Waits until `count` calls match; state="begun" (the default), "held", "answered", "dropped"…"""
        found = self._ask("GET", "calls", {**params, "wait": count, "timeout": timeout}, timeout=timeout + 20)
        if len(found) < count:
            seen = "\n".join(f"  {call['operation']} {call['name']} {call['state']} {call['status']}"
                             for call in self.calls())
            raise TimeoutError(f"{len(found)} of {count} calls like {params} in {timeout} s; all calls:\n{seen}")
        return found

    def wait_for_call(self, operation, timeout=60, **params):
        """Waits for the first call of that operation, and returns it."""
        return self.wait_for_calls(1, timeout, operation=operation, **params)[0]

    def uploads(self, name=None):
        """Returns the accepted values, as bytes, in order; of one name or of all."""
        return [base64.b64decode(upload["value_base64"]) for upload in self.upload_records(name)]

    def upload_records(self, name=None):
        """Returns the accepted values with service, store, name, sealed, mode, at and the call's number."""
        return self._ask("GET", "uploads", {} if name is None else {"name": name})

    def exchanges(self):
        """Returns the requests since record(), and the responses that no fault has changed, whole, as bytes."""
        return [{**one, "body": base64.b64decode(one["body_base64"]),
                 "answer": None if one["answer_base64"] is None else base64.b64decode(one["answer_base64"])}
                for one in self._ask("GET", "exchanges")]

    def value(self, store, name, service="fastly", **more):
        """Returns the stored value as bytes, or None."""
        params = {"service": service, "store": store, "name": name, **more}
        response = self._ask("GET", "value", params, none_for_404=True)
        return response and base64.b64decode(response["value_base64"])

    def summary(self):
        return self._ask("GET", "state")

    # Telling

    def fault(self, spec=None, **words):
        """fault("status=503,times=2") or fault(status=503, times=2). Returns its number."""
        return self._ask("POST", "faults", body=[spec or words])[0]

    def clear_faults(self, number=None):
        """Ends all faults, or one; calls that were held go on."""
        self._ask("DELETE", "faults", {} if number is None else {"number": number})

    def release(self, count=None):
        """Lets the oldest `count` held calls go on; without a count all, and ends every hold. Returns how many."""
        return self._ask("POST", "release", {} if count is None else {"count": count})["released"]

    def variant(self, **choices):
        """Sets a variant: variant(fastly__patch_missing=400), with two underscores for the dot."""
        return self._ask("POST", "variant", body={name.replace("__", "."): choice for name, choice in choices.items()})

    def seed(self, store=None, count=None, prefix="SECRET_", service="fastly", **more):
        """Makes `count` secrets PREFIX0000000 on, in a store that is made if need be; or stores=N."""
        params = {"service": service, "store": store, "count": count, "prefix": prefix, **more}
        return self._ask("POST", "seed", body={name: value for name, value in params.items() if value is not None},
                         timeout=120)

    def put(self, store, name, value, service="fastly", **more):
        """Stores a value as another client would, or as none could: no rule is applied. more: created, modified, …"""
        params = {"service": service, "store": store, "name": name,
                  "value_base64": base64.b64encode(value).decode(), **more}
        return self._ask("POST", "put", body=params)

    def delete(self, store, name=None, service="fastly", **more):
        """Deletes a secret, or a whole store, as another client would."""
        params = {"service": service, "store": store, **({} if name is None else {"name": name}), **more}
        self._ask("POST", "delete", body=params)

    def tokens(self, *tokens):
        """Sets the tokens that are valid from now on."""
        self._ask("POST", "tokens", body=tokens)

    def record(self, on=True):
        """Begins to keep requests and answers whole, or ends it."""
        self._ask("POST", "record", body=on)

    def clear(self):
        """Forgets calls and uploads."""
        self._ask("DELETE", "calls")

    def reset(self):
        """Forgets everything but the signing key."""
        self._ask("POST", "reset")

    def _ask(self, method, action, query=None, body=None, timeout=60, none_for_404=False):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            target = f"/_sandbox/{action}?{urlencode(query or {})}"
            connection.request(method, target, None if body is None else json.dumps(body))
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        if response.status == 404 and none_for_404:
            return None
        if response.status != 200:
            raise ValueError(f"{method} {target}: {response.status} {text.decode()}")
        return json.loads(text)
