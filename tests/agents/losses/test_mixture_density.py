"""The likelihood of a mixture of Gaussians, its expectation, and draws from it."""

import math

import numpy as np
import pytest
import torch
from beartype import beartype
from jaxtyping import TypeCheckError, jaxtyped
from torch import Tensor

from agents.losses.mixture_density import mixture_log_likelihood, mixture_mean, mixture_sample

B, D, K = 4, 3, 5


def mixtures() -> tuple[Tensor, Tensor, Tensor]:
    logits, means, log_deviations = torch.randn(3, B, D, K)
    return logits.log_softmax(dim=-1), means, log_deviations


def density(weights: np.ndarray, means: np.ndarray, deviations: np.ndarray, t: float) -> float:
    """Bishop 2006, equation 5.148, term by term in float64."""
    return float(
        sum(
            w * math.exp(-((t - m) ** 2) / (2 * s * s)) / math.sqrt(2 * math.pi * s * s)
            for w, m, s in zip(weights, means, deviations, strict=True)
        )
    )


def test_the_likelihood_is_the_sum_of_the_book() -> None:
    log_weights, means, log_deviations = mixtures()
    targets = torch.randn(B, D)
    found = mixture_log_likelihood(log_weights, means, log_deviations, targets)
    w, m, s = (x.double().numpy() for x in (log_weights.exp(), means, log_deviations.exp()))
    for b in range(B):
        for d in range(D):
            expected = math.log(density(w[b, d], m[b, d], s[b, d], float(targets[b, d])))
            assert found[b, d].item() == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_the_density_integrates_to_one() -> None:
    log_weights, means, log_deviations = (x[:1, :1] for x in mixtures())
    grid = torch.linspace(-60.0, 60.0, 200_001).unsqueeze(0)
    wide = [x.expand(1, grid.shape[1], K) for x in (log_weights, means, log_deviations)]
    densities = mixture_log_likelihood(wide[0], wide[1], wide[2], grid).exp()
    assert torch.trapezoid(densities, grid).item() == pytest.approx(1.0, abs=1e-3)


def test_far_from_all_components_likelihood_and_gradient_stay_finite() -> None:
    log_weights, means, log_deviations = mixtures()
    means.requires_grad_()
    found = mixture_log_likelihood(log_weights, means, log_deviations, torch.full((B, D), 1e4))
    (gradient,) = torch.autograd.grad(found.sum(), means)
    assert found.isfinite().all()
    assert gradient.isfinite().all()
    assert gradient.sum() > 0  # towards the target


def test_one_component_is_a_gaussian_and_equal_ones_are_one() -> None:
    mean, log_deviation, targets = torch.randn(3, B, D)
    expected = torch.distributions.Normal(mean, log_deviation.exp()).log_prob(targets)
    for k in (1, 4):
        weights = torch.full((B, D, k), -math.log(k))
        means, spread = (x.unsqueeze(-1).expand(B, D, k) for x in (mean, log_deviation))
        found = mixture_log_likelihood(weights, means, spread, targets)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_draws_have_the_mixtures_moments() -> None:
    log_weights, means, log_deviations = (x[:1, 0] for x in mixtures())
    n = 40_000
    parts = [x.expand(n, K) for x in (log_weights, means, log_deviations)]
    drawn = mixture_sample(*parts, uniform=torch.rand(n, K), noise=torch.randn(n), temperature=1.0)
    mean = mixture_mean(log_weights, means)
    second = (log_weights.exp() * (means.square() + (2 * log_deviations).exp())).sum()
    assert drawn.mean().item() == pytest.approx(mean.item(), abs=0.03 * second.sqrt().item())
    variance = (second - mean.square()).item()
    assert drawn.var().item() == pytest.approx(variance, rel=0.1)


@pytest.mark.parametrize("temperature", [0.25, 1.0, 4.0])
def test_a_temperature_sharpens_the_choice_and_narrows_the_component(temperature: float) -> None:
    n, weights = 40_000, torch.tensor([0.7, 0.3])
    drawn = mixture_sample(
        weights.log().expand(n, 2),
        torch.tensor([0.0, 1000.0]).expand(n, 2),
        torch.zeros(n, 2),
        uniform=torch.rand(n, 2),
        noise=torch.randn(n),
        temperature=temperature,
    )
    sharp = weights ** (1.0 / temperature)
    assert (drawn > 500).float().mean().item() == pytest.approx(
        (sharp[1] / sharp.sum()).item(), abs=0.01
    )
    assert drawn[drawn < 500].var().item() == pytest.approx(temperature, rel=0.05)


def test_without_temperature_the_likeliest_component_is_taken() -> None:
    log_weights, means, log_deviations = mixtures()
    found = mixture_sample(
        *(log_weights, means, log_deviations),
        uniform=torch.zeros(B, D, K),
        noise=torch.randn(B, D),
        temperature=0.0,
    )
    best = log_weights.argmax(dim=-1, keepdim=True)
    assert torch.equal(found, means.gather(-1, best).squeeze(-1))


def test_shapes_that_would_broadcast_are_refused() -> None:
    log_weights, means, log_deviations = mixtures()
    checked = jaxtyped(typechecker=beartype)(mixture_log_likelihood)
    with pytest.raises(TypeCheckError):
        checked(log_weights, means, log_deviations, torch.zeros(B, 1))
