"""The error bodies of services, gateways and their edges."""

import json
from http import HTTPStatus

from http_types import Response


def _title(status):
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def pretty(value):
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def problem(status, detail, code):
    return "application/problem+json", pretty({"title": _title(status), "detail": detail, "status": status})


def jsonapi(status, detail, code):
    error = {"id": "0", "title": _title(status), "detail": detail, "code": str(code or status), "status": str(status)}
    return "application/vnd.api+json", pretty({"errors": [error]})


def legacy(status, detail, code):
    return "application/json", pretty({"msg": detail})


def legacy_title(status, detail, code):
    return "application/json", pretty({"title": _title(status), "detail": detail})


def legacy_errors(status, detail, code):
    error = {"code": str(code or status), "reason": detail, "title": _title(status), "index": 0}
    return "application/json", pretty({"errors": [error]})


def cloudflare(status, detail, code):
    body = {"success": False, "errors": [{"code": code or 1001, "message": detail}], "messages": [], "result": None}
    return "application/json", json.dumps(body, ensure_ascii=False).encode()


def cloudflare_bare(status, detail, code):
    return "application/json", json.dumps({"code": code or 1001, "error": detail}, ensure_ascii=False).encode()


def stripe(status, detail, code, error_type="invalid_request_error", param=None):
    error = {"message": detail, "type": error_type}
    error |= {"code": code} if code else {}
    error |= {"param": param} if param else {}
    return "application/json", pretty({"error": error})


def github(status, detail, code):
    body = {"message": detail, "documentation_url": "https://docs.github.com/rest", "status": str(status)}
    return "application/json; charset=utf-8", json.dumps(body, ensure_ascii=False).encode()


def html(status, detail, code):
    page = f"<html><head><title>{status} {_title(status)}</title></head><body><h1>{_title(status)}</h1></body></html>\n"
    return "text/html", page.encode()


def text(status, detail, code):
    return "text/plain", f"{detail}\n".encode()


def empty(status, detail, code):
    return None, b""


FAMILIES = {form.__name__: form for form in (
    problem, jsonapi, legacy, legacy_title, legacy_errors, cloudflare, cloudflare_bare, stripe, github, html, text, empty)}


def error_response(family, status, detail, code=None, **more):
    content_type, body = FAMILIES[family](status, detail, code, **more)
    return Response(status, body, content_type)
