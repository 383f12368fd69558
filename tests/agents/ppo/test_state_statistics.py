"""The scale of states: seeded by random play, still within an update, new for the next one."""

import copy

import torch
from torch import Tensor

from agents.networks.scaling import RunningScaling
from agents.ppo.acting import EarlierPolicy
from agents.ppo.ppo_agent import PPOAgent
from agents.ppo.state_statistics import state_statistics
from agents.rollout import RolloutBuffer
from tests.agents.scripts import draw_script
from tests.agents.small import Kind, make_agent, make_learner
from tests.ranks import only_rank

T, N = 6, 3
KIND = Kind(bonus=False, discrete=False, running=True)


def statistics_of(agent: PPOAgent) -> RunningScaling:
    statistics = state_statistics(agent.learner.policy)
    assert statistics is not None
    return statistics


def acted_on(rollout: RolloutBuffer) -> Tensor:
    return rollout.observations(torch.arange(T * N)).clone()


def play(agent: PPOAgent, rollout: RolloutBuffer, seed: int) -> Tensor:
    """Fill the rollout with what the agent does in the face of made-up states; return these."""
    script = draw_script(rollout.shape, seed)
    for t in range(T):
        everyone = slice(0, N)
        decision = agent.act(rollout.observation(t, everyone))
        rollout.store_decision(t, everyone, *decision)
        after = script.observations[t], script.rewards[t], script.terminated[t]
        rollout.store_transition(t, everyone, *after, script.truncated[t], script.finals[t])
    return acted_on(rollout)


def test_every_state_that_was_acted_on_counts_once_over_warm_up_and_updates() -> None:
    with only_rank() as ranks:
        agent = make_agent(ranks, make_learner(KIND, N))
        assert agent.needs_warm_up
        rollout = RolloutBuffer(KIND.rollout_shape(T, N), torch.device("cpu"))
        rollout.start(1000.0 + torch.randn(N, 3))
        seen = [play(agent, rollout, 0)]
        agent.observe(rollout)
        for seed in (1, 2):
            rollout.carry_over()
            seen.append(play(agent, rollout, seed))
            agent.learn(rollout)
    states = torch.cat(seen).double()
    found = statistics_of(agent)
    assert found.count.item() == 3 * T * N
    torch.testing.assert_close(found.mean, states.mean(dim=0))
    torch.testing.assert_close(found.variance, states.var(dim=0, correction=0))


def test_the_policy_that_learns_is_the_one_that_acted() -> None:
    """With statistics that moved in between, the first ratio would not be 1."""
    with only_rank() as ranks:
        agent = make_agent(ranks, make_learner(KIND, N))
        rollout = RolloutBuffer(KIND.rollout_shape(T, N), torch.device("cpu"))
        rollout.start(50.0 * torch.randn(N, 3))
        for seed in range(3):
            play(agent, rollout, seed)
            losses = agent.learn(rollout)  # of one step: its ratio is against itself
            assert abs(losses["losses/approx_kl"].item()) < 1e-6
            assert losses["losses/clip_fraction"].item() == 0.0
            rollout.carry_over()


def test_acting_changes_no_statistics_and_an_earlier_policy_keeps_its_own() -> None:
    with only_rank() as ranks:
        agent = make_agent(ranks, make_learner(KIND, N))
        rollout = RolloutBuffer(KIND.rollout_shape(T, N), torch.device("cpu"))
        rollout.start(torch.randn(N, 3))
        earlier = EarlierPolicy(agent.learner, torch.Generator().manual_seed(0))
        play(agent, rollout, 0)
        before = copy.deepcopy(statistics_of(agent).state_dict())
        assert before["count"].item() == 0
        agent.observe(rollout)
        kept = state_statistics(earlier._policy)
        assert kept is not None
        assert kept.count.item() == 0
        earlier.catch_up()
        assert kept.count.item() == T * N
        assert torch.equal(kept.m2, statistics_of(agent).m2)
