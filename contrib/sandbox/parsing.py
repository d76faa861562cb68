"""Parsers that reject what a lenient one would repair: JSON, base64, percent-encoding, queries."""

import base64
import binascii
import json
import re


class ParseError(ValueError):
    """A text is not in the form that it claims."""


def _members_once(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ParseError("a member is given twice")
    return members


def _no_constant(word):
    raise ParseError(f"{word} is not JSON")


def read_json(body):
    """Parses JSON as RFC 8259 defines it: UTF-8, no NaN, no member twice, no half of a surrogate pair."""
    try:
        text = body.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_members_once, parse_constant=_no_constant)
        if "\\u" in text:
            # A lone \ud800 passes json.loads, but no UTF-8 text can hold it.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (UnicodeError, RecursionError, json.JSONDecodeError) as why:
        raise ParseError(str(why)) from why
    return value


def read_base64(text):
    """Decodes base64: standard alphabet, padded, canonical."""
    if not isinstance(text, str):
        raise ParseError("not a string")
    try:
        value = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeError, binascii.Error) as why:
        raise ParseError(str(why)) from why
    if base64.b64encode(value).decode() != text:
        raise ParseError("not canonical")
    return value


_ESCAPE = re.compile(r"%(..?)?", re.DOTALL)
_HEX_PAIR = re.compile(r"[0-9A-Fa-f]{2}")


def percent_decoded(raw, plus_is_space=False):
    """Decodes percent-encoding: every % must begin an escape, and the result must be UTF-8."""
    for found in _ESCAPE.finditer(raw):
        if not _HEX_PAIR.fullmatch(found.group(1) or ""):
            raise ParseError("a percent sign that begins no escape")
    if plus_is_space:
        raw = raw.replace("+", " ")
    as_bytes = re.sub(rb"%(..)", lambda found: bytes([int(found.group(1), 16)]), raw.encode("latin-1"))
    try:
        return as_bytes.decode("utf-8")
    except UnicodeError as why:
        raise ParseError("not UTF-8") from why


def read_pairs(text):
    """Splits name=value&name=value, a query or a form; keeps order and repetitions."""
    pairs = []
    for piece in text.split("&") if text else []:
        name, equals, value = piece.partition("=")
        if not name or not equals:
            raise ParseError("a parameter without a name or a value")
        pairs.append((percent_decoded(name, True), percent_decoded(value, True)))
    return pairs


def read_query(text, known, lists=()):
    """Reads a query whose parameters are known and given once; those of `lists` may be repeated, which is the same as commas between."""
    values = {}
    for name, value in read_pairs(text):
        if name not in known:
            raise ParseError(f"unknown parameter: {name}")
        if name in values and name in lists:
            value = f"{values[name]},{value}"
        elif name in values:
            raise ParseError(f"parameter given twice: {name}")
        values[name] = value
    return values


_WHOLE = re.compile(r"0|[1-9][0-9]{0,17}")


def whole_number(text, low, high):
    if not _WHOLE.fullmatch(text) or not low <= int(text) <= high:
        raise ParseError(f"not a whole number from {low} to {high}")
    return int(text)
