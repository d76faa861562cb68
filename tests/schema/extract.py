#!/usr/bin/env python3
"""
Makes the schemas in this folder from the services' published OpenAPI documents: the path items that sstorefs uses, with everything that they refer to, without
texts, examples and extensions. A schema that only fields refer to which sstorefs never asks for is cut to {}, which takes anything.

    extract.py stripe spec3.json          # github.com/stripe/openapi, openapi/spec3.json
    extract.py cloudflare openapi.json    # github.com/cloudflare/api-schemas
    extract.py github api.github.com.json # npm's @octokit/openapi, generated/
"""

import json
import re
import sys
from pathlib import Path

TEXTS = ("description", "summary", "externalDocs", "tags", "example", "examples", "contact", "termsOfService", "title")
MAPS = ("properties", "schemas", "headers", "responses")
# The paths that are kept, schemas that are cut, and the licence of the document.
SERVICES = {
    "stripe": (r"/v1/apps/secrets(/find|/delete)?",
               r"bank_account|card|payment_intent|payment_method|setup_intent|source", "MIT, Copyright (c) 2011- Stripe, Inc."),
    "cloudflare": (r"/accounts/\{account_id\}/secrets_store/.*", r"", "BSD-3-Clause, Copyright (c) 2022, Cloudflare"),
    "github": (r"/repos/\{owner\}/\{repo\}(/(actions|dependabot|codespaces|agents|environments/\{environment_name\})/secrets(/public-key|/\{secret_name\})?"
               r"|/environments(/\{environment_name\})?)?"
               r"|/orgs/\{org\}(/(actions|dependabot|codespaces|agents)/secrets(/public-key|/\{secret_name\}(/repositories)?)?)?|/user|/rate_limit",
               r"", "MIT, Copyright (c) GitHub"),
}


def lean(value, is_map=False):
    """Without texts, but for those in the names of properties and the like."""
    if isinstance(value, list):
        return [lean(one) for one in value]
    if not isinstance(value, dict):
        return value
    made = {key: lean(one, key in MAPS) for key, one in value.items() if is_map or (key not in TEXTS and not key.startswith("x-"))}
    for response in made.get("responses", {}).values():
        if "$ref" not in response:
            response["description"] = ""  # without one it is none
    return made


def references(value):
    return set(re.findall(r'"\$ref": "#/components/(\w+)/([^"]+)"', json.dumps(value)))


def extract(document, paths, cut):
    kept = {path: lean(item) for path, item in document["paths"].items() if re.fullmatch(paths, path)}
    components, open_ends = {}, references(kept)
    while open_ends:
        kind, name = open_ends.pop()
        if name in components.setdefault(kind, {}):
            continue
        found = {} if cut and re.fullmatch(cut, name) else lean(document["components"][kind][name])
        components[kind][name] = found
        open_ends |= references(found)
    components["securitySchemes"] = lean(document["components"].get("securitySchemes", {}))
    return kept, {kind: dict(sorted(names.items())) for kind, names in sorted(components.items())}


def main():
    service, source = sys.argv[1:]
    paths, cut, licence = SERVICES[service]
    document = json.loads(Path(source).read_text())
    kept, components = extract(document, paths, cut)
    made = {"openapi": document["openapi"],
            "info": {"title": f"{service}: made by tests/schema/extract.py", "version": document["info"]["version"], "license": {"name": licence}},
            "servers": document["servers"], **({"security": document["security"]} if "security" in document else {}),
            "paths": kept, "components": components}
    Path(__file__).with_name(f"{service}.json").write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
