"""The call log: every call in order, every accepted upload, and waiting for them."""

import asyncio
import base64
import hashlib
import time
from collections import deque
from fnmatch import fnmatchcase

CALLS_KEPT = 50_000
UPLOAD_BYTES_KEPT = 256 * 1024 * 1024
EXCHANGES_KEPT = 2000
CREDENTIAL_HEADERS = ("fastly-key", "authorization", "x-auth-key", "x-auth-user-service-key")

# What `state=` of a question means. A call that has ended has begun, too: a wait for the beginning must not miss it.
STATES = {
    "begun": lambda call: True,
    "open": lambda call: call["state"] in ("begun", "held"),
    "held": lambda call: call["state"] == "held",
    "answered": lambda call: call["state"] == "answered",
    "dropped": lambda call: call["state"] == "dropped",
    "ended": lambda call: call["state"] in ("answered", "dropped"),
}


class CallLog:
    def __init__(self):
        self.calls = deque(maxlen=CALLS_KEPT)
        self.uploads = deque()
        self.upload_bytes = 0
        self.number = 0
        self.expanded = 0
        self.counts = {}
        self.waiting = []
        self.recording = False
        self.exchanges = deque(maxlen=EXCHANGES_KEPT)

    def begin(self, request, service, connection_number, credentials):
        """Makes a call's record, which is in the call log from now on and changes during the call."""
        self.number += 1
        call = {
            "number": self.number, "at": time.monotonic(), "state": "begun", "service": service,
            "operation": f"{service}.unknown",
            "method": request.method, "path": request.target, "http_version": request.version,
            "headers": shown_headers(request, credentials), "credentials": credentials, "connection": connection_number,
            "body_bytes": len(request.body), "status": None, "duration": None, "store": None, "name": None,
            "names": None, "value_sha256": None, "mode": None, "sealed": None, "client_key": None, "expand": None,
            "request_id": None, "fault": None,
        }
        self.calls.append(call)
        return call

    def value_seen(self, call, value):
        call["value_sha256"] = hashlib.sha256(value).hexdigest()

    def upload(self, call, value, name=None):
        """Notes a value that a service has accepted."""
        self.uploads.append({"service": call["service"], "store": call["store"], "name": name or call["name"],
                             "value": value, "sealed": bool(call["sealed"]), "mode": call["mode"],
                             "at": time.monotonic(), "call": call["number"]})
        self.upload_bytes += len(value)
        while self.upload_bytes > UPLOAD_BYTES_KEPT:
            self.upload_bytes -= len(self.uploads.popleft()["value"])

    def end(self, call, state, status=None):
        call["state"], call["status"] = state, status
        self.expanded += bool(call["expand"])
        outcomes = self.counts.setdefault(call["operation"], {})
        outcome = str(status or state)
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        call["duration"] = round(time.monotonic() - call["at"], 6)
        self.changed()

    def record(self, call, request, response):
        """Keeps request and response whole, where that was asked for. `answer` is None if it never came or was not the service's own."""
        if self.recording:
            self.exchanges.append({
                **{key: call[key] for key in ("operation", "method", "path", "headers", "fault")},
                "body_base64": base64.b64encode(request.body).decode(),
                "status": response.status if response else None,
                "answer_base64": base64.b64encode(response.body).decode() if response else None})

    def changed(self):
        """Wakes all waiters."""
        for future in self.waiting:
            if not future.done():
                future.set_result(None)
        self.waiting.clear()

    def find(self, params):
        since = int(params.get("since", 0))
        in_state = STATES[params.get("state", "begun")]
        globs = [(key, params[key]) for key in ("operation", "service", "method", "name", "store", "path")
                 if key in params]
        return [call for call in self.calls if call["number"] > since and in_state(call)
                and all(fnmatchcase(call[key] or "", glob) for key, glob in globs)]

    async def wait(self, params, count, seconds):
        """Returns the matching calls, as soon as there are `count`, or those there are when the time is up."""
        deadline = time.monotonic() + seconds
        while True:
            begun = time.monotonic()
            found = self.find(params)
            took = time.monotonic() - begun
            if len(found) >= count or begun >= deadline:
                return found
            future = asyncio.get_running_loop().create_future()
            self.waiting.append(future)
            await asyncio.wait([future], timeout=max(0, deadline - time.monotonic()))
            # No more than half of the time goes into searching a long call log.
            await asyncio.sleep(took)

    def uploads_of(self, name):
        return [{key: upload[key] for key in upload if key != "value"}
                | {"value_base64": base64.b64encode(upload["value"]).decode()}
                for upload in self.uploads if name is None or upload["name"] == name]

    def forget(self):
        self.calls.clear()
        self.uploads.clear()
        self.upload_bytes = 0


def shown_headers(request, credentials):
    """Returns the request's headers without the credentials."""
    return {name: credentials if name in CREDENTIAL_HEADERS else value for name, value in request.headers.items()}
