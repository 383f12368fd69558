"""PPO's losses and figures against plain loops, and the places where a gradient must vanish."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from beartype import beartype
from jaxtyping import TypeCheckError, jaxtyped
from torch import Tensor

from agents.losses.moments import moments_of
from agents.losses.ppo import (
    approximate_kl,
    clip_fraction,
    clipped_surrogate_loss,
    clipped_value_loss,
    explained_variance,
    value_loss,
)

B = 257
CLIP = 0.1


def random_batch(seed: int, count: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, B, dtype=torch.float64, generator=generator).unbind()


def log_probs(seed: int) -> tuple[Tensor, Tensor]:
    """Old log-probabilities, and new ones of which about half lie outside of the clip range."""
    old, change = random_batch(seed, 2)
    old = -old.abs() - 0.1
    return old + 0.15 * change, old


def test_the_surrogate_equals_equation_7_sample_by_sample() -> None:
    log_prob, old_log_prob = log_probs(0)
    (advantages,) = random_batch(1, 1)
    total = 0.0
    for new, old, advantage in zip(log_prob, old_log_prob, advantages, strict=True):
        ratio = math.exp(new) / math.exp(old)
        clipped = min(max(ratio, 1 - CLIP), 1 + CLIP)
        total -= min(ratio * float(advantage), clipped * float(advantage))
    loss = clipped_surrogate_loss(log_prob, old_log_prob, advantages, CLIP)
    assert loss.item() == pytest.approx(total / B)


def test_the_surrogate_has_no_gradient_where_the_clip_holds_the_policy_back() -> None:
    log_prob, old_log_prob = log_probs(2)
    (advantages,) = random_batch(3, 1)
    log_prob.requires_grad_()
    loss = clipped_surrogate_loss(log_prob, old_log_prob, advantages, CLIP)
    (gradient,) = torch.autograd.grad(loss, log_prob)
    ratio = torch.exp(log_prob - old_log_prob).detach()
    held = ((ratio > 1 + CLIP) & (advantages > 0)) | ((ratio < 1 - CLIP) & (advantages < 0))
    assert 0 < held.sum() < B
    assert (gradient[held] == 0).all()
    torch.testing.assert_close(gradient[~held], (-ratio * advantages / B)[~held])


def test_an_unchanged_policy_has_the_plain_policy_gradient() -> None:
    _, old_log_prob = log_probs(4)
    (advantages,) = random_batch(5, 1)
    log_prob = old_log_prob.clone().requires_grad_()
    loss = clipped_surrogate_loss(log_prob, old_log_prob, advantages, CLIP)
    (gradient,) = torch.autograd.grad(loss, log_prob)
    torch.testing.assert_close(loss.detach(), -advantages.mean())
    torch.testing.assert_close(gradient, -advantages / B)


def test_losses_of_two_equal_shares_average_to_that_of_the_whole_in_value_and_gradient() -> None:
    log_prob, old_log_prob = (part[:256] for part in log_probs(6))
    advantages, value, target = (part[:256] for part in random_batch(7, 3))
    leaves = [log_prob.requires_grad_(), value.requires_grad_()]

    def loss_of(rows: slice) -> Tensor:
        surrogate = clipped_surrogate_loss(
            log_prob[rows], old_log_prob[rows], advantages[rows], CLIP
        )
        return surrogate + value_loss(value[rows], target[rows])

    whole = loss_of(slice(None))
    shares = (loss_of(slice(0, 128)) + loss_of(slice(128, 256))) / 2
    torch.testing.assert_close(shares, whole)
    for one, other in zip(
        torch.autograd.grad(shares, leaves), torch.autograd.grad(whole, leaves), strict=True
    ):
        torch.testing.assert_close(one, other)


def test_the_value_loss_is_the_mean_square_without_a_half() -> None:
    value, target = random_batch(8, 2)
    expected = np.mean((value.numpy() - target.numpy()) ** 2)
    assert value_loss(value, target).item() == pytest.approx(expected)


def test_the_clipped_value_loss_takes_the_worse_of_both_errors() -> None:
    value, old_value, target = random_batch(9, 3)
    total = 0.0
    for new, old, goal in zip(value.tolist(), old_value.tolist(), target.tolist(), strict=True):
        clipped = old + min(max(new - old, -CLIP), CLIP)
        total += max((new - goal) ** 2, (clipped - goal) ** 2)
    assert clipped_value_loss(value, old_value, target, CLIP).item() == pytest.approx(total / B)


def test_a_value_that_moved_past_the_clip_towards_its_target_gets_no_gradient() -> None:
    value = torch.tensor([1.0, -1.0], requires_grad=True)
    target = torch.tensor([2.0, 2.0])
    loss = clipped_value_loss(value, torch.zeros(2), target, CLIP)
    (gradient,) = torch.autograd.grad(loss, value)
    torch.testing.assert_close(gradient, torch.tensor([0.0, -3.0]))


def test_the_kl_estimate_is_never_negative_and_unbiased() -> None:
    old = torch.log_softmax(torch.tensor([0.3, -0.5, 1.2], dtype=torch.float64), dim=0)
    new = torch.log_softmax(torch.tensor([0.1, 0.2, 0.9], dtype=torch.float64), dim=0)
    each = torch.stack([approximate_kl(new[i : i + 1], old[i : i + 1]) for i in range(3)])
    assert (each >= 0).all()
    exact = (old.exp() * (old - new)).sum()
    torch.testing.assert_close((old.exp() * each).sum(), exact)
    assert approximate_kl(old, old) == 0.0


def test_the_clip_fraction_counts_ratios_outside_of_the_range() -> None:
    log_prob, old_log_prob = log_probs(10)
    outside = sum(
        abs(math.exp(new - old) - 1) > CLIP for new, old in zip(log_prob, old_log_prob, strict=True)
    )
    fraction = clip_fraction(log_prob, old_log_prob, CLIP)
    assert 0 < outside < B
    assert fraction.item() == pytest.approx(outside / B)


def explained(values: Tensor, targets: Tensor) -> float:
    return explained_variance(moments_of(targets - values), moments_of(targets)).item()


def test_explained_variance_is_one_for_the_targets_and_zero_for_a_constant() -> None:
    values, targets = random_batch(11, 2)
    expected = 1 - np.var(targets.numpy() - values.numpy()) / np.var(targets.numpy())
    assert explained(values, targets) == pytest.approx(expected)
    assert explained(targets, targets) == 1.0
    assert explained(torch.full_like(targets, 3.0), targets) == pytest.approx(0.0)


@pytest.mark.parametrize("constant", [0.0, 0.1, 17.3])
def test_explained_variance_of_targets_that_do_not_vary_is_zero(constant: float) -> None:
    """Also where the deviation from their mean is rounding, and in the last place."""
    targets = torch.full((1000,), constant)
    assert explained(torch.randn(1000), targets) == 0.0
    targets[::3] = torch.nextafter(targets[0], torch.tensor(100.0))
    assert constant == 0 or explained(torch.randn(1000), targets) == 0.0


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (clipped_surrogate_loss, (torch.zeros(B), torch.zeros(B), torch.zeros(1), CLIP)),
        (value_loss, (torch.zeros(B, 1), torch.zeros(B))),
        (clipped_value_loss, (torch.zeros(B), torch.zeros(1), torch.zeros(B), CLIP)),
        (approximate_kl, (torch.zeros(B), torch.zeros(B, 1))),
        (clip_fraction, (torch.zeros(B), torch.zeros(1), CLIP)),
    ],
)
def test_shapes_that_would_broadcast_are_refused(
    function: Callable[..., Tensor], arguments: tuple[Tensor | float, ...]
) -> None:
    with pytest.raises(TypeCheckError):
        jaxtyped(typechecker=beartype)(function)(*arguments)
