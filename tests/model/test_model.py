"""
What a few processes do with a few names, in random order, comes out as the reference says. A failure prints its seed and the steps before it; the same
seed repeats the same steps, by runner.py or with MODEL_SEED.
"""

import os
import random

import pytest

from service_model import SERVICES
from runner import run_sequence

SEED = os.environ.get("MODEL_SEED")
# service, option, how many sequences, of how many steps
COUNTS = (("fastly", "commit=close", 4, 5000), ("fastly", "commit=fsync", 1, 3000), ("fastly", "commit=write", 1, 3000), ("fastly", "nocreate", 1, 3000),
          ("cloudflare", "commit=close", 2, 3000), ("cloudflare", "nocreate", 1, 3000), ("stripe", "commit=close", 2, 3000), ("stripe", "nocreate", 1, 3000),
          ("github", "commit=close", 2, 3000), ("github", "commit=fsync", 1, 2000), ("github", "nocreate", 1, 3000))
SEQUENCES = [(service, option, number, steps) for service, option, count, steps in COUNTS for number in range(count)]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("service, option, number, steps", SEQUENCES)
def test_every_step_comes_out_as_the_reference_says(service, option, number, steps, tmp_path, record_property):
    seed = int(SEED) + number if SEED else random.SystemRandom().randrange(10**9)
    record_property("seed", seed)
    steps = int(os.environ.get("MODEL_STEPS", steps))
    assert run_sequence(steps, seed, tmp_path, SERVICES[service], option).count == steps
