"""What the services hold: stores, secrets, client keys, in SQLite, in memory or in a file."""

import json
import secrets as random
import sqlite3
from contextlib import contextmanager

SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value BLOB);
CREATE TABLE IF NOT EXISTS stores (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    service TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL,
    created REAL NOT NULL, modified REAL NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS store_ids ON stores (service, id);
CREATE INDEX IF NOT EXISTS store_names ON stores (service, name);
CREATE TABLE IF NOT EXISTS secrets (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    store INTEGER NOT NULL REFERENCES stores (number),
    name TEXT NOT NULL, id TEXT, value BLOB, digest BLOB,
    created REAL NOT NULL, modified REAL NOT NULL,
    comment TEXT, scopes TEXT, expires_at INTEGER, deleted_at REAL);
CREATE UNIQUE INDEX IF NOT EXISTS secret_names ON secrets (store, name) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX IF NOT EXISTS secret_ids ON secrets (id) WHERE id IS NOT NULL;
CREATE INDEX IF NOT EXISTS secret_expiries ON secrets (expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS client_keys (
    public BLOB PRIMARY KEY, private BLOB NOT NULL, expires_at REAL NOT NULL, uses INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS replays (
    namespace TEXT, key TEXT, fingerprint BLOB, status INTEGER, body BLOB, PRIMARY KEY (namespace, key));
"""


class State:
    """One connection, used from one thread. Every change is one transaction."""

    def __init__(self, path=None):
        self.db = sqlite3.connect(path or ":memory:", isolation_level=None)
        self.db.row_factory = sqlite3.Row
        if path:
            # The file must outlive this process, not a power failure.
            self.db.execute("PRAGMA journal_mode=WAL")
            self.db.execute("PRAGMA synchronous=OFF")
        self.db.executescript(SCHEMA)
        self.generation = 0

    @contextmanager
    def change(self):
        """All or nothing; a service that keeps an order of secrets in memory sees by the generation that it is out of date."""
        self.generation += 1
        self.db.execute("BEGIN")
        try:
            yield self.db
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def one(self, query, *values):
        return self.db.execute(query, values).fetchone()

    def all(self, query, *values):
        return self.db.execute(query, values).fetchall()

    def setting(self, name, first):
        """A value that is made once and then stays."""
        row = self.one("SELECT value FROM settings WHERE name = ?", name)
        if row:
            return row["value"]
        with self.change() as db:
            db.execute("INSERT INTO settings VALUES (?, ?)", (name, first))
        return first

    # Stores

    def store(self, service, store_id):
        return self.one("SELECT * FROM stores WHERE service = ? AND id = ?", service, store_id)

    def store_named(self, service, name):
        return self.one("SELECT * FROM stores WHERE service = ? AND name = ? ORDER BY number", service, name)

    def store_count(self, service):
        return self.one("SELECT count(*) FROM stores WHERE service = ?", service)[0]

    def add_store(self, service, store_id, name, now):
        with self.change() as db:
            db.execute("INSERT INTO stores (service, id, name, created, modified) VALUES (?, ?, ?, ?, ?)",
                       (service, store_id, name, now, now))
        return self.store(service, store_id)

    def delete_store(self, store):
        with self.change() as db:
            db.execute("DELETE FROM secrets WHERE store = ?", (store["number"],))
            db.execute("DELETE FROM stores WHERE number = ?", (store["number"],))

    # Secrets

    def secret(self, store, name):
        return self.one("SELECT * FROM secrets WHERE store = ? AND name = ? AND deleted_at IS NULL",
                        store["number"], name)

    def secret_by_id(self, store, secret_id):
        return self.one("SELECT * FROM secrets WHERE id = ? AND store = ? AND deleted_at IS NULL",
                        secret_id, store["number"])

    def secret_count(self, store):
        return self.one("SELECT count(*) FROM secrets WHERE store = ? AND deleted_at IS NULL", store["number"])[0]

    def secret_total(self, service):
        return self.one("SELECT count(*) FROM secrets WHERE deleted_at IS NULL AND store IN"
                        " (SELECT number FROM stores WHERE service = ?)", service)[0]

    def add_secret(self, store, name, value, now, **columns):
        """Within `change()`: the callers add several at once, or replace one."""
        columns = {"store": store["number"], "name": name, "value": value, "created": now, "modified": now,
                   "digest": random.token_bytes(32), **columns}
        names = ", ".join(columns)
        marks = ", ".join("?" * len(columns))
        self.db.execute(f"INSERT INTO secrets ({names}) VALUES ({marks})", tuple(columns.values()))
        return self.secret(store, name)

    def update_secret(self, number, **columns):
        changes = ", ".join(f"{name} = ?" for name in columns)
        self.db.execute(f"UPDATE secrets SET {changes} WHERE number = ?", (*columns.values(), number))

    def delete_secret(self, secret, linger_at=None):
        """With `linger_at`, a row remains that only listings of deleted secrets look at."""
        with self.change() as db:
            if linger_at is None:
                db.execute("DELETE FROM secrets WHERE number = ?", (secret["number"],))
            else:
                self.update_secret(secret["number"], deleted_at=linger_at, value=None)

    def forget_everything(self):
        """The signing key and the like stay: responses about them stay true."""
        with self.change() as db:
            for table in ("secrets", "stores", "client_keys", "replays"):
                db.execute(f"DELETE FROM {table}")


def scopes_of(secret):
    return json.loads(secret["scopes"]) if secret["scopes"] else []
