"""The services' clock, which can differ from the machine's, and their formats of a time."""

import time
from datetime import datetime, timezone
from functools import lru_cache


class Clock:
    """The clock of dates, expiries and creation times, `offset` seconds ahead of the machine's."""

    def __init__(self):
        self.offset = 0.0

    def now(self):
        return time.time() + self.offset


@lru_cache(maxsize=4096)
def to_seconds(moment):
    """2023-11-27T16:04:54Z"""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(moment)))


def to_micros(moment):
    """2023-09-21T18:56:32.624632Z"""
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def to_nanos(moment):
    """2023-11-27T16:04:54.798109645Z: nine digits, as Go's servers write them."""
    whole, nanos = divmod(round(moment * 1e9), 10**9)
    return f"{to_seconds(whole)[:-1]}.{nanos:09d}Z"
