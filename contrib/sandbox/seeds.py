"""Puts stores and secrets in without the services' rules, one by one or a million at once."""

import base64
import json


class Seeds:
    """No rule of a service is asked here, so that what it would refuse can be there all the same."""

    def __init__(self, services, state, clock):
        self.services = {service.name: service for service in services}
        self.state = state
        self.clock = clock

    def store(self, params):
        return self.services[params["service"]].find_store(params)

    def _store_for_certain(self, params):
        return self.store(params) or self.services[params["service"]].make_store(params)

    def put(self, params):
        """Creates or replaces one secret, as another client would; the store too, if it is missing."""
        store = self._store_for_certain(params)
        value = base64.b64decode(params["value_base64"], validate=True)
        old = self.state.secret(store, params["name"])
        with self.state.change() as db:
            columns = self._columns(params, old)
            if old is not None:
                db.execute("DELETE FROM secrets WHERE number = ?", (old["number"],))
            secret = self.state.add_secret(store, params["name"], value, self.clock.now(), **columns)
        return {"store": store["id"], "id": secret["id"]}

    def _columns(self, params, old):
        service = self.services[params["service"]]
        columns = {name: params[name] for name in ("created", "modified", "comment", "expires_at", "id")
                   if name in params}
        columns.setdefault("id", old["id"] if old is not None else
                           self.state.one(f"SELECT {service.secret_id_sql}")[0])
        if "modified" not in columns and "created" in columns:
            columns["modified"] = columns["created"]
        if "scopes" in params or service.name == "cloudflare":
            columns["scopes"] = json.dumps(sorted(params.get("scopes", ["workers"])))
        return columns

    def delete(self, params):
        """Deletes one secret, or without a name the store with all that is in it."""
        store = self.store(params)
        if store is None:
            return False
        if "name" not in params:
            self.state.delete_store(store)
            return True
        secret = self.state.secret(store, params["name"])
        if secret is not None:
            self.state.delete_secret(secret)
        return secret is not None

    def seed(self, params):
        """`count` secrets called PREFIX0000000 on, or `stores` stores called PREFIX0000 on."""
        if "stores" in params:
            return self._seed_stores(params)
        store = self._store_for_certain(params)
        service = self.services[params["service"]]
        scopes = json.dumps(["workers"]) if service.name == "cloudflare" else None
        created = params.get("created", self.clock.now())
        # One statement: a loop in Python would take a minute for a million.
        with self.state.change() as db:
            db.execute(
                "WITH RECURSIVE numbers (n) AS (SELECT :first UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :end)"
                " INSERT INTO secrets (store, name, id, value, digest, created, modified, scopes)"
                f" SELECT :store, printf('%s%07d', :prefix, n), {service.secret_id_sql}, CAST(n AS BLOB),"
                " randomblob(32), :created, :created, :scopes FROM numbers WHERE n < :end ON CONFLICT DO NOTHING",
                {"store": store["number"], "prefix": params.get("prefix", "SECRET_"), "created": created,
                 "first": params.get("first", 0), "end": params.get("first", 0) + params["count"], "scopes": scopes})
        return {"store": store["id"], "secrets": self.state.secret_count(store)}

    def _seed_stores(self, params):
        service, prefix = self.services[params["service"]], params.get("prefix", "store")
        ids = [service.make_store({**params, "store": f"{prefix}{number:04d}"})["id"]
               for number in range(params["stores"])]
        return {"stores": ids}
