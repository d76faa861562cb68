"""
What a few processes do with a few names, in random order, comes out as the reference says. A failure prints its seed and the steps before it; the same
seed plays the same steps again, by play.py or with MODEL_SEED.
"""

import os
import random

import pytest

from exchange import SERVICES
from play import play

STEPS = int(os.environ.get("MODEL_STEPS", 5000))
SEED = os.environ.get("MODEL_SEED")
# service, commit=, how many
SEASON = (("fastly", "close", 4), ("fastly", "fsync", 1), ("fastly", "write", 1), ("cloudflare", "close", 2), ("stripe", "close", 2))
PLAYS = [(service, commit, number) for service, commit, count in SEASON for number in range(count)]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("service, commit, number", PLAYS)
def test_every_step_comes_out_as_the_reference_says(service, commit, number, tmp_path, record_property):
    seed = int(SEED) + number if SEED else random.SystemRandom().randrange(10**9)
    record_property("seed", seed)
    assert play(STEPS, seed, tmp_path, SERVICES[service], commit).count == STEPS
