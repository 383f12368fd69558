"""The losses of one minibatch against torch's own distributions, and where their gradient goes."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from agents.intrinsic.rnd import PredictorBatch
from agents.ppo.learner import Learner, LossWeights, Minibatch
from tests.agents.small import (
    FRAME,
    NUM_ACTIONS,
    VECTOR,
    WEIGHTS,
    Kind,
    assert_all_equal,
    gradients_of,
    make_learner,
    rnd_of,
)

B = 16
KINDS = pytest.mark.parametrize(
    "kind",
    [
        Kind(shape, discrete=discrete, bonus=bonus)
        for shape in (VECTOR, FRAME)
        for discrete in (True, False)
        for bonus in (True, False)
    ],
    ids=str,
)


def make_minibatch(kind: Kind, learner: Learner) -> Minibatch:
    """Draw a minibatch whose ratios and values lie on both sides of the clip ranges."""
    generator = torch.Generator().manual_seed(5)

    def normal(*axes: int) -> Tensor:
        return torch.randn(axes, generator=generator)

    if kind.observation_shape == FRAME:
        stacks = torch.randint(0, 256, (B, 2, 36, 36), generator=generator, dtype=torch.uint8)
        frames = stacks[:, 1:]
    else:
        stacks = frames = 2 * normal(B, 3) + 1
    choices = torch.randint(0, NUM_ACTIONS, (B,), generator=generator)
    actions = choices if kind.discrete else normal(B, NUM_ACTIONS)
    with torch.no_grad():
        output = learner.policy(stacks)
        log_probs = output.distribution.log_prob(actions)
    predictor = None
    if learner.intrinsic is not None:
        features = rnd_of(learner).targets(lambda samples: frames[samples], torch.arange(6))
        predictor = PredictorBatch(frames[:6], features, torch.tensor(7.5))
    return Minibatch(
        observations=stacks,
        actions=actions,
        log_probs=log_probs + 0.2 * normal(B),
        advantages=normal(B),
        values_extrinsic=output.value_extrinsic + 0.2 * normal(B),
        returns_extrinsic=output.value_extrinsic + normal(B),
        returns_intrinsic=normal(B),
        intrinsic=predictor,
        views=None,
    )


def slow_losses(
    learner: Learner, kind: Kind, batch: Minibatch, weights: LossWeights
) -> dict[str, Tensor]:
    """Every loss from the papers' formulas, in double precision, sample by sample."""
    output = learner.policy(batch.observations)
    if kind.discrete:
        distribution = torch.distributions.Categorical(logits=output.distribution.log_probs)
        log_prob, entropy = distribution.log_prob(batch.actions), distribution.entropy()
    else:
        normal = torch.distributions.Normal(
            output.distribution.mean, output.distribution.log_std.exp()
        )
        log_prob, entropy = normal.log_prob(batch.actions).sum(1), normal.entropy().sum(1)
    epsilon = weights.clip_range
    surrogates, value_errors = [], []
    for i in range(B):
        ratio = torch.exp(log_prob[i].double() - batch.log_probs[i].double())
        advantage = batch.advantages[i].double()
        surrogates.append(min(ratio * advantage, ratio.clamp(1 - epsilon, 1 + epsilon) * advantage))
        value, old = output.value_extrinsic[i].double(), batch.values_extrinsic[i].double()
        error = (value - batch.returns_extrinsic[i]) ** 2
        if weights.clip_value_loss:
            clipped = old + (value - old).clamp(-epsilon, epsilon)
            error = max(error, (clipped - batch.returns_extrinsic[i]) ** 2)
        value_errors.append(error)
    losses = {
        "policy": -torch.stack(surrogates).mean(),
        "value_extrinsic": torch.stack(value_errors).mean(),
        "entropy": entropy.double().mean(),
    }
    total = losses["policy"] - weights.entropy * losses["entropy"]
    total = total + weights.value * losses["value_extrinsic"]
    if learner.intrinsic is not None and batch.intrinsic is not None:
        rnd, trained_on = rnd_of(learner), PredictorBatch(*batch.intrinsic)
        losses["value_intrinsic"] = (
            (output.value_intrinsic - batch.returns_intrinsic).square().mean()
        )
        predicted = rnd.predictor(rnd.observation_moments(trained_on.inputs))
        errors = (predicted - trained_on.targets).square().mean(dim=1)
        losses["predictor"] = errors.sum() / trained_on.kept_total
        total = total + weights.value * losses["value_intrinsic"] + losses["predictor"]
    return losses | {"total": total}


@KINDS
@pytest.mark.parametrize("clip_value_loss", [False, True])
def test_losses_and_gradient_follow_the_formulas(kind: Kind, clip_value_loss: bool) -> None:
    weights = replace(WEIGHTS, entropy=0.3, clip_value_loss=clip_value_loss)
    learner = make_learner(kind, 1, weights=weights)
    batch = make_minibatch(kind, learner)
    expected = slow_losses(learner, kind, batch, weights)
    losses = learner(batch)
    assert losses.keys() - {"approx_kl", "clip_fraction"} == expected.keys()
    for name, loss in expected.items():
        torch.testing.assert_close(losses[name].double(), loss.double(), rtol=1e-4, atol=1e-6)
    learner.zero_grad()
    expected["total"].backward()
    reference = gradients_of(learner)
    learner.zero_grad()
    losses["total"].backward()
    for name, gradient in gradients_of(learner).items():
        torch.testing.assert_close(gradient, reference[name], rtol=1e-3, atol=1e-5)


@KINDS
def test_every_trained_parameter_has_a_gradient_and_the_target_network_none(kind: Kind) -> None:
    """A parameter without gradient would make DistributedDataParallel wait for ever."""
    learner = make_learner(kind, 1)
    learner(make_minibatch(kind, learner))["total"].backward()
    for name, parameter in learner.named_parameters():
        if name.startswith("intrinsic.target."):
            assert not parameter.requires_grad
            assert parameter.grad is None
        else:
            assert parameter.requires_grad, name
            assert parameter.grad is not None, name
            assert parameter.grad.any(), name


@KINDS
@pytest.mark.parametrize("entropy", [0.0, 0.3])
def test_what_is_only_watched_changes_no_gradient(kind: Kind, entropy: float) -> None:
    learner = make_learner(kind, 1, weights=replace(WEIGHTS, entropy=entropy))
    batch = make_minibatch(kind, learner)
    watched, alone = learner(batch), learner(batch, diagnose=False)
    figures = {"approx_kl", "clip_fraction"} | (set() if entropy else {"entropy"})
    assert watched.keys() - alone.keys() == figures
    watched["total"].backward()
    expected = gradients_of(learner)
    learner.zero_grad()
    alone["total"].backward()
    assert_all_equal(gradients_of(learner), expected)


def test_only_the_total_carries_a_gradient() -> None:
    """Else every logged figure would keep its graph alive until the next log."""
    learner = make_learner(Kind(), 1)
    losses = learner(make_minibatch(Kind(), learner))
    assert [name for name, loss in losses.items() if loss.requires_grad] == ["total"]


def test_the_diagnostics_count_what_left_the_clip_range() -> None:
    learner = make_learner(Kind(), 1)
    batch = make_minibatch(Kind(), learner)
    losses = learner(batch)
    log_prob = learner.policy(batch.observations).distribution.log_prob(batch.actions)
    ratio = torch.exp(log_prob - batch.log_probs).detach()
    assert losses["clip_fraction"].item() == pytest.approx(((ratio - 1).abs() > 0.1).float().mean())
    assert 0 < losses["clip_fraction"].item() < 1
    torch.testing.assert_close(losses["approx_kl"], ((ratio - 1) - ratio.log()).mean())


@pytest.mark.parametrize("shape", [VECTOR, FRAME])
def test_bfloat16_networks_give_float32_losses_of_the_same_size(shape: tuple[int, ...]) -> None:
    kind = Kind(shape)
    exact = make_learner(kind, 1)
    batch = make_minibatch(kind, exact)
    half = make_learner(kind, 1, autocast=torch.bfloat16)(batch)
    for name, loss in exact(batch).items():
        assert half[name].dtype == torch.float32, name
        torch.testing.assert_close(half[name], loss, rtol=0.1, atol=0.1)
    assert not torch.equal(half["total"], exact(batch)["total"])
