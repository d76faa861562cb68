"""
What a few processes do with a few names, in random order, comes out as the reference says. A failure prints its seed and the steps before it; the same
seed plays the same steps again, by play.py or with MODEL_SEED.
"""

import os
import random

import pytest

from play import play

STEPS = int(os.environ.get("MODEL_STEPS", 5000))
PLAYS = 4
SEED = os.environ.get("MODEL_SEED")


@pytest.mark.parametrize("number", range(PLAYS))
def test_every_step_comes_out_as_the_reference_says(number, tmp_path, record_property):
    seed = int(SEED) + number if SEED else random.SystemRandom().randrange(10**9)
    record_property("seed", seed)
    assert play(STEPS, seed, tmp_path).count == STEPS
