"""Enters a mount namespace and a network of its own."""

from daemon import enter_own_mounts
from network import enter_own_network


def pytest_configure(config):
    enter_own_mounts()
    enter_own_network()
