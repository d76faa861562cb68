"""What is not known about the real services, or differs between accounts, and can be set either way."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Variant:
    """`choices` is a tuple of words, or one of `number`, `seconds`, `words` (a:b:c)."""

    name: str
    default: object
    choices: object
    meaning: str


VARIANTS = (
    Variant("clock", 0.0, "seconds", "the services' clock is this far ahead of the machine's"),
    Variant("fastly.unauthorized", "401", ("401", "403"), "status for a missing or wrong token"),
    Variant("fastly.error_body", "problem",
         ("problem", "jsonapi", "legacy", "legacy_title", "legacy_errors", "html", "empty"), "form of error bodies"),
    Variant("fastly.patch_missing", "404", ("404", "400"), "status for PATCH of a secret that does not exist"),
    Variant("fastly.unknown_store_name", "empty", ("empty", "404"), "answer to ?name= of no store"),
    Variant("fastly.default_page", 10, "number", "entries a page without limit="),
    Variant("fastly.smallest_page", 10, "number", "entries a page even if fewer are asked for; 0: as asked"),
    Variant("fastly.page_cap", 200, "number", "entries a page at most, whatever is asked for"),
    Variant("fastly.store_spelling", "as_sent", ("as_sent", "small"), "letters in the names of stores that are created"),
    Variant("fastly.order", "name", ("name", "reverse"), "order of secrets in a listing"),
    Variant("fastly.key_member", "public_key", ("public_key", "client_key", "both"), "member that holds a client key"),
    Variant("fastly.client_key_lifetime", 600.0, "seconds", "lifetime of client keys"),
    Variant("fastly.client_key_reuse", "yes", ("yes", "no"), "whether one client key serves several secrets"),
    Variant("fastly.empty_value", "refuse", ("refuse", "accept"), "a value of no bytes"),
    Variant("fastly.name_length", 255, "number", "longest name"),
    Variant("fastly.quota_stores", 0, "number", "stores at most; 0: no limit"),
    Variant("fastly.quota_secrets", 0, "number", "secrets at most, over all stores; 0: no limit"),
    Variant("fastly.quota_status", "400", ("400", "403", "500"), "status when a quota is reached"),
    Variant("fastly.rate_limit", 0, "number", "calls that change something a window; 0: no limit"),
    Variant("fastly.rate_window", 3600.0, "seconds", "length of a window; windows begin at its multiples"),
    Variant("fastly.rate_headers", "yes", ("yes", "no"), "whether a rate limit is announced in headers"),
    Variant("cloudflare.unauthorized", "401", ("401", "403"), "status for a wrong token"),
    Variant("cloudflare.malformed_token", "400", ("400", "401"), "status for no token, or what can't be one"),
    Variant("cloudflare.no_route", "404", ("404", "400"), "status for a path with an impossible identifier"),
    Variant("cloudflare.conflict_status", "409", ("409", "400"), "status for a name that is taken"),
    Variant("cloudflare.quota_stores", 1, "number", "stores an account"),
    Variant("cloudflare.quota_secrets", 100, "number", "secrets an account"),
    Variant("cloudflare.quota_slug", "maximum_secrets_exceeded",
         ("maximum_secrets_exceeded", "secrets_quota_exceeded", "quota_exceeded"), "error when no more secrets fit"),
    Variant("cloudflare.default_page", 20, "number", "entries a page without per_page="),
    Variant("cloudflare.page_cap", 100, "number", "entries a page at most, whatever is asked for"),
    Variant("cloudflare.result_info", "full", ("full", "total_pages", "no_total", "null", "absent"),
         "what a page tells of the whole"),
    Variant("cloudflare.no_comment", "absent", ("absent", "null", "empty"), "the comment of a secret without one"),
    Variant("cloudflare.duplicate_comment", "drop", ("drop", "keep"), "the comment of a duplicate when none is sent"),
    Variant("cloudflare.pending", 1.0, "seconds", "how long a secret is pending after a change"),
    Variant("cloudflare.deleted_rows", 0.0, "seconds", "how long listings show deleted secrets"),
    Variant("cloudflare.deleted_status", "deleted", ("deleted", "active"), "the status of deleted secrets in listings"),
    Variant("cloudflare.delete_status", "202", ("202", "200"), "status for the deletion of secrets"),
    Variant("cloudflare.multi_create", "atomic", ("atomic", "partial"), "what remains of several secrets when one is refused"),
    Variant("cloudflare.store_spelling", "as_sent", ("as_sent", "small"), "letters in the names of stores that are created"),
    Variant("cloudflare.periods", "refuse", ("refuse", "accept"), "periods in names of secrets"),
    Variant("cloudflare.nul", "accept", ("accept", "refuse"), "NUL in values"),
    Variant("cloudflare.scopes", ("access", "ai_gateway", "containers", "dex", "websearch", "workers"), "words",
         "scopes that exist"),
    Variant("cloudflare.rate_limit", 0, "number", "calls a window; 0: no limit"),
    Variant("cloudflare.rate_window", 300.0, "seconds", "length of a window"),
    Variant("cloudflare.lockout", 300.0, "seconds", "how long everything is refused after the limit"),
    Variant("stripe.per_scope", 10, "number", "secrets a scope"),
    Variant("stripe.full_status", "400", ("400", "403"), "status when a scope is full"),
    Variant("stripe.full_code", "none", ("none", "resource_limit_exceeded"), "code when a scope is full"),
    Variant("stripe.replace_expiry", "clear", ("clear", "keep"), "what a replace without expires_at does to the old expiry"),
    Variant("stripe.replace_id", "keep", ("keep", "new"), "whether a replace makes a new id"),
    Variant("stripe.replace_created", "keep", ("keep", "new"), "whether a replace is a new creation"),
    Variant("stripe.order", "newest", ("newest", "oldest"), "which secret a listing begins with"),
    Variant("stripe.length", "characters", ("characters", "bytes"), "what the 5000 of names and payloads count"),
    Variant("stripe.past_expiry", "refuse", ("refuse", "accept"), "expires_at in the past"),
    Variant("stripe.nul", "accept", ("accept", "refuse"), "NUL in names and payloads"),
    Variant("stripe.delete_body", "full", ("full", "short"), "the deleted object, or only its id"),
    Variant("stripe.replay_500", "yes", ("yes", "no"), "whether a 500 is replayed under the same Idempotency-Key"),
    Variant("stripe.page_cap", 100, "number", "entries a page at most, whatever is asked for"),
    Variant("stripe.rate_limit", 0, "number", "calls a second; 0: no limit"),
    Variant("github.repositories", ("octo/app", "octo-org/web", "octo-org/api"), "words",
         "repositories that the token may see"),
    Variant("github.organizations", ("octo-org",), "words", "organizations that the token may see"),
    Variant("github.rights", "write", ("write", "read", "none"), "what the token may do with secrets"),
    Variant("github.key_generation", 0, "number", "another number changes the public key of every store"),
    Variant("github.page_cap", 100, "number", "entries a page at most, whatever is asked for"),
    Variant("github.etags", "yes", ("yes", "no"), "whether answers have an ETag"),
    Variant("github.quota_secrets", 100, "number", "secrets a repository's or environment's store"),
    Variant("github.quota_organization", 1000, "number", "secrets an organization's store"),
    Variant("github.quota_status", "422", ("422", "403"), "status when no more secrets fit"),
    Variant("github.rate_limit", 0, "number", "calls an hour; 0: no limit"),
    Variant("github.points", 0, "number", "points a minute, a change being five and a question one; 0: no limit"),
    Variant("github.changes", 0, "number", "changes a minute; 0: no limit"),
    Variant("github.limit_status", "403", ("403", "429"), "status when a limit is reached"),
    Variant("github.retry_after", "yes", ("yes", "no"), "whether a secondary limit says when to come back"),
)

NUMBERS = {"number": int, "seconds": float}


class Variants:
    """The present choices. `variants["fastly.order"]`; `variants.set("fastly.order", "reverse")`."""

    def __init__(self):
        self.table = {variant.name: variant for variant in VARIANTS}
        self.values = {variant.name: variant.default for variant in VARIANTS}

    def __getitem__(self, name):
        return self.values[name]

    def set(self, name, value):
        if name not in self.table:
            raise ValueError(f"unknown variant: {name}; known are {', '.join(self.table)}")
        self.values[name] = _read(self.table[name], str(value))

    def forget(self):
        self.values = {variant.name: variant.default for variant in VARIANTS}


def _read(variant, text):
    if variant.choices == "words":
        return tuple(word for word in text.split(":") if word)
    if variant.choices in NUMBERS:
        try:
            return NUMBERS[variant.choices](text)
        except ValueError:
            raise ValueError(f"{variant.name} takes a number, not {text!r}") from None
    if text not in variant.choices:
        raise ValueError(f"{variant.name} is one of {', '.join(variant.choices)}, not {text!r}")
    return text


def described():
    """One line for each variant, for --help."""
    return [f"  {variant.name}={_shown(variant.default)}  ({_kinds(variant)})  {variant.meaning}" for variant in VARIANTS]


def _shown(value):
    return ":".join(value) if isinstance(value, tuple) else value


def _kinds(variant):
    return "|".join(variant.choices) if isinstance(variant.choices, tuple) else variant.choices
