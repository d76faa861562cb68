"""What tests ask of the sandbox itself, under /_sandbox/: what happened, what is held, what shall go wrong."""

import base64
import json
from urllib.parse import parse_qsl

from faults import BadSpec
from http_types import Answer


class Wrong(Exception):
    """The question makes no sense."""

    def __init__(self, why, status=400):
        super().__init__(why)
        self.status = status


class ControlApi:
    def __init__(self, house):
        self.house = house

    async def answer(self, request):
        action = ACTIONS.get((request.method, request.path.removeprefix("/_sandbox/")))
        try:
            if action is None:
                raise Wrong(f"no such control: {request.method} {request.path}", 404)
            result = action(self.house, dict(parse_qsl(request.query, keep_blank_values=True)), request.body)
            result = await result if hasattr(result, "__await__") else result
        except Wrong as why:
            return Answer(why.status, f"{why}\n".encode(), "text/plain")
        except (BadSpec, ValueError, KeyError, TypeError) as why:
            return Answer(400, f"{type(why).__name__}: {why}\n".encode(), "text/plain")
        return Answer(200, json.dumps(result).encode())


async def calls(house, query, body):
    return await house.journal.wait(query, int(query.get("wait", 0)), float(query.get("timeout", 10)))


def forget_calls(house, query, body):
    house.journal.forget()


def record(house, query, body):
    house.journal.recording = json.loads(body)
    house.journal.exchanges.clear()


def exchanges(house, query, body):
    return list(house.journal.exchanges)


def uploads(house, query, body):
    return house.journal.uploads_of(query.get("name"))


def value(house, query, body):
    """The stored value, which only the sandbox can tell."""
    store = house.seeds.store(query)
    secret = store and house.state.secret(store, query["name"])
    if secret is None or secret["value"] is None:
        raise Wrong("nothing of that name is stored", 404)
    return {"value_base64": base64.b64encode(secret["value"]).decode()}


def faults(house, query, body):
    return [fault.shown() for fault in house.faults.all]


def add_faults(house, query, body):
    """A JSON list of texts or objects, or one text a line."""
    text = body.decode()
    specs = json.loads(text) if text.lstrip().startswith("[") else [line for line in text.splitlines() if line.strip()]
    return [house.faults.add(spec).number for spec in specs]


def clear_faults(house, query, body):
    """All of them, or the one with that number."""
    if "number" in query:
        house.faults.remove(int(query["number"]))
    else:
        house.faults.clear()


def release(house, query, body):
    return {"released": house.faults.release(int(query["count"]) if "count" in query else None)}


def seed(house, query, body):
    return house.seeds.seed(json.loads(body))


def put(house, query, body):
    return house.seeds.put(json.loads(body))


def delete(house, query, body):
    if not house.seeds.delete(json.loads(body)):
        raise Wrong("nothing of that name is stored", 404)


def play(house, query, body):
    wishes = json.loads(body)
    for name, choice in wishes.items():
        house.plays.choose(name, choice)
    house.clock.offset = house.plays["clock"]
    return house.plays.chosen


def plays(house, query, body):
    return house.plays.chosen


def tokens(house, query, body):
    """The tokens that are good from now on."""
    house.tokens[:] = json.loads(body)


def state(house, query, body):
    return house.summary()


def reset(house, query, body):
    house.reset()


ACTIONS = {
    ("GET", "calls"): calls,
    ("DELETE", "calls"): forget_calls,
    ("POST", "record"): record,
    ("GET", "exchanges"): exchanges,
    ("GET", "uploads"): uploads,
    ("GET", "value"): value,
    ("GET", "faults"): faults,
    ("POST", "faults"): add_faults,
    ("DELETE", "faults"): clear_faults,
    ("POST", "release"): release,
    ("POST", "seed"): seed,
    ("POST", "put"): put,
    ("POST", "delete"): delete,
    ("GET", "play"): plays,
    ("POST", "play"): play,
    ("POST", "tokens"): tokens,
    ("GET", "state"): state,
    ("POST", "reset"): reset,
}
