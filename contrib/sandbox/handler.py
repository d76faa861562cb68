"""One call of a service's API from its request to its answer, with all that goes wrong on the way."""

import asyncio
import random
from urllib.parse import parse_qsl

import corrupt
from http_types import Answer


class Exchanges:
    """`services` are asked in turn whose path it is."""

    def __init__(self, services, faults, journal, clock, tokens, log=None):
        self.services = services
        self.faults = faults
        self.journal = journal
        self.clock = clock
        self.tokens = tokens
        self.log = log

    async def run(self, request, line):
        """Answers one request. Returns whether the connection can be used further."""
        service = next((service for service in self.services if service.owns(request.path)), None)
        if service is None:
            answer = Answer(404, b"no service has this path\n", "text/plain", date=self.clock.now())
            await line.send(answer, request.keep_alive)
            return request.keep_alive
        exchange = Exchange(self, service, request, line)
        try:
            going_on = await exchange.run()
        finally:
            exchange.finish()
        return going_on


class Exchange:
    """The steps stand in the order in which they happen."""

    def __init__(self, house, service, request, line):
        self.house = house
        self.service = service
        self.request = request
        self.line = line
        self.call = house.journal.begin(request, service.name, line.number,
                                        service.credentials(request, house.tokens))
        self.call["request_id"] = service.new_request_id()
        service.recognise(request, self.call)
        self.operation = self.call["operation"].partition(".")[2]
        self.faults = house.faults.take(self.call)
        self.call["fault"] = "; ".join(fault.spec for fault in self.faults) or None
        self.answer = None
        house.journal.changed()

    async def run(self):
        if not self.faults:
            self.answer = self._served()
            return await self._send()
        if await self._lost("before"):
            return False
        self.answer = self._forged("before") or self._served()
        if (forged := self._forged("after")) is not None:
            self.answer = forged
        for fault in self.faults:
            self._spoil(fault)
        if await self._lost("after"):
            return False
        return await self._send()

    def finish(self):
        self.service.finished(self.call)
        if self.call["duration"] is None:
            self.house.journal.end(self.call, "dropped")
        self.house.journal.record(self.call, self.request, None if self.faults else self.answer)
        if self.house.log:
            self.house.log(self.call)

    def _served(self):
        """The service's own answer; this is where the change is made."""
        return self._dressed(self.service.answer(self.request, self.call))

    def _dressed(self, answer):
        answer.date = self.house.clock.now()
        self.service.dress(self.request, answer, self.call)
        return answer

    def _forged(self, when):
        for fault in self.faults:
            if fault.at("status", when):
                return self._dressed(self._forgery(fault))
        return None

    def _forgery(self, fault):
        status = fault.get("status")
        if status < 300:
            return Answer(status)
        detail = fault.get("detail", f"fault: {fault.spec}")
        answer = self.service.error(status, detail, fault.get("family"), fault.get("code"))
        self.service.forged(self.request, self.call, answer)
        return answer

    def _spoil(self, fault):
        answer = self.answer
        query = dict(parse_qsl(self.request.query, keep_blank_values=True))
        if fault.get("page") and answer.status == 200 and "list_" in self.operation:
            corrupt.spoil_page(fault.get("page"), answer, query)
        if fault.get("key") and answer.status == 200 and self.operation in ("create_client_key", "get_signing_key"):
            corrupt.spoil_key(fault.get("key"), answer, self.service.keys)
        if fault.get("body"):
            corrupt.spoil_body(fault.get("body"), answer, fault.get("huge"))
        elif fault.get("huge"):
            answer.padding = fault.get("huge")
        if fault.get("rate_reset") is not None:
            self.service.announce_exhausted(answer, fault.get("rate_reset"))
        corrupt.spoil_headers(fault, answer, self.house.clock.now())

    async def _lost(self, when):
        """Waits as the faults say, and ends the connection if they say so."""
        for fault in self.faults:
            if fault.at("latency", when):
                await asyncio.sleep(_drawn(*fault.get("latency")))
            if fault.at("hold", when):
                await self._hold()
            if fault.at("hang", when) and await self._hang(_drawn(*fault.get("hang"))):
                return True
            if fault.at("reset", when):
                self.line.reset()
                return True
            if fault.at("close", when):
                self.line.close()
                return True
        return False

    async def _hold(self):
        released = self.house.faults.hold()
        self.call["state"] = "held"
        self.house.journal.changed()
        await released
        self.call["state"] = "begun"

    async def _hang(self, seconds):
        """True if the client has left, or if its answer was never to come and the faults were cleared."""
        gone = asyncio.ensure_future(self.line.hung_up(None if seconds == float("inf") else seconds))
        cleared = asyncio.ensure_future(self.house.faults.cleared.wait())
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
                await self.line.send_half(self.answer, keep_alive)
                self.line.reset() if fault.get("reset") == "middle" else self.line.close()
                return False
            if fault.get("slow"):
                return await self._send_slowly(fault.get("slow"))
        # The journal comes first: whoever has the answer must find it there.
        self.house.journal.end(self.call, "answered", self.answer.status)
        await self.line.send(self.answer, keep_alive, head_only=self.request.method == "HEAD")
        return keep_alive

    async def _send_slowly(self, bytes_per_second):
        if not await self.line.send_slowly(self.answer, self.request.keep_alive, bytes_per_second):
            return False
        self.house.journal.end(self.call, "answered", self.answer.status)
        return self.request.keep_alive


def _drawn(low, high):
    """Between the two; for ever, where both are infinite."""
    return low if low == high else random.uniform(low, high)
