"""The table of faults: what a row says, what was seen, and how both are shown."""

import errno
from dataclasses import dataclass

TITLES = ("fault", "the writer saw", "calls", "seconds", "the service holds")


@dataclass
class Row:
    """What goes wrong while a secret that holds `old` is written over with `val`, and what comes of it."""

    fault: str
    begin: object = None  # a sandbox fault for the writing call, or a function of the stage
    error: int = 0
    calls: tuple = (1, 1)  # writing calls that reach the service, fewest and most
    seconds: tuple = (0, 1)
    holds: bytes = b"val"
    timeout: float = 2
    way: str = "direct"  # direct, tls
    source: str = "fastly"
    state: str = None  # user.sstorefs.state afterwards; None: not looked at
    notices: bool = False  # whether the daemon has asked for something else since the fault began


def errno_name(number):
    return errno.errorcode.get(number, str(number)) if number else "success"


def shown(lines):
    """The table as text; each line a tuple as TITLES."""
    rows = [TITLES, *lines]
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(TITLES))]
    return "\n".join("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)
