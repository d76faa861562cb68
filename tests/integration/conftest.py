"""The fixtures of all tests that mount (tests/support/fixtures.py)."""

from fixtures import *  # noqa: F401, F403
