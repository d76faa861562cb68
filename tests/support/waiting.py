"""How long tests wait for what has to come, and the loop for what no event announces."""

import time

# Seconds. Nothing takes nearly as long; it is what a loaded machine may need.
TIMEOUT = 60
# For the end of a program that itself may wait for TIMEOUT.
PROGRAM_TIMEOUT = TIMEOUT + 30


def wait_until(condition, failure="", timeout=TIMEOUT, pause=0.02):
    """
    Calls `condition` until it returns something true, and returns that. Fails after `timeout` seconds with `failure`, a text or a function that returns one.
    For conditions that no event announces; `pause` is the time between two calls.
    """
    deadline = time.monotonic() + timeout
    while not (result := condition()):
        if time.monotonic() >= deadline:
            raise AssertionError((failure() if callable(failure) else failure) or f"{condition} was not true within {timeout} s")
        time.sleep(pause)
    return result
