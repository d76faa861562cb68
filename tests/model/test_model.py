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
PLAYS = [(service, number) for service in SERVICES for number in range(4 if service == "fastly" else 2)]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("service, number", PLAYS)
def test_every_step_comes_out_as_the_reference_says(service, number, tmp_path, record_property):
    seed = int(SEED) + number if SEED else random.SystemRandom().randrange(10**9)
    record_property("seed", seed)
    assert play(STEPS, seed, tmp_path, SERVICES[service]).count == STEPS
