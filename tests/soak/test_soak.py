"""A short soak; the long one is soak.py by hand."""

import os

import pytest

from soak import soak

SECONDS = float(os.environ.get("SOAK_SECONDS", 25))


@pytest.mark.timeout(SECONDS + 120)
def test_a_short_soak(tmp_path):
    """Under random faults no acknowledged value goes missing."""
    wrong = soak(tmp_path, SECONDS, int(os.environ.get("SOAK_SEED", 1)), print)
    assert wrong == []
