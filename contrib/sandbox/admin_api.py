"""The API of the sandbox itself, under /_sandbox/: its calls, stored values, faults and variants."""

import base64
import json
from urllib.parse import parse_qsl

from faults import InvalidFault
from http_types import Response


class BadCommand(Exception):
    """A request of the control interface is malformed."""

    def __init__(self, why, status=400):
        super().__init__(why)
        self.status = status


class AdminApi:
    def __init__(self, app):
        self.app = app

    async def response(self, request):
        action = ACTIONS.get((request.method, request.path.removeprefix("/_sandbox/")))
        try:
            if action is None:
                raise BadCommand(f"no such control: {request.method} {request.path}", 404)
            result = action(self.app, dict(parse_qsl(request.query, keep_blank_values=True)), request.body)
            result = await result if hasattr(result, "__await__") else result
        except BadCommand as why:
            return Response(why.status, f"{why}\n".encode(), "text/plain")
        except (InvalidFault, ValueError, KeyError, TypeError) as why:
            return Response(400, f"{type(why).__name__}: {why}\n".encode(), "text/plain")
        return Response(200, json.dumps(result).encode())


async def calls(app, query, body):
    return await app.call_log.wait(query, int(query.get("wait", 0)), float(query.get("timeout", 10)))


def forget_calls(app, query, body):
    app.call_log.forget()


def record(app, query, body):
    app.call_log.recording = json.loads(body)
    app.call_log.exchanges.clear()


def exchanges(app, query, body):
    return list(app.call_log.exchanges)


def uploads(app, query, body):
    return app.call_log.uploads_of(query.get("name"))


def value(app, query, body):
    """Returns the stored value, which only the sandbox shows."""
    store = app.seeds.store(query)
    secret = store and app.state.secret(store, query["name"])
    if secret is None or secret["value"] is None:
        raise BadCommand("nothing of that name is stored", 404)
    return {"value_base64": base64.b64encode(secret["value"]).decode()}


def faults(app, query, body):
    return [fault.shown() for fault in app.faults.all]


def add_faults(app, query, body):
    """Reads a JSON list of texts or objects, or one text a line."""
    text = body.decode()
    specs = json.loads(text) if text.lstrip().startswith("[") else [line for line in text.splitlines() if line.strip()]
    return [app.faults.add(spec).number for spec in specs]


def clear_faults(app, query, body):
    """Ends all faults, or the one with that number."""
    if "number" in query:
        app.faults.remove(int(query["number"]))
    else:
        app.faults.clear()


def release(app, query, body):
    return {"released": app.faults.release(int(query["count"]) if "count" in query else None)}


def seed(app, query, body):
    return app.seeds.seed(json.loads(body))


def put(app, query, body):
    return app.seeds.put(json.loads(body))


def delete(app, query, body):
    if not app.seeds.delete(json.loads(body)):
        raise BadCommand("nothing of that name is stored", 404)


def variant(app, query, body):
    params = json.loads(body)
    for name, choice in params.items():
        app.variants.set(name, choice)
    app.clock.offset = app.variants["clock"]
    return app.variants.values


def variants(app, query, body):
    return app.variants.values


def tokens(app, query, body):
    """Sets the tokens that are valid from now on."""
    app.tokens[:] = json.loads(body)


def state(app, query, body):
    return app.summary()


def reset(app, query, body):
    app.reset()


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
    ("GET", "variant"): variants,
    ("POST", "variant"): variant,
    ("POST", "tokens"): tokens,
    ("GET", "state"): state,
    ("POST", "reset"): reset,
}
