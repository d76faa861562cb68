"""Nothing but a place of its own: soak.py makes what it needs."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent)]

import soak  # noqa: E402, F401 it knows where everything is


def pytest_configure(config):
    from mounting import enter_own_mounts
    from network import enter_own_network

    enter_own_mounts()
    enter_own_network()
