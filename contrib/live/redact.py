"""
What a transcript shows of an exchange: the form of everything, and the words of the service's errors, but no token, value, name or id. So two transcripts
of the same behaviour are the same text.
"""

import base64
import re
from urllib.parse import quote

# Members whose text is the service's own.
WORDS = {"code", "detail", "doc_url", "documentation_url", "error", "message", "msg", "object", "param", "reason", "request_log_url", "status", "title", "type", "visibility"}
NUMBERS = {"code", "status", "per_page", "limit", "count", "page"}
FORMS = (
    ("time, seconds", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)"),
    ("time, milliseconds", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"),
    ("time, microseconds", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"),
    ("time, nanoseconds", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7,9}Z"),
    ("32 hex digits", r"[0-9a-f]{32}"),
    ("uuid", r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    ("22 of base62", r"[0-9A-Za-z]{22}"),
    ("32 bytes in base64", r"[0-9A-Za-z+/]{43}="),
    ("64 bytes in base64", r"[0-9A-Za-z+/]{86}=="),
    ("appsecret id", r"appsecret_\w+"),
    ("number", r"\d+"),
    ("address", r"https?://.*"),
    ("empty", r""),
)
IN_WORDS = (
    (r"[\w.+-]+@[\w-]+(\.[\w-]+)+", "<email>"),
    (r"https?://[^\s\"']+", "<address>"),
    (r"\b(acct|usr|req|sk|rk|pk|appsecret)_\w+", r"<\1>"),
    (r"\b(ghp|gho|ghs|github_pat)_\w+", "<token>"),
    (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "<uuid>"),
    (r"\b[0-9a-f]{32}\b", "<id>"),
    (r"\b(?=[A-Za-z]*\d)[0-9A-Za-z]{22,}\b", "<id>"),
    (r"\d{4,}", "<number>"),
)


class Redactor:
    """Knows the texts of this run that must not be shown, and their replacements."""

    def __init__(self):
        self.known = []

    def hide(self, text, place):
        """`text` is shown as `place` from now on."""
        if text and (text, place) not in self.known:
            self.known += [(text, place), (quote(text, safe=""), place)]
            self.known.sort(key=lambda pair: -len(pair[0]))

    def words(self, text):
        for known, place in self.known:
            text = text.replace(known, place)
        for pattern, place in IN_WORDS:
            text = re.sub(pattern, place, text)
        return text

    def form(self, value, key=""):
        """JSON as its form; of a list each form once, in their order."""
        if isinstance(value, dict):
            return {name: self.form(one, name) for name, one in value.items()}
        if isinstance(value, list):
            forms = []
            for one in value:
                if (found := self.form(one, key)) not in forms:
                    forms.append(found)
            return forms
        if value is None or isinstance(value, bool):
            return value
        if not isinstance(value, str):
            return value if key in NUMBERS else f"<{type(value).__name__}>"
        for known, place in self.known:
            if value == known:
                return place
        if key in WORDS:
            return self.words(value)
        return next((f"<{name}>" for name, pattern in FORMS if re.fullmatch(pattern, value)), "<text>")

    def check(self, text):
        """Refuses a transcript that has a hidden text in it all the same, as it is or in base64."""
        for known, place in self.known:
            encoded = base64.b64encode(known.encode()).decode().rstrip("=")
            if len(known) >= 4 and (known in text or encoded in text):
                raise AssertionError(f"the transcript would show what {place} stands for: nothing was written")
