"""Carries a call of a service's API from its request to its response, with the faults on the way."""

import asyncio
import random
from urllib.parse import parse_qsl

import corrupt
from http_types import Response


class CallHandlers:
    """The handler of calls: the first of `services` that knows the path answers."""

    def __init__(self, services, faults, call_log, clock, tokens, log=None):
        self.services = services
        self.faults = faults
        self.call_log = call_log
        self.clock = clock
        self.tokens = tokens
        self.log = log

    async def run(self, request, connection):
        """Answers one request. Returns True if the connection can be used further."""
        service = next((service for service in self.services if service.owns(request.path)), None)
        if service is None:
            response = Response(404, b"no service has this path\n", "text/plain", date=self.clock.now())
            await connection.send(response, request.keep_alive)
            return request.keep_alive
        exchange = CallHandler(self, service, request, connection)
        try:
            going_on = await exchange.run()
        finally:
            exchange.finish()
        return going_on


class CallHandler:
    """A call; its methods are in the order in which they run."""

    def __init__(self, app, service, request, connection):
        self.app = app
        self.service = service
        self.request = request
        self.connection = connection
        self.call = app.call_log.begin(request, service.name, connection.number,
                                        service.credentials(request, app.tokens))
        self.call["request_id"] = service.new_request_id()
        service.identify(request, self.call)
        self.operation = self.call["operation"].partition(".")[2]
        self.faults = app.faults.take(self.call)
        self.call["fault"] = "; ".join(fault.spec for fault in self.faults) or None
        self.response = None
        app.call_log.changed()

    async def run(self):
        if not self.faults:
            self.response = self._served()
            return await self._send()
        if await self._drop_or_delay("before"):
            return False
        self.response = self._fault_response("before") or self._served()
        if (on_fault := self._fault_response("after")) is not None:
            self.response = on_fault
        for fault in self.faults:
            self._corrupt(fault)
        if await self._drop_or_delay("after"):
            return False
        return await self._send()

    def finish(self):
        self.service.on_done(self.call)
        if self.call["duration"] is None:
            self.app.call_log.end(self.call, "dropped")
        self.app.call_log.record(self.call, self.request, None if self.faults else self.response)
        if self.app.log:
            self.app.log(self.call)

    def _served(self):
        """Returns the service's own response, and makes the change."""
        return self._decorated(self.service.response(self.request, self.call))

    def _decorated(self, response):
        response.date = self.app.clock.now()
        self.service.decorate(self.request, response, self.call)
        return response

    def _fault_response(self, when):
        for fault in self.faults:
            if fault.at("status", when):
                return self._decorated(self._make_fault_response(fault))
        return None

    def _make_fault_response(self, fault):
        status = fault.get("status")
        if status < 300 or status == 304:
            return Response(status)
        detail = fault.get("detail", f"fault: {fault.spec}")
        response = self.service.error(status, detail, fault.get("family"), fault.get("code"))
        self.service.on_fault(self.request, self.call, response)
        return response

    def _corrupt(self, fault):
        response = self.response
        query = dict(parse_qsl(self.request.query, keep_blank_values=True))
        if fault.get("page") and response.status == 200 and "list_" in self.operation:
            corrupt.corrupt_page(fault.get("page"), response, query)
        if fault.get("key") and response.status == 200 and self.operation in ("create_client_key", "get_signing_key"):
            corrupt.corrupt_key(fault.get("key"), response, self.service.keys)
        if fault.get("body"):
            corrupt.corrupt_body(fault.get("body"), response, fault.get("huge"))
        elif fault.get("huge"):
            response.padding = fault.get("huge")
        if fault.get("rate_reset") is not None:
            self.service.announce_exhausted(response, fault.get("rate_reset"))
        corrupt.corrupt_headers(fault, response, self.app.clock.now())

    async def _drop_or_delay(self, when):
        """Waits as the faults say, and ends the connection if they say so."""
        for fault in self.faults:
            if fault.at("latency", when):
                await asyncio.sleep(_drawn(*fault.get("latency")))
            if fault.at("hold", when):
                await self._hold()
            if fault.at("hang", when) and await self._hang(_drawn(*fault.get("hang"))):
                return True
            if fault.at("reset", when):
                self.connection.reset()
                return True
            if fault.at("close", when):
                self.connection.close()
                return True
        return False

    async def _hold(self):
        released = self.app.faults.hold()
        self.call["state"] = "held"
        self.app.call_log.changed()
        await released
        self.call["state"] = "begun"

    async def _hang(self, seconds):
        """True if the client has left, or if its answer was never to come and the faults were cleared."""
        gone = asyncio.ensure_future(self.connection.hung_up(None if seconds == float("inf") else seconds))
        cleared = asyncio.ensure_future(self.app.faults.cleared.wait())
        await asyncio.wait([gone, cleared], return_when=asyncio.FIRST_COMPLETED)
        left = gone.done() and gone.result()
        for task in (gone, cleared):
            task.cancel()
        await asyncio.gather(gone, cleared, return_exceptions=True)
        return left or seconds == float("inf")

    async def _send(self):
        keep_alive = self.request.keep_alive
        for fault in self.faults:
            if "middle" in (fault.get("reset"), fault.get("close")):
                await self.connection.send_half(self.response, keep_alive)
                self.connection.reset() if fault.get("reset") == "middle" else self.connection.close()
                return False
            if fault.get("slow"):
                return await self._send_slowly(fault.get("slow"))
        # The call log comes first: a client that has the response must find it there.
        self.app.call_log.end(self.call, "answered", self.response.status)
        await self.connection.send(self.response, keep_alive, head_only=self.request.method == "HEAD")
        return keep_alive

    async def _send_slowly(self, bytes_per_second):
        if not await self.connection.send_slowly(self.response, self.request.keep_alive, bytes_per_second):
            return False
        self.app.call_log.end(self.call, "answered", self.response.status)
        return self.request.keep_alive


def _drawn(low, high):
    """Draws a time between the two; for ever, where both are infinite."""
    return low if low == high else random.uniform(low, high)
