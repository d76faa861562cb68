"""What is not known about the real services, or differs between accounts, and can be played either way."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Play:
    """`choices` is a tuple of words, or one of `number`, `seconds`, `words` (a:b:c)."""

    name: str
    default: object
    choices: object
    meaning: str


PLAYS = (
    Play("clock", 0.0, "seconds", "the services' clock is this far ahead of the machine's"),
    Play("fastly.unauthorized", "401", ("401", "403"), "status for a missing or wrong token"),
    Play("fastly.error_body", "problem",
         ("problem", "jsonapi", "legacy", "legacy_title", "legacy_errors", "html", "empty"), "form of error bodies"),
    Play("fastly.patch_missing", "404", ("404", "400"), "status for PATCH of a secret that does not exist"),
    Play("fastly.unknown_store_name", "empty", ("empty", "404"), "answer to ?name= of no store"),
    Play("fastly.default_page", 10, "number", "entries a page without limit="),
    Play("fastly.smallest_page", 10, "number", "entries a page even if fewer are asked for; 0: as asked"),
    Play("fastly.page_cap", 200, "number", "entries a page at most, whatever is asked for"),
    Play("fastly.order", "name", ("name", "reverse"), "order of secrets in a listing"),
    Play("fastly.key_member", "public_key", ("public_key", "client_key", "both"), "member that holds a client key"),
    Play("fastly.client_key_lifetime", 600.0, "seconds", "lifetime of client keys"),
    Play("fastly.client_key_reuse", "yes", ("yes", "no"), "whether one client key serves several secrets"),
    Play("fastly.empty_value", "refuse", ("refuse", "accept"), "a value of no bytes"),
    Play("fastly.name_length", 255, "number", "longest name"),
    Play("fastly.quota_stores", 0, "number", "stores at most; 0: no limit"),
    Play("fastly.quota_secrets", 0, "number", "secrets at most, over all stores; 0: no limit"),
    Play("fastly.quota_status", "400", ("400", "403", "500"), "status when a quota is reached"),
    Play("fastly.rate_limit", 0, "number", "calls that change something a window; 0: no limit"),
    Play("fastly.rate_window", 3600.0, "seconds", "length of a window; windows begin at its multiples"),
    Play("fastly.rate_headers", "yes", ("yes", "no"), "whether a rate limit is announced in headers"),
    Play("cloudflare.unauthorized", "401", ("401", "403"), "status for a wrong token"),
    Play("cloudflare.malformed_token", "400", ("400", "401"), "status for no token, or what can't be one"),
    Play("cloudflare.no_route", "404", ("404", "400"), "status for a path with an impossible identifier"),
    Play("cloudflare.conflict_status", "409", ("409", "400"), "status for a name that is taken"),
    Play("cloudflare.quota_stores", 1, "number", "stores an account"),
    Play("cloudflare.quota_secrets", 100, "number", "secrets an account"),
    Play("cloudflare.quota_slug", "maximum_secrets_exceeded",
         ("maximum_secrets_exceeded", "secrets_quota_exceeded", "quota_exceeded"), "error when no more secrets fit"),
    Play("cloudflare.default_page", 20, "number", "entries a page without per_page="),
    Play("cloudflare.page_cap", 100, "number", "entries a page at most, whatever is asked for"),
    Play("cloudflare.result_info", "full", ("full", "total_pages", "no_total", "null", "absent"),
         "what a page tells of the whole"),
    Play("cloudflare.no_comment", "absent", ("absent", "null", "empty"), "the comment of a secret without one"),
    Play("cloudflare.duplicate_comment", "drop", ("drop", "keep"), "the comment of a duplicate when none is sent"),
    Play("cloudflare.pending", 1.0, "seconds", "how long a secret is pending after a change"),
    Play("cloudflare.deleted_rows", 0.0, "seconds", "how long listings show deleted secrets"),
    Play("cloudflare.deleted_status", "deleted", ("deleted", "active"), "the status of deleted secrets in listings"),
    Play("cloudflare.delete_status", "202", ("202", "200"), "status for the deletion of secrets"),
    Play("cloudflare.multi_create", "atomic", ("atomic", "partial"), "what remains of several secrets when one is refused"),
    Play("cloudflare.periods", "refuse", ("refuse", "accept"), "periods in names of secrets"),
    Play("cloudflare.nul", "accept", ("accept", "refuse"), "NUL in values"),
    Play("cloudflare.scopes", ("access", "ai_gateway", "containers", "dex", "websearch", "workers"), "words",
         "scopes that exist"),
    Play("cloudflare.rate_limit", 0, "number", "calls a window; 0: no limit"),
    Play("cloudflare.rate_window", 300.0, "seconds", "length of a window"),
    Play("cloudflare.lockout", 300.0, "seconds", "how long everything is refused after the limit"),
    Play("stripe.per_scope", 10, "number", "secrets a scope"),
    Play("stripe.full_status", "400", ("400", "403"), "status when a scope is full"),
    Play("stripe.full_code", "none", ("none", "resource_limit_exceeded"), "code when a scope is full"),
    Play("stripe.replace_expiry", "clear", ("clear", "keep"), "what a replace without expires_at does to the old expiry"),
    Play("stripe.replace_id", "keep", ("keep", "new"), "whether a replace makes a new id"),
    Play("stripe.replace_created", "keep", ("keep", "new"), "whether a replace is a new creation"),
    Play("stripe.order", "newest", ("newest", "oldest"), "which secret a listing begins with"),
    Play("stripe.length", "characters", ("characters", "bytes"), "what the 5000 of names and payloads count"),
    Play("stripe.past_expiry", "refuse", ("refuse", "accept"), "expires_at in the past"),
    Play("stripe.nul", "accept", ("accept", "refuse"), "NUL in names and payloads"),
    Play("stripe.delete_body", "full", ("full", "short"), "the deleted object, or only its id"),
    Play("stripe.replay_500", "yes", ("yes", "no"), "whether a 500 is replayed under the same Idempotency-Key"),
    Play("stripe.page_cap", 100, "number", "entries a page at most, whatever is asked for"),
    Play("stripe.rate_limit", 0, "number", "calls a second; 0: no limit"),
    Play("github.repositories", ("octo/app", "octo-org/web", "octo-org/api"), "words",
         "repositories that the token may see"),
    Play("github.organizations", ("octo-org",), "words", "organizations that the token may see"),
    Play("github.rights", "write", ("write", "read", "none"), "what the token may do with secrets"),
    Play("github.key_generation", 0, "number", "another number changes the public key of every store"),
    Play("github.page_cap", 100, "number", "entries a page at most, whatever is asked for"),
    Play("github.etags", "yes", ("yes", "no"), "whether answers have an ETag"),
    Play("github.quota_secrets", 100, "number", "secrets a repository's or environment's store"),
    Play("github.quota_organization", 1000, "number", "secrets an organization's store"),
    Play("github.quota_status", "422", ("422", "403"), "status when no more secrets fit"),
    Play("github.rate_limit", 0, "number", "calls an hour; 0: no limit"),
    Play("github.points", 0, "number", "points a minute, a change being five and a question one; 0: no limit"),
    Play("github.changes", 0, "number", "changes a minute; 0: no limit"),
    Play("github.limit_status", "403", ("403", "429"), "status when a limit is reached"),
    Play("github.retry_after", "yes", ("yes", "no"), "whether a secondary limit says when to come back"),
)

NUMBERS = {"number": int, "seconds": float}


class Plays:
    """The present choices. `plays["fastly.order"]`; `plays.choose("fastly.order", "reverse")`."""

    def __init__(self):
        self.table = {play.name: play for play in PLAYS}
        self.chosen = {play.name: play.default for play in PLAYS}

    def __getitem__(self, name):
        return self.chosen[name]

    def choose(self, name, value):
        if name not in self.table:
            raise ValueError(f"unknown play: {name}; known are {', '.join(self.table)}")
        self.chosen[name] = _read(self.table[name], str(value))

    def forget(self):
        self.chosen = {play.name: play.default for play in PLAYS}


def _read(play, text):
    if play.choices == "words":
        return tuple(word for word in text.split(":") if word)
    if play.choices in NUMBERS:
        try:
            return NUMBERS[play.choices](text)
        except ValueError:
            raise ValueError(f"{play.name} takes a number, not {text!r}") from None
    if text not in play.choices:
        raise ValueError(f"{play.name} is one of {', '.join(play.choices)}, not {text!r}")
    return text


def described():
    """One line a play, for --help."""
    return [f"  {play.name}={_shown(play.default)}  ({_kinds(play)})  {play.meaning}" for play in PLAYS]


def _shown(value):
    return ":".join(value) if isinstance(value, tuple) else value


def _kinds(play):
    return "|".join(play.choices) if isinstance(play.choices, tuple) else play.choices
