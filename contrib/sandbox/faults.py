"""Faults: their effects, the calls they apply to, how often; read from NAME=VALUE,NAME=VALUE,…"""

import asyncio
import random
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from corrupt import BODIES, KEYS, PAGES
from error_bodies import FAMILIES


class InvalidFault(ValueError):
    """A specification of a fault that is malformed."""


def _seconds(text):
    low, dots, high = text.partition("..")
    low = float(low)
    high = float(high) if dots else low
    if low < 0 or high < low:
        raise ValueError(text)
    return low, high


def _forever(text):
    return (float("inf"),) * 2 if text == "forever" else _seconds(text)


def _one_of(*words):
    def read(text):
        if text not in words:
            raise ValueError(text)
        return text
    read.words = words
    return read


def _count(text):
    if int(text) < 0:
        raise ValueError(text)
    return int(text)


def _status(text):
    if not 200 <= int(text) <= 599:
        raise ValueError(text)
    return int(text)


def _probability(text):
    if not 0 <= float(text) <= 1:
        raise ValueError(text)
    return float(text)


def _skew(text):
    return text if text == "none" else float(text)


def _header(text):
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise ValueError(text)
    return name.strip(), value.strip()


WHEN = ("before", "after")

# Which calls: name, reader, meaning.
FILTERS = (
    ("service", str, "the service: fastly, cloudflare, stripe or github"),
    ("operation", str, "operation as the call log names it, e.g. fastly.put_secret"),
    ("method", str, "HTTP method"),
    ("path", str, "path with query, as sent"),
    ("name", str, "the secret's name"),
    ("store", str, "the store's name, or Stripe's scope"),
    ("after", _count, "let the first N fitting calls pass"),
    ("times", _count, "end after N calls"),
    ("probability", _probability, "0 to 1, drawn for each fitting call"),
)
# What happens: name, reader, whether the change is made first when nothing else says so, meaning.
EFFECTS = (
    ("latency", _seconds, "before", "wait SECONDS, or LOW..HIGH"),
    ("hold", _one_of(*WHEN), "before", "wait until released, before or after the change is made"),
    ("hang", _forever, "before", "don't go on for SECONDS or forever; a client that leaves ends it"),
    ("reset", _one_of("before", "after", "middle"), "before", "end with RST; middle: after half of the answer"),
    ("close", _one_of("before", "after", "middle"), "before", "end with FIN; middle: after half of the answer"),
    ("status", _status, "before", "answer STATUS, with an error body"),
    ("family", _one_of(*FAMILIES), None, "form of the error body"),
    ("detail", str, None, "words in the error body"),
    ("code", str, None, "code in the error body"),
    ("body", _one_of(*BODIES), "after", "corrupt the response's body"),
    ("huge", _count, "after", "lengthen the answer by BYTES blanks; with body=bomb: how long it is unpacked"),
    ("slow", float, "after", "send the answer byte by byte, so many a second"),
    ("flood", _count, "after", "add N headers"),
    ("header", _header, "after", "add or replace a header, NAME:VALUE"),
    ("content_type", str, "after", "another Content-Type; none: leave it out"),
    ("retry_after", str, "after", "Retry-After: SECONDS; dateSECONDS for a date so far ahead"),
    ("rate_reset", float, "after", "the service's rate-limit headers: nothing left, reset in SECONDS"),
    ("skew", _skew, "after", "set the Date header ahead by SECONDS (or behind: negative); none: leave it out"),
    ("key", _one_of(*KEYS), "after", "corrupt a Fastly client key"),
    ("page", _one_of(*PAGES), "after", "corrupt a page of a listing"),
    ("when", _one_of(*WHEN), None, "whether the fault comes before or after the change is made"),
)
_READERS = {name: read for name, read, *_ in FILTERS} | {name: read for name, read, *_ in EFFECTS}
_GLOBS = ("service", "operation", "method", "path", "name", "store")
_USUAL_WHEN = {name: when for name, _, when, _ in EFFECTS}


@dataclass
class Fault:
    """A fault. `seen` counts matching calls, `done` those it was applied to."""

    spec: str
    params: dict
    headers: list = field(default_factory=list)
    number: int = 0
    seen: int = 0
    done: int = 0

    def fits(self, call):
        params = self.params
        if not all(fnmatchcase(call[key] or "", params[key]) for key in _GLOBS if key in params):
            return False
        self.seen += 1
        if self.seen <= params.get("after", 0) or self.done >= params.get("times", float("inf")):
            return False
        if random.random() >= params.get("probability", 1):
            return False
        self.done += 1
        return True

    def get(self, name, default=None):
        return self.params.get(name, default)

    def at(self, effect, when):
        """Returns True if this fault has that effect, at that time: before or after the change is made (or in the middle of
        the answer, which is neither)."""
        if effect not in self.params:
            return False
        if effect in ("hold", "reset", "close"):
            return self.params[effect] == when
        return self.params.get("when", _USUAL_WHEN[effect]) == when

    def shown(self):
        return {"number": self.number, "spec": self.spec, "seen": self.seen, "done": self.done}


def parse_fault(spec):
    """Reads a fault from text, or from a JSON object with the same names (whose values may hold commas)."""
    if isinstance(spec, dict):
        pairs = [(name, value) for name, values in spec.items()
                 for value in (values if isinstance(values, list) else [values])]
    else:
        pairs = [(piece.partition("=")[0].strip(), piece.partition("=")[2].strip()) for piece in spec.split(",")]
    text = ",".join(f"{name}={value}" for name, value in pairs)
    params, headers = {}, []
    for name, value in pairs:
        read = _read_one(name, str(value), text)
        if name == "header":
            headers.append(read)
        elif name in params:
            raise InvalidFault(f"{name} is given twice in {text!r}")
        params[name] = read
    if not any(name in params for name in _USUAL_WHEN if name not in ("when", "family", "detail", "code")):
        raise InvalidFault(f"{text!r} says which calls, but not what goes wrong")
    return Fault(text, params, headers)


def _read_one(name, value, text):
    if name not in _READERS:
        raise InvalidFault(f"unknown word {name!r} in {text!r}; known are {', '.join(_READERS)}")
    try:
        return _READERS[name](value)
    except ValueError:
        raise InvalidFault(f"{name} can't be {value!r} in {text!r}") from None


class Faults:
    """The faults in force, and the calls that they hold."""

    def __init__(self):
        self.all = []
        self.number = 0
        self.held = []
        self.cleared = asyncio.Event()

    def add(self, spec):
        fault = parse_fault(spec)
        self.number += 1
        fault.number = self.number
        self.all.append(fault)
        return fault

    def take(self, call):
        """Returns the faults that apply to this call."""
        return [fault for fault in self.all if fault.fits(call)]

    def hold(self):
        """Returns a future that ends when the call may go on."""
        future = asyncio.get_running_loop().create_future()
        self.held.append(future)
        return future

    def release(self, count=None):
        """Lets the oldest `count` held calls go on; without a count all, and nothing is held from now on."""
        if count is None:
            self.all = [fault for fault in self.all if "hold" not in fault.params]
        let_go, self.held = (self.held, []) if count is None else (self.held[:count], self.held[count:])
        for future in let_go:
            if not future.done():
                future.set_result(None)
        return len(let_go)

    def remove(self, number):
        self.all = [fault for fault in self.all if fault.number != number]

    def clear(self):
        self.all.clear()
        self.release()
        self.cleared.set()
        self.cleared = asyncio.Event()


def described():
    """Returns one line for each word, for --help."""
    lines = ["which calls (patterns may hold * and ?):"]
    lines += [f"  {name}=  {meaning}" for name, _, meaning in FILTERS]
    lines += ["what happens:"]
    return lines + [f"  {name}=  {meaning}{_choices(read)}" for name, read, _, meaning in EFFECTS]


def _choices(read):
    return f" ({'|'.join(read.words)})" if hasattr(read, "words") else ""
