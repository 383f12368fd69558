"""Errors of predictions several steps ahead, against loops over sequences, times and horizons."""

import itertools
import math

import pytest
import torch
from beartype import beartype
from jaxtyping import TypeCheckError, jaxtyped
from torch import Tensor

from agents.losses.byol_explore import (
    prediction_errors,
    prioritized,
    reachable,
    sequence_loss,
    step_bonuses,
)

T, B, D = 9, 4, 5


def some_ends(seed: int = 0) -> Tensor:
    """Ends [T, B]: none in sequence 0, one at the last step of sequence 1."""
    ended = torch.rand(T, B, generator=torch.Generator().manual_seed(seed)) < 0.3
    ended[:, 0] = False
    ended[-1, 1] = True
    return ended


def slow_pairs(ended: Tensor, horizon: int) -> set[tuple[int, int, int]]:
    """All (t, k, b) whose step t+k-1 lies in the episode, and in the rollout, of step t."""
    pairs = set()
    for b, t in itertools.product(range(ended.shape[1]), range(len(ended))):
        for k in range(1, horizon + 1):
            step = t + k - 1
            if step >= len(ended) or any(ended[earlier, b] for earlier in range(t, step)):
                break
            pairs.add((t, k, b))
    return pairs


def poisoned(errors: Tensor, valid: Tensor) -> Tensor:
    """The same errors with nonsense where they do not count."""
    return torch.where(valid, errors, math.nan)


def test_the_error_is_the_squared_distance_of_the_two_directions() -> None:
    predicted, target = torch.randn(2, T, B, D)
    errors = prediction_errors(predicted, target)
    for t, b in itertools.product(range(T), range(B)):
        p, y = predicted[t, b].double(), target[t, b].double()
        cosine = (p @ y / (p.norm() * y.norm())).item()
        assert errors[t, b].item() == pytest.approx(2 - 2 * cosine, abs=1e-5)


def test_lengths_have_no_influence_and_half_precision_is_widened() -> None:
    predicted, target = torch.randn(2, B, D)
    errors = prediction_errors(predicted, target)
    torch.testing.assert_close(prediction_errors(7 * predicted, target / 9), errors)
    assert prediction_errors(predicted.bfloat16(), target).dtype == torch.float32


def test_features_of_zeros_give_a_finite_error_and_gradient() -> None:
    predicted = torch.zeros(B, D, requires_grad=True)
    errors = prediction_errors(predicted, torch.zeros(B, D))
    errors.sum().backward()
    assert predicted.grad is not None
    assert predicted.grad.isfinite().all()


def test_the_prediction_gets_a_gradient_and_the_target_none() -> None:
    predicted, target = torch.randn(B, D, requires_grad=True), torch.randn(B, D, requires_grad=True)
    prediction_errors(predicted, target).sum().backward()
    assert predicted.grad is not None
    assert target.grad is None


@pytest.mark.parametrize("horizon", [1, 2, 4, T, T + 3])
def test_a_pair_is_reachable_if_no_episode_ends_before_its_step(horizon: int) -> None:
    ended = some_ends()
    valid = reachable(ended, horizon)
    assert valid.shape == (min(horizon, T), T, B)
    found = {(t, k + 1, b) for k, t, b in valid.nonzero().tolist()}
    assert found == slow_pairs(ended, horizon)


def test_a_horizon_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one step ahead, not 0"):
        reachable(some_ends(), 0)


@pytest.mark.parametrize("horizon", [1, 3, T])
def test_the_loss_is_the_mean_over_times_of_the_mean_over_horizons(horizon: int) -> None:
    ended = some_ends()
    valid = reachable(ended, horizon)
    errors = torch.rand(valid.shape)
    means = []
    for t, b in itertools.product(range(T), range(B)):
        own = [
            errors[k - 1, t, b].item()
            for (u, k, c) in slow_pairs(ended, horizon)
            if (u, c) == (t, b)
        ]
        means.append(sum(own) / len(own))
    loss = sequence_loss(poisoned(errors, valid), valid)
    assert loss.item() == pytest.approx(sum(means) / len(means), rel=1e-5)


def test_the_mean_of_the_losses_of_parts_is_the_loss_of_the_whole() -> None:
    """Parts differ in how many pairs they have; DistributedDataParallel takes the plain mean."""
    valid = reachable(some_ends(), 3)
    errors = torch.rand(valid.shape, requires_grad=True)
    whole = sequence_loss(errors, valid)
    parts = [sequence_loss(errors[..., part], valid[..., part]) for part in (slice(2), slice(2, 4))]
    torch.testing.assert_close(torch.stack(parts).mean(), whole)
    (one,) = torch.autograd.grad(torch.stack(parts).mean(), errors)
    (other,) = torch.autograd.grad(whole, errors)
    torch.testing.assert_close(one, other)
    assert not other[~valid].any()


@pytest.mark.parametrize("horizon", [1, 3, T])
def test_a_bonus_is_the_mean_error_of_all_predictions_of_its_step_times_k(horizon: int) -> None:
    ended = some_ends()
    valid = reachable(ended, horizon)
    errors = torch.rand(valid.shape)
    bonuses = step_bonuses(poisoned(errors, valid), valid)
    for s, b in itertools.product(range(T), range(B)):
        own = [
            errors[k - 1, t, b].item()
            for (t, k, c) in slow_pairs(ended, horizon)
            if (t + k - 1, c) == (s, b)
        ]
        assert bonuses[s, b].item() == pytest.approx(horizon * sum(own) / len(own), rel=1e-5)


def test_where_all_predictions_exist_the_bonus_is_the_papers_sum() -> None:
    K = 3
    valid = reachable(some_ends(), K)
    errors = torch.rand(valid.shape)
    bonuses = step_bonuses(errors, valid)
    for s in range(K - 1, T):
        total = sum(errors[s - t, t, 0].item() for t in range(s - K + 1, s + 1))
        assert bonuses[s, 0].item() == pytest.approx(total, rel=1e-5)


def test_what_is_no_more_than_the_mean_becomes_zero_and_the_rest_the_excess() -> None:
    rewards = torch.tensor([[0.5, 1.5], [2.0, 3.25]])
    kept = prioritized(rewards, torch.tensor(1.5, dtype=torch.float64))
    assert kept.tolist() == [[0.0, 0.0], [0.5, 1.75]]
    assert kept.dtype == torch.float32


def test_a_target_of_another_width_is_refused() -> None:
    with pytest.raises(TypeCheckError):
        jaxtyped(typechecker=beartype)(prediction_errors)(torch.zeros(B, D), torch.zeros(B, 1))
