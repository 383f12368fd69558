"""The visits that a checkpoint holds."""

import numpy as np
import pytest
import torch

from agents.ranks import bytes_tensor
from training.checkpoints.storage import Payload, pack
from training.figures.coverage import Coverage
from training.loop.visits import empty_coverage, visits_until
from workers.environments.base import EnvironmentSpec

CAR = EnvironmentSpec(
    "MountainCar-v0",
    (2,),
    "float32",
    discrete=True,
    num_actions=3,
    observation_low=(-1.2, -0.07),
    observation_high=(0.6, 0.07),
)
FRAMES = EnvironmentSpec("PongNoFrameskip-v4", (1, 84, 84), "uint8", discrete=True, num_actions=6)


def filled_coverage() -> Coverage:
    """Visits of states within -1 and 1, most of them near 0."""
    coverage = Coverage([-1.0, -1.0], [1.0, 1.0])
    coverage.add(np.random.default_rng(0).normal(0.0, 0.3, (500, 2)))
    return coverage


def payload_of(*counts: torch.Tensor) -> Payload:
    return {"ranks": [bytes_tensor(pack({"visits": each})) for each in counts]}


def test_the_visits_of_all_ranks_are_added() -> None:
    first, second = (torch.randint(0, 9, (40, 40)) for _ in range(2))
    coverage = visits_until(payload_of(first, second), CAR)
    assert coverage is not None
    assert (coverage.counts == (first + second).numpy()).all()
    assert coverage.low.tolist() == pytest.approx([-1.2, -0.07])


def test_frames_are_not_counted() -> None:
    assert empty_coverage(FRAMES) is None
    assert visits_until(payload_of(torch.zeros(0, dtype=torch.int64)), FRAMES) is None
