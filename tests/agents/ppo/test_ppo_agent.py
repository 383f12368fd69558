"""The agent: what it draws, in which order it learns, and what it must leave alone."""

import copy

import pytest
import torch

from agents.ppo.ppo_agent import PPOAgent
from agents.ranks import Ranks
from agents.rollout import RolloutBuffer
from tests.agents.scripts import draw_script
from tests.agents.small import (
    FRAME,
    NUM_ACTIONS,
    VECTOR,
    Kind,
    assert_all_equal,
    filled,
    gradients_of,
    make_agent,
    make_learner,
    parameters_of,
    rnd_of,
    settings_with,
)

T, N = 6, 4
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


def some_rollout(kind: Kind, seed: int = 0) -> RolloutBuffer:
    shape = kind.rollout_shape(T, N)
    return filled(draw_script(shape, seed), shape)


@KINDS
def test_an_update_trains_every_parameter_and_never_the_target_network(
    ranks: Ranks, kind: Kind
) -> None:
    settings = settings_with(epochs=2, num_minibatches=3, normalize_advantage=True)
    agent = make_agent(ranks, make_learner(kind, N), settings=settings)
    agent.prime(kind.rollout_shape(T, N))
    before = parameters_of(agent.learner)
    agent.observe(some_rollout(kind, 1))
    metrics = agent.learn(some_rollout(kind))
    assert [name for name, value in metrics.items() if not torch.isfinite(value)] == []
    assert [name for name, value in gradients_of(agent.learner).items() if not value.any()] == []
    for name, parameter in agent.learner.named_parameters():
        is_target = name.startswith("intrinsic.target.")
        assert torch.equal(parameter, before[name]) == is_target, name


@KINDS
def test_actions_come_from_the_agents_own_stream(ranks: Ranks, kind: Kind) -> None:
    """Trap 8: neither act nor learn touches the global generator."""
    observations = some_rollout(kind).observation(0, slice(0, N))
    one, same, other = (make_agent(ranks, make_learner(kind, N), seed=s) for s in (1, 1, 2))
    stream = torch.get_rng_state()
    draws = [
        torch.stack([agent.act(observations).actions for _ in range(20)])
        for agent in (one, same, other)
    ]
    one.learn(some_rollout(kind))
    assert torch.equal(torch.get_rng_state(), stream)
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert draws[0].shape == ((20, N) if kind.discrete else (20, N, NUM_ACTIONS))


@KINDS
def test_a_decision_holds_what_the_policy_says_of_it(ranks: Ranks, kind: Kind) -> None:
    agent = make_agent(ranks, make_learner(kind, N))
    observations = some_rollout(kind).observation(0, slice(0, N))
    decision = agent.act(observations)
    output = agent.learner.policy(observations)
    torch.testing.assert_close(
        decision.log_probs, output.distribution.log_prob(decision.actions).detach()
    )
    torch.testing.assert_close(decision.values_extrinsic, output.value_extrinsic.detach())
    torch.testing.assert_close(decision.values_intrinsic, output.value_intrinsic.detach())
    assert not any(part.requires_grad for part in decision[:4])


@pytest.mark.parametrize("shape", [VECTOR, FRAME])
def test_bonuses_use_the_old_statistics_and_training_the_new(
    ranks: Ranks, shape: tuple[int, ...]
) -> None:
    """Burda et al. 2018, the order of its code; and trap 5, the bonus is of the true last frame."""
    kind = Kind(shape)
    script = draw_script(kind.rollout_shape(T, N), 0, 0.5)
    agent = make_agent(ranks, make_learner(kind, N))
    agent.observe(some_rollout(kind, 7))
    reference = copy.deepcopy(agent.learner.intrinsic)
    assert reference is not None
    metrics = agent.learn(filled(script, kind.rollout_shape(T, N)))

    seen = agent.learner.experience(filled(script, kind.rollout_shape(T, N)))
    raw = reference.raw_bonuses(seen)
    scaled = reference.scale(raw, ranks)
    torch.testing.assert_close(metrics["intrinsic/raw"], raw.mean())
    torch.testing.assert_close(metrics["intrinsic/mean"], scaled.mean())
    torch.testing.assert_close(metrics["intrinsic/max"], scaled.max())
    reference.observe(seen, ranks)
    renewed = reference.raw_bonuses(seen).mean()
    torch.testing.assert_close(metrics["losses/predictor"], renewed)
    assert abs(renewed - raw.mean()) > 0.01 * raw.mean()
    assert agent.learner.intrinsic is not None
    assert_all_equal(dict(agent.learner.intrinsic.named_buffers()), dict(reference.named_buffers()))


def test_warm_up_statistics_are_those_of_what_was_seen(ranks: Ranks) -> None:
    """Trap 4: no zero of an empty buffer, no reset frame in the place of a last one."""
    shape = Kind().rollout_shape(T, N)
    agent = make_agent(ranks, make_learner(Kind(), N))
    scripts = [draw_script(shape, seed, 0.4) for seed in range(3)]
    rollout = filled(scripts[0], shape)
    agent.observe(rollout)
    for script in scripts[1:]:
        rollout.carry_over()
        script.fill(rollout)
        agent.observe(rollout)
    assert agent.learner.intrinsic is not None
    seen = torch.cat([script.next_frames.flatten(0, 1) for script in scripts]).double()
    moments = rnd_of(agent.learner).observation_moments.moments
    assert moments.count.item() == 3 * T * N
    torch.testing.assert_close(moments.mean, seen.mean(dim=0))
    torch.testing.assert_close(moments.m2 / moments.count, seen.var(dim=0, correction=0))
    assert agent.learner.intrinsic.reward_filter.moments.count.item() == 0


@KINDS
def test_priming_changes_no_parameter_no_statistic_and_no_stream(ranks: Ranks, kind: Kind) -> None:
    agent, rollout = make_agent(ranks, make_learner(kind, N)), some_rollout(kind)
    before = everything(agent, rollout)
    agent.prime(rollout.shape)
    assert_all_equal(everything(agent, rollout), before)
    assert agent.optimizer.state_dict()["state"] == {}
    assert all(p.grad is None for p in agent.learner.parameters())


def everything(agent: PPOAgent, rollout: RolloutBuffer) -> dict[str, torch.Tensor]:
    """Return copies of all that an update could change."""
    tensors = {
        **dict(agent.learner.named_parameters()),
        **dict(agent.learner.named_buffers()),
        **{f"rollout.{k}": v for k, v in vars(rollout).items() if isinstance(v, torch.Tensor)},
        "agent's stream": agent.generator.get_state(),
        "global stream": torch.get_rng_state(),
    }
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}
