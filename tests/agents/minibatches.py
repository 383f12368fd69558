"""Minibatches that a small policy on vectors, without a bonus, learns from."""

import torch

from agents.ppo.learner import Minibatch
from tests.agents.small import VECTOR

SIZE = 8


def some_minibatches(number: int, device: torch.device | None = None) -> list[Minibatch]:
    """Return `number` different minibatches, the same at each call."""
    generator = torch.Generator().manual_seed(1)
    batches = []
    for _ in range(number):
        observations = torch.randn(SIZE, *VECTOR, generator=generator).to(device)
        actions = torch.zeros(SIZE, dtype=torch.int64, device=device)
        drawn = torch.randn(5, SIZE, generator=generator).to(device)
        log_probs, advantages, values, returns, bonuses = drawn
        figures = (log_probs, advantages, values, returns, bonuses)
        batches.append(Minibatch(observations, actions, *figures, None, None))
    return batches
