"""DRND's two bonuses and their sum."""

import math

import pytest
import torch
from beartype import beartype
from jaxtyping import TypeCheckError, jaxtyped
from torch import Tensor

from agents.losses.drnd import distance_to_mean, distributional_bonus, inverse_root_count

M, B, D = 4, 6, 5


def some_outputs() -> tuple[Tensor, Tensor]:
    """A predictor's and all targets' features; ratios lie within, below and above the limits."""
    targets = torch.randn(M, B, D, dtype=torch.float64)
    spread = torch.tensor([1e-3, 0.1, 0.3, 1.0, 3.0], dtype=torch.float64)
    return targets.mean(dim=0) + spread * torch.randn(B, D, dtype=torch.float64), targets


def slow_moments(values: list[float]) -> tuple[float, float]:
    """Mean and second moment of the targets at one input and feature."""
    return sum(values) / len(values), sum(value**2 for value in values) / len(values)


def slow_bonuses(
    predicted: Tensor, targets: Tensor
) -> tuple[list[float], list[float], list[float]]:
    """Both bonuses of every input, and all ratios before they are clipped."""
    first, second, ratios = [], [], []
    for b in range(predicted.shape[0]):
        distance, roots = 0.0, []
        for d in range(predicted.shape[1]):
            mean, second_moment = slow_moments(targets[:, b, d].tolist())
            f = float(predicted[b, d])
            distance += (f - mean) ** 2
            ratios.append(abs(f**2 - mean**2) / (second_moment - mean**2))
            roots.append(math.sqrt(min(max(ratios[-1], 1e-3), 1.0)))
        first.append(distance)
        second.append(sum(roots) / len(roots))
    return first, second, ratios


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.9, 1.0])
def test_the_bonus_is_the_weighted_sum_of_the_formulas_written_out(alpha: float) -> None:
    predicted, targets = some_outputs()
    first, second, ratios = slow_bonuses(predicted, targets)
    assert min(ratios) < 1e-3
    assert max(ratios) > 1.0
    expected = [alpha * one + (1 - alpha) * other for one, other in zip(first, second, strict=True)]
    assert distributional_bonus(predicted, targets, alpha).tolist() == pytest.approx(expected)


def test_a_predictor_at_the_mean_keeps_the_least_bonus() -> None:
    _, targets = some_outputs()
    bonus = distributional_bonus(targets.mean(dim=0), targets, 0.9)
    assert bonus.tolist() == pytest.approx([0.1 * math.sqrt(1e-3)] * B)


def test_the_second_bonus_falls_with_the_visits() -> None:
    """Where the predictor is the mean of n draws, the best fit to them."""
    targets = torch.randn(M, 1, 2000, dtype=torch.float64) + 0.3
    mean, variance = targets.mean(dim=0), targets.var(dim=0, correction=0)
    bonuses = []
    for visits in (1, 4, 16, 64):
        draws = torch.randint(M, (visits, 1, 2000))
        predicted = targets.gather(0, draws).mean(dim=0)
        bonuses.append(inverse_root_count(predicted, mean, variance).item())
    assert bonuses == sorted(bonuses, reverse=True)
    assert bonuses[-1] < 0.5 * bonuses[0]


def test_targets_that_agree_give_a_finite_bonus() -> None:
    targets = torch.randn(1, B, D).expand(M, B, D)
    off = torch.full((B, D), 0.5)
    mean, nothing = targets[0], torch.zeros(B, D)
    assert inverse_root_count(mean, mean, nothing).tolist() == pytest.approx([math.sqrt(1e-3)] * B)
    assert inverse_root_count(mean + off, mean, nothing).tolist() == pytest.approx([1.0] * B)
    assert distributional_bonus(mean, targets, 0.9).isfinite().all()


def test_targets_far_from_zero_lose_no_precision() -> None:
    """B₂ - μ² by subtraction would be all rounding in float32, and negative at times."""
    spread = torch.randn(M, B, D)
    near = distributional_bonus(torch.zeros(B, D), spread, 1.0)
    far = distributional_bonus(torch.full((B, D), 1e4), spread + 1e4, 1.0)
    torch.testing.assert_close(far, near, rtol=0.02, atol=0.02)
    assert (inverse_root_count(spread[0] + 1e4, spread.mean(0) + 1e4, spread.var(0)) <= 1.0).all()


def test_neither_the_order_of_targets_nor_that_of_features_matters() -> None:
    predicted, targets = some_outputs()
    features = torch.randperm(D)
    shuffled = distributional_bonus(
        predicted[:, features], targets[torch.randperm(M)][..., features], 0.9
    )
    torch.testing.assert_close(shuffled, distributional_bonus(predicted, targets, 0.9))


def test_the_first_bonus_is_a_sum_over_features() -> None:
    predicted, mean = torch.randn(2, B, D)
    twice = distance_to_mean(predicted.repeat(1, 2), mean.repeat(1, 2))
    torch.testing.assert_close(twice, 2 * distance_to_mean(predicted, mean))


def test_targets_of_another_width_are_refused() -> None:
    with pytest.raises(TypeCheckError):
        jaxtyped(typechecker=beartype)(distributional_bonus)(
            torch.zeros(B, D), torch.zeros(M, B, 1), 0.9
        )
