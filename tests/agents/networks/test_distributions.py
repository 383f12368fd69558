"""The two distributions against torch.distributions, and their samples against their densities."""

import math
from typing import Any

import pytest
import torch
from beartype import beartype
from jaxtyping import TypeCheckError, jaxtyped

from agents.networks.distributions import Categorical, DiagonalGaussian

B, A = 6, 4


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_probabilities_of_all_choices_add_up_to_one() -> None:
    distribution = Categorical.from_logits(5 * torch.randn(B, A) + 100)
    total = sum(distribution.log_prob(torch.full((B,), a)).exp() for a in range(A))
    torch.testing.assert_close(total, torch.ones(B))


def test_the_categorical_equals_that_of_torch() -> None:
    logits = torch.randn(B, A)
    action = torch.randint(0, A, (B,))
    ours = Categorical.from_logits(logits)
    theirs: Any = torch.distributions.Categorical(logits=logits)
    torch.testing.assert_close(ours.log_prob(action), theirs.log_prob(action))
    torch.testing.assert_close(ours.entropy(), theirs.entropy())
    assert torch.equal(ours.mode(), logits.argmax(dim=1))


def test_the_entropy_of_equal_choices_is_log_a_and_of_a_sure_one_zero() -> None:
    equal = Categorical.from_logits(torch.zeros(B, A)).entropy()
    torch.testing.assert_close(equal, torch.full((B,), math.log(A)))
    sure = Categorical.from_logits(torch.tensor([[1e4, 0.0, 0.0]])).entropy()
    assert sure.item() == 0.0


def test_choices_come_as_often_as_their_probabilities_say() -> None:
    probabilities = torch.tensor([0.5, 0.3, 0.19, 0.01])
    draws = 40_000
    distribution = Categorical.from_logits(probabilities.log().expand(draws, A))
    action = distribution.sample(seeded())
    assert action.dtype == torch.int64
    frequencies = torch.bincount(action, minlength=A) / draws
    five_deviations = 5 * (probabilities * (1 - probabilities) / draws).sqrt()
    assert ((frequencies - probabilities).abs() < five_deviations).all()


def test_an_impossible_choice_is_never_drawn() -> None:
    logits = torch.tensor([0.0, -1e4]).expand(10_000, 2)
    assert (Categorical.from_logits(logits).sample(seeded()) == 0).all()


def test_continuous_actions_have_the_mean_and_deviation_they_should() -> None:
    mean = torch.tensor([1.0, -2.0])
    log_std = torch.tensor([0.5, -1.0])
    draws = 40_000
    action = DiagonalGaussian.from_parameters(mean.expand(draws, 2), log_std).sample(seeded())
    std = log_std.exp()
    assert ((action.mean(dim=0) - mean).abs() < 5 * std / draws**0.5).all()
    assert ((action.std(dim=0) / std - 1).abs() < 5 / (2 * draws) ** 0.5).all()
    assert abs(torch.corrcoef(action.T)[0, 1]) < 5 / draws**0.5


def test_the_gaussian_equals_that_of_torch() -> None:
    mean, action, log_std = torch.randn(B, A), torch.randn(B, A), torch.randn(A)
    ours = DiagonalGaussian.from_parameters(mean, log_std)
    normal = torch.distributions.Normal(mean, log_std.exp())
    theirs: Any = torch.distributions.Independent(normal, 1)
    torch.testing.assert_close(ours.log_prob(action), theirs.log_prob(action))
    torch.testing.assert_close(ours.entropy(), theirs.entropy())
    assert torch.equal(ours.mode(), mean)


@pytest.mark.parametrize(
    "distribution",
    [
        Categorical.from_logits(torch.zeros(B, A)),
        DiagonalGaussian.from_parameters(torch.zeros(B, A), torch.zeros(A)),
    ],
)
def test_samples_depend_on_the_generator_alone(
    distribution: Categorical | DiagonalGaussian,
) -> None:
    torch.manual_seed(1)
    one = distribution.sample(seeded(3))
    torch.manual_seed(2)
    global_state = torch.get_rng_state()
    assert torch.equal(distribution.sample(seeded(3)), one)
    assert torch.equal(torch.get_rng_state(), global_state)


def test_samples_carry_no_gradient_and_log_probs_do() -> None:
    logits = torch.randn(B, A, requires_grad=True)
    for distribution in (
        Categorical.from_logits(logits),
        DiagonalGaussian.from_parameters(logits, torch.zeros(A)),
    ):
        action = distribution.sample(seeded())
        assert not action.requires_grad
        assert distribution.log_prob(action).requires_grad


def test_narrow_parameters_are_widened_even_under_autocast() -> None:
    narrow = torch.randn(B, A).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        for distribution in (
            Categorical.from_logits(narrow),
            DiagonalGaussian.from_parameters(narrow, torch.zeros(A)),
        ):
            action = distribution.sample(seeded())
            assert distribution.log_prob(action).dtype == torch.float32
            assert distribution.entropy().dtype == torch.float32


def test_actions_of_another_shape_are_refused() -> None:
    checked = jaxtyped(typechecker=beartype)(Categorical.log_prob)
    with pytest.raises(TypeCheckError):
        checked(Categorical.from_logits(torch.zeros(B, A)), torch.zeros(B, 1, dtype=torch.int64))


def test_the_divergences_equal_those_of_torch() -> None:
    one, other = (Categorical.from_logits(2 * torch.randn(B, A)) for _ in range(2))
    theirs = [torch.distributions.Categorical(logits=each.log_probs) for each in (one, other)]
    wanted = torch.distributions.kl_divergence(*theirs)
    torch.testing.assert_close(one.kl(other), wanted)
    mean, log_std = torch.randn(2, B, A), 0.5 * torch.randn(2, A)
    first, second = (DiagonalGaussian.from_parameters(mean[i], log_std[i]) for i in range(2))
    normals = [torch.distributions.Normal(mean[i], log_std[i].exp()) for i in range(2)]
    wanted = torch.distributions.kl_divergence(*normals).sum(dim=-1)
    torch.testing.assert_close(first.kl(second), wanted)
    torch.testing.assert_close(first.kl(first), torch.zeros(B), atol=1e-6, rtol=0)
