"""The divergence of a Gaussian, its tolerance, and samples through which gradients flow."""

import numpy as np
import pytest
import torch
from beartype import beartype
from jaxtyping import TypeCheckError, jaxtyped

from agents.losses.vae import gaussian_divergence, reparameterized, tolerated

B, D = 5, 4


def test_the_divergence_is_the_sum_of_the_paper() -> None:
    mean, log_variance = torch.randn(2, B, D)
    expected = [
        -0.5
        * sum(
            1 + v - m * m - np.exp(v)
            for m, v in zip(mean[b].double().numpy(), log_variance[b].double().numpy(), strict=True)
        )
        for b in range(B)
    ]
    np.testing.assert_allclose(gaussian_divergence(mean, log_variance), expected, rtol=1e-5)


def test_the_divergence_is_0_at_the_prior_alone_and_keeps_its_digits_there() -> None:
    mean, log_variance = torch.randn(2, B, D)
    zeros = torch.zeros(B, D)
    assert (gaussian_divergence(zeros, zeros) == 0).all()
    near = gaussian_divergence(1e-3 * mean, 1e-3 * log_variance)
    expected = 1e-6 * (0.5 * mean.square() + 0.25 * log_variance.square()).sum(dim=1)
    torch.testing.assert_close(near, expected, rtol=5e-2, atol=0.0)


def test_below_the_tolerance_nothing_presses() -> None:
    divergences = torch.tensor([1.0, 3.0], requires_grad=True)
    kept = tolerated(divergences, 2.0)
    (gradient,) = torch.autograd.grad(kept.sum(), divergences)
    assert kept.tolist() == [2.0, 3.0]
    assert gradient.tolist() == [0.0, 1.0]
    assert torch.equal(tolerated(divergences, 0.0), divergences)


def test_samples_have_the_mean_and_the_deviation_and_carry_both_gradients() -> None:
    mean, log_variance = torch.tensor([[3.0]]), torch.tensor([[np.log(0.25)]]).float()
    drawn = reparameterized(
        mean.expand(20_000, 1), log_variance.expand(20_000, 1), torch.randn(20_000, 1)
    )
    assert drawn.mean().item() == pytest.approx(3.0, abs=0.02)
    assert drawn.std().item() == pytest.approx(0.5, abs=0.02)
    mean.requires_grad_(), log_variance.requires_grad_()
    sample = reparameterized(mean, log_variance, torch.tensor([[2.0]]))
    by_mean, by_variance = torch.autograd.grad(sample.sum(), (mean, log_variance))
    assert by_mean.item() == 1.0
    assert by_variance.item() == pytest.approx(0.5 * 0.5 * 2.0)


def test_bfloat16_is_widened_first() -> None:
    mean, log_variance = torch.randn(2, B, D).bfloat16()
    found = gaussian_divergence(mean, log_variance)
    assert found.dtype == torch.float32
    assert torch.equal(found, gaussian_divergence(mean.float(), log_variance.float()))


def test_shapes_that_would_broadcast_are_refused() -> None:
    with pytest.raises(TypeCheckError):
        jaxtyped(typechecker=beartype)(gaussian_divergence)(torch.zeros(B, D), torch.zeros(1, D))
