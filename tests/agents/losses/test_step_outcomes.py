"""Errors of a predicted reward and of a predicted end."""

import math

import pytest
import torch
from beartype import beartype
from jaxtyping import TypeCheckError, jaxtyped

from agents.losses.step_outcomes import ending_error, reward_error

B, T = 3, 4


def test_the_error_of_an_end_is_the_books_cross_entropy() -> None:
    logits, ended = torch.randn(B, T), torch.rand(B, T) < 0.5
    found = ending_error(logits, ended)
    for b in range(B):
        for t in range(T):
            p = 1.0 / (1.0 + math.exp(-float(logits[b, t])))
            expected = -math.log(p if ended[b, t] else 1.0 - p)
            assert found[b, t].item() == pytest.approx(expected, rel=1e-4)


def test_ends_that_are_sure_and_wrong_cost_what_they_should() -> None:
    found = ending_error(torch.tensor([500.0, -500.0]), torch.tensor([False, True]))
    torch.testing.assert_close(found, torch.tensor([500.0, 500.0]))


def test_the_mean_reward_has_an_error_of_one_in_any_unit() -> None:
    rewards = torch.randn(1000)
    for unit in (1.0, 1e3):
        scaled = unit * rewards
        mean = scaled.mean().expand(1000)
        error = reward_error(mean, scaled, scaled.std(correction=0)).mean()
        assert error.item() == pytest.approx(1.0, rel=1e-4)


def test_shapes_that_would_broadcast_are_refused() -> None:
    with pytest.raises(TypeCheckError):
        jaxtyped(typechecker=beartype)(ending_error)(torch.zeros(B, T), torch.ones(B, 1).bool())
