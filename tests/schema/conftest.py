"""The fixtures of all tests that mount."""

from fixtures import *  # noqa: F401, F403
