"""The table of faults: what a row says, what was seen, and how both are shown."""

import errno
import time
from dataclasses import dataclass

AT_ONCE = (0, 15)  # a loaded machine's own seconds, but not the budget, which is 30 where nothing else is said
TITLES = ("fault", "the writer saw", "calls", "seconds", "the service holds")


@dataclass
class Row:
    """What goes wrong while a secret that holds `old` is written over with `val`, and what comes of it."""

    fault: str
    begin: object = None  # a sandbox fault for the writing call, or a function of the harness
    error: int = 0
    calls: tuple = (1, 1)  # writing calls that reach the service, fewest and most
    seconds: tuple = AT_ONCE
    holds: bytes = b"val"
    timeout: float = 30
    way: str = "direct"  # direct, tls
    source: str = "fastly"
    state: str = None  # user.sstorefs.state afterwards; None: not looked at
    notices: bool = False  # whether the daemon has asked for something else since the fault began


def errno_name(number):
    return errno.errorcode.get(number, str(number)) if number else "success"


class TableRecorder:
    """Records a line of the table for a fault that is no Row: begin() when it starts, line() when it has ended."""

    def __init__(self, record_property, sandbox):
        self.record_property = record_property
        self.sandbox = sandbox
        self.began = time.monotonic()

    def begin(self):
        self.began = time.monotonic()

    def line(self, fault, errors, holds, operation="fastly.put_secret"):
        """`errors` is one errno or several; the calls are those of `operation`."""
        names = sorted({errno_name(error) for error in ([errors] if isinstance(errors, int) else errors)})
        calls = len(self.sandbox.calls(operation=operation))
        self.record_property("row", (fault, " ".join(names), calls, f"{time.monotonic() - self.began:.1f}", holds))


def shown(lines):
    """The table as text; each line a tuple as TITLES."""
    rows = [TITLES, *lines]
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(TITLES))]
    return "\n".join("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)
