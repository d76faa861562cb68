"""What each operation costs in calls of the service's API, counted by the sandbox."""

import os
import subprocess

from report import Group, Table
from stage import HERE, run

MANY = 1001


def write(path, value=b"val\n"):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        os.write(descriptor, value)
    finally:
        os.close(descriptor)


def attributes_of_all(store):
    for path in store.iterdir():
        path.stat()
        os.getxattr(path, "user.digest")


def by_rename(store):
    """Renames a temporary file, as rsync and editors do."""
    temporary = store / ".NAME.tmp"
    os.close(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL))
    temporary.write_bytes(b"val")
    temporary.rename(store / "NAME")


# In this order, on one mount each: what an operation costs depends on what is known by then.
READING = (
    ("`stat` of one name, nothing known yet", lambda store: (store / "SECRET_0000500").stat()),
    ("`stat` and `getfattr` of it again", lambda store: os.getxattr(store / "SECRET_0000500", "user.digest")),
    (f"`ls` of {MANY} secrets", lambda store: os.listdir(store)),
    ("`ls -l` and `getfattr -d` of all of them, afterwards", attributes_of_all),
    ("`stat` of a name that is not there", lambda store: (store / "ABSENT").exists()),
)

FIRST = (("`echo val > NEW`, nothing known yet", lambda store: write(store / "NEW")),)

WRITING = (
    ("`ls` of 3 secrets", lambda store: os.listdir(store)),
    ("`echo val > NEW`, the first one after that", lambda store: write(store / "NEW")),
    ("`echo val > NEW2`", lambda store: write(store / "NEW2")),
    ("`echo val > NEW` again", lambda store: write(store / "NEW")),
    ("`cp -p FILE COPY`", lambda store: run("cp", "-p", HERE / "run.sh", store / "COPY")),
    ("`touch NEW`", lambda store: (store / "NEW").touch()),
    ("a temporary name, then `mv` onto NAME", by_rename),
    ("`rm NEW`", lambda store: (store / "NEW").unlink()),
)

STORES = (
    ("`mkdir STORE`", lambda store: (store.parent / "other").mkdir()),
    ("`rmdir STORE`", lambda store: (store.parent / "other").rmdir()),
    ("`df -i`", lambda store: run("df", "-i", store, stdout=subprocess.DEVNULL)),
)


def services(stage):
    """Returns (name, source, the store)."""
    return (("Fastly", "fastly:", "store"), ("Cloudflare", f"cloudflare:{stage.sandbox.account}", "store"),
            ("Stripe", "stripe:", "account"))


def counted(stage, action, store):
    stage.sandbox.clear()
    action(store)
    return len(stage.sandbox.calls())


def of_mount(stage, source, store, secrets, operations):
    """Returns {operation: calls}."""
    service = source.partition(":")[0]
    stage.sandbox.reset()
    if service == "cloudflare":
        stage.sandbox.variant(cloudflare__quota_stores=2, cloudflare__quota_secrets=secrets + 10)
    stage.sandbox.seed(store, secrets, service=service)
    stage.sandbox.clear()
    with stage.mount("ttl=600", source=source) as mount:
        found = {"mounting": len(stage.sandbox.calls())}
        directory = mount / store
        directory.stat()
        return found | {what: counted(stage, action, directory) for what, action in operations}


def of_service(stage, source, store):
    found = of_mount(stage, source, store, MANY, READING)
    found |= of_mount(stage, source, store, 3, FIRST)
    return found | of_mount(stage, source, store, 3, WRITING + (() if source.startswith("stripe:") else STORES))


def measure(stage, effort, say):
    table = Table("Calls of the API for each operation", [""])
    columns = []
    for name, source, store in services(stage):
        say(name)
        table.header.append(name)
        columns.append(of_service(stage, source, store))
    for what in columns[0]:
        table.rows.append([what, *(column.get(what, "–") for column in columns)])
    table.notes = ["In this order, with what is known by then. The kernel asks for a name before it creates it. Fastly's mount fetches "
                   "the client key, which serves all writes, since the sandbox's signing key is given by hand; else the first write does. Cloudflare finds a name through its listing. Stripe has no stores."]
    return Group("API calls", [table])
