"""Measures memory: of the process as it starts, of every cached secret, of every open value."""

import os

from report import Group, Table
from stage import STORE, private_memory, resident_memory

SECRET_MAX = 80
BARE_MAX = 10 << 20
HANDLES = 100


def of_open_values(stage, size):
    """Returns the bytes that one more open file with a value of `size` costs."""
    stage.empty()
    with stage.mount() as mount:
        files = [os.open(mount / f"{STORE}/WARM", os.O_WRONLY | os.O_CREAT)]
        os.write(files[0], bytes(size))
        before = private_memory(mount.pid)
        for number in range(HANDLES):
            files.append(os.open(mount / f"{STORE}/OPEN{number}", os.O_WRONLY | os.O_CREAT))
            os.write(files[-1], b"x" * size)
        after = private_memory(mount.pid)
        stage.sandbox.clear_faults()
        for file in files:
            os.close(file)
    return (after - before) / HANDLES


def of_secrets(stage, secrets, refreshes, say):
    """Returns (resident when mounted, private bytes a secret, the same after each refresh)."""
    stage.empty(secrets=secrets)
    with stage.mount(f"timeout=600,ttl=600", source=f"fastly:{STORE}") as mount:
        bare = resident_memory(mount.pid)
        (mount / "SECRET_0000000").stat()
        before = private_memory(mount.pid)
        each = []
        for number in range(refreshes + 1):
            say(f"{secrets} secrets, refresh {number} of {refreshes}")
            assert sum(1 for _ in os.scandir(mount.path)) == secrets
            each.append((private_memory(mount.pid) - before) / secrets)
            mount.refresh()
    return bare, each


def measure(stage, effort, say):
    bare, each = of_secrets(stage, effort.memory_secrets, effort.refreshes, say)
    say("open values")
    small, large = of_open_values(stage, 100), of_open_values(stage, 60_000)
    table = Table("Memory", ["", "bytes"], [
        ["resident, mounted and nothing known", f"{bare:,}"],
        [f"one secret of {effort.memory_secrets:,} (names of 14 bytes)", f"{each[0]:.1f}"],
        [f"the same after {effort.refreshes} refreshes", f"{each[-1]:.1f}"],
        ["one open file with a value of 100 bytes", f"{small:,.0f}"],
        ["one open file with a value of 60 000 bytes", f"{large:,.0f}"]],
        ["Private memory beyond what the process had before; the first line is all that is resident, libraries included."])
    return Group("Memory", [table], targets=[
        ("bytes a secret", f"{each[-1]:.0f}", f"<= {SECRET_MAX}", each[-1] <= SECRET_MAX),
        ("resident, bare", f"{bare / (1 << 20):.1f} MiB", f"< {BARE_MAX >> 20} MiB", bare < BARE_MAX)])
