"""What a rollout teaches, against sums over paths in double precision."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from agents.ppo.ppo_agent import PPOAgent
from agents.ppo.targets import Targets, compute_targets
from agents.ranks import Ranks
from agents.rollout import RolloutBuffer
from tests.agents.scripts import DequeStacks, Script, draw_script, stacked
from tests.agents.small import (
    DISCOUNTING,
    FRAME,
    VECTOR,
    Kind,
    drawn_from,
    filled,
    make_agent,
    make_learner,
    settings_with,
)

T, N = 7, 4


def targets_of(agent: PPOAgent, rollout: RolloutBuffer, bonuses: Tensor) -> Targets:
    return compute_targets(rollout, bonuses, agent.values_of, DISCOUNTING)


def slow_advantages(
    rewards: Tensor,
    values: Tensor,
    next_values: Tensor,
    gamma: Tensor,
    lam: Tensor,
) -> Tensor:
    """A_t as a sum over all later steps of the path, each with its product of discounts."""
    advantages = torch.zeros(T, N, dtype=torch.float64)
    for n in range(N):
        for t in range(T):
            weight = 1.0
            for k in range(t, T):
                delta = rewards[k, n] + gamma[k, n] * next_values[k, n] - values[k, n]
                advantages[t, n] += weight * delta
                weight *= float(gamma[k, n] * lam[k, n])
    return advantages


def slow_targets(
    agent: PPOAgent, script: Script, bonuses: Tensor, stack_size: int
) -> tuple[Tensor, ...]:
    """Summed advantages and both returns, from the recipe of both papers."""
    inputs, after = stacked(script, DequeStacks(script.first, stack_size))
    with torch.no_grad():
        end = agent.learner.policy(inputs[T])
        truly_after = agent.learner.policy(after.flatten(0, 1)).value_extrinsic.view(T, N)
    extrinsic_next = torch.cat([script.values_extrinsic[1:], end.value_extrinsic[None]]).double()
    intrinsic_next = torch.cat([script.values_intrinsic[1:], end.value_intrinsic[None]]).double()
    for t in range(T):
        for n in range(N):
            if script.terminated[t, n]:
                extrinsic_next[t, n] = 0.0
            elif script.truncated[t, n]:
                extrinsic_next[t, n] = truly_after[t, n]
    everywhere = torch.ones(T, N, dtype=torch.float64)
    extrinsic = slow_advantages(
        script.rewards.double(),
        script.values_extrinsic.double(),
        extrinsic_next,
        DISCOUNTING.gamma * everywhere,
        DISCOUNTING.gae_lambda * (~script.ended).double(),
    )
    intrinsic = slow_advantages(
        bonuses.double(),
        script.values_intrinsic.double(),
        intrinsic_next,
        DISCOUNTING.intrinsic_gamma * everywhere,
        DISCOUNTING.gae_lambda * everywhere,
    )
    summed = DISCOUNTING.extrinsic_coef * extrinsic + DISCOUNTING.intrinsic_coef * intrinsic
    return summed, extrinsic + script.values_extrinsic, intrinsic + script.values_intrinsic


@pytest.mark.parametrize("shape", [VECTOR, FRAME])
@pytest.mark.parametrize("ends", [0.0, 0.4, 1.0])
def test_advantages_and_returns_equal_those_of_the_papers(
    ranks: Ranks, shape: tuple[int, ...], ends: float
) -> None:
    """Trap 5: bootstrapped at truncations from the true last observation, cut at both ends."""
    rollout_shape = Kind(shape).rollout_shape(T, N)
    script = draw_script(rollout_shape, 3, ends)
    agent = make_agent(ranks, make_learner(Kind(shape), N))
    bonuses = torch.rand(T, N, generator=torch.Generator().manual_seed(0))
    targets = targets_of(agent, filled(script, rollout_shape), bonuses)
    expected = slow_targets(agent, script, bonuses, rollout_shape.stack_size)
    for part, reference in zip(targets, expected, strict=True):
        torch.testing.assert_close(part.double(), reference.flatten(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("ending", "counts"), [("truncated", True), ("terminated", False)])
def test_the_last_observation_counts_at_a_truncation_and_not_at_a_termination(
    ranks: Ranks, ending: str, counts: bool
) -> None:
    """Trap 5, alone: one environment, one end, two different last observations."""
    shape = Kind().rollout_shape(T, 1)
    script = replace(draw_script(shape, 0, 0.0), **{ending: torch.arange(T).view(T, 1) == 3})
    other = replace(script, finals=script.finals + 1.0)
    agent = make_agent(ranks, make_learner(Kind(), 1))
    bonuses = torch.zeros(T, 1)
    one, two = (targets_of(agent, filled(s, shape), bonuses) for s in (script, other))
    changed = (one.returns_extrinsic != two.returns_extrinsic).tolist()
    assert changed == [counts] * 4 + [False] * 3
    assert torch.equal(one.returns_intrinsic, two.returns_intrinsic)


def test_a_bonus_reaches_back_over_an_episodes_end_and_a_reward_does_not(ranks: Ranks) -> None:
    """Burda et al. 2018, section 2.3: the intrinsic return is never cut."""
    shape = Kind().rollout_shape(T, 1)
    base = draw_script(shape, 0, 0.0)
    script = replace(base, terminated=torch.arange(T).view(T, 1) == 3)
    rewarded = replace(script, rewards=script.rewards + (torch.arange(T).view(T, 1) == 6))
    agent = make_agent(ranks, make_learner(Kind(), 1))
    nothing, late = torch.zeros(T, 1), (torch.arange(T).view(T, 1) == 6).float()
    plain = targets_of(agent, filled(script, shape), nothing)
    reward = targets_of(agent, filled(rewarded, shape), nothing)
    bonus = targets_of(agent, filled(script, shape), late)
    differs = (reward.returns_extrinsic - plain.returns_extrinsic).abs() > 1e-6
    assert differs.tolist() == [False] * 4 + [True] * 3
    assert (bonus.returns_intrinsic > plain.returns_intrinsic).tolist() == [True] * T


@pytest.mark.parametrize("normalize", [False, True])
def test_the_policys_gradient_is_that_of_the_advantages_as_asked_for(
    ranks: Ranks, normalize: bool
) -> None:
    """Trap 6: normalised by the moments of the minibatch, after the streams are summed."""
    kind = Kind(bonus=False)
    shape = kind.rollout_shape(T, N)
    script = draw_script(shape, 3)
    settings = settings_with(normalize_advantage=normalize)
    agent = make_agent(
        ranks,
        learner := make_learner(kind, N),
        settings=settings,
        optimizer=torch.optim.SGD(learner.parameters(), lr=0.0),
    )
    rollout = filled(script, shape)
    advantages = targets_of(agent, rollout, torch.zeros(T, N)).advantages
    if normalize:
        advantages = (advantages - advantages.mean()) / advantages.std(correction=0)
    output = learner.policy(rollout.observations(torch.arange(T * N)))
    ratio = torch.exp(
        output.distribution.log_prob(script.actions.flatten()) - script.log_probs.flatten()
    )
    surrogate = torch.minimum(ratio * advantages, ratio.clamp(0.9, 1.1) * advantages).mean()
    loss = -surrogate - 0.01 * output.distribution.entropy().mean()
    head = learner.get_parameter("policy.action_head.linear.weight")
    (expected,) = torch.autograd.grad(loss, [head])
    agent.learn(rollout)
    assert head.grad is not None
    torch.testing.assert_close(head.grad, expected, rtol=1e-4, atol=1e-6)


def test_targets_draw_nothing_and_change_nothing(ranks: Ranks) -> None:
    shape = Kind().rollout_shape(T, N)
    agent = make_agent(ranks, make_learner(Kind(), N))
    rollout = filled(draw_script(shape, 3), shape)
    values = rollout.values_extrinsic.clone(), rollout.values_intrinsic.clone()
    stream = agent.generator.get_state()
    with drawn_from(0):
        targets_of(agent, rollout, torch.zeros(T, N))
    assert torch.equal(agent.generator.get_state(), stream)
    assert torch.equal(rollout.values_extrinsic, values[0])
    assert torch.equal(rollout.values_intrinsic, values[1])


def test_a_cut_that_is_an_end_is_learnt_from_as_a_termination(ranks: Ranks) -> None:
    kind = Kind(VECTOR)
    shape = kind.rollout_shape(T, N)
    agent = make_agent(ranks, make_learner(kind, N))
    bonuses = torch.rand(T, N, generator=torch.Generator().manual_seed(1))
    rollout = filled(draw_script(shape, 0), shape)
    assert rollout.truncated.any()
    ends = replace(DISCOUNTING, bootstrap_truncations=False)
    found = compute_targets(rollout, bonuses, agent.values_of, ends)
    assert not torch.equal(found.advantages, targets_of(agent, rollout, bonuses).advantages)
    rollout.terminated.logical_or_(rollout.truncated)
    rollout.truncated.zero_()
    wanted = targets_of(agent, rollout, bonuses)
    assert all(torch.equal(one, other) for one, other in zip(found, wanted, strict=True))


def test_rewards_of_another_scale_are_those_that_the_environment_might_have_paid(
    ranks: Ranks,
) -> None:
    """A quarter is exact in binary; the bonus keeps its own scale."""
    kind = Kind(VECTOR)
    shape = kind.rollout_shape(T, N)
    agent = make_agent(ranks, make_learner(kind, N))
    rollout = filled(draw_script(shape, 0), shape)
    bonuses = torch.rand(T, N, generator=torch.Generator().manual_seed(1))
    quarter = replace(DISCOUNTING, reward_scale=0.25)
    found = compute_targets(rollout, bonuses, agent.values_of, quarter)
    assert not torch.equal(found.advantages, targets_of(agent, rollout, bonuses).advantages)
    rollout.rewards.mul_(0.25)
    wanted = targets_of(agent, rollout, bonuses)
    assert all(torch.equal(one, other) for one, other in zip(found, wanted, strict=True))
