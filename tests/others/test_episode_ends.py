"""What happens where an episode ends: rows, flags, and what the value is taken to be."""

from dataclasses import replace

import pytest
import torch

from agents.ranks import Ranks
from agents.rollout import RolloutBuffer
from tests.agents.small import Kind, make_agent, make_learner, settings_with
from tests.others.environments import maker
from tests.others.games import breakout, lives_lost_at, open_pool, step
from training.loop.collector import Collector
from training.loop.stopwatch import Stopwatch
from workers.pool import WorkerPool

T, N = 16, 2
KIND = Kind(bonus=False)


@pytest.mark.parametrize("env_id", ["OthersObedient-v0", "OthersResetsItself-v0"])
def test_cleanrl_562_and_rl_games_362_no_row_of_a_rollout_is_a_reset(
    ranks: Ranks, env_id: str
) -> None:
    """Every row holds an action that was obeyed, what was paid for it, and where it led.

    The games of ale-py's threads are held to this by
    test_games_of_different_length_are_cut_apart_from_each_other.
    """
    agent = make_agent(ranks, make_learner(KIND, N))
    rollout = RolloutBuffer(KIND.rollout_shape(T, N), torch.device("cpu"))
    with WorkerPool(maker(env_id), num_environments=N, num_processes=1, base_seed=1) as pool:
        collector = Collector(pool, rollout, "raw", Stopwatch())
        collector.start()
        collector.collect(agent.act, lambda: False)
    rows = torch.arange(T * N)
    obeyed_before = rollout.observations(rows)[:, 0].reshape(T, N)
    obeyed_after = rollout.next_frames(rows)[:, 0].reshape(T, N)
    counted = torch.arange(T).float()[:, None].expand(T, N)
    assert torch.equal(obeyed_before, counted)
    assert torch.equal(obeyed_after, counted + 1)
    assert torch.equal(rollout.rewards, rollout.actions.float())
    steps = rollout.observations(rows)[:, 1].reshape(T, N)
    assert steps[:9, 0].tolist() == [0, 1, 2, 0, 1, 2, 3, 0, 1]
    assert rollout.terminated[2].all()
    assert rollout.truncated[6].all()


@pytest.mark.parametrize("backend", ["processes", "ale_vector"])
def test_envpool_239_and_179_a_life_lost_at_the_time_limit_is_both(backend: str) -> None:
    """Either flag alone would be wrong: the life is gone, and the game was cut."""
    lost = lives_lost_at()[0]
    ends = []
    with open_pool(backend, breakout(max_episode_steps=lost)) as pool:
        pool.reset()
        for t in range(lost):
            batch = step(pool, t)
            ends.append((bool(batch.terminated[0]), bool(batch.truncated[0])))
    assert ends == [(False, False)] * (lost - 1) + [(True, True)]
    assert [episode.length for episode in batch.episodes] == [lost]


def test_stable_baselines3_1864_and_skrl_449_a_time_limit_is_not_an_end(ranks: Ranks) -> None:
    """Reward 1 for ever is worth 1 / (1 - gamma), though each episode is cut after 5 steps.

    The first step of an episode pays nothing, so the frame after the reset is worth less: taking
    its value at the cut would show.
    """
    gamma = 0.9
    settings = settings_with(epochs=2, num_minibatches=2)
    discounting = replace(settings.discounting, gamma=gamma, gae_lambda=0.8, extrinsic_coef=1.0)
    learner = make_learner(KIND, N)
    optimizer = torch.optim.Adam(learner.parameters(), lr=2e-2)
    agent = make_agent(
        ranks, learner, settings=replace(settings, discounting=discounting), optimizer=optimizer
    )
    rollout = RolloutBuffer(KIND.rollout_shape(T, N), torch.device("cpu"))
    with WorkerPool(
        maker("OthersSteady-v0"), num_environments=N, num_processes=1, base_seed=1
    ) as pool:
        collector = Collector(pool, rollout, "raw", Stopwatch())
        collector.start()
        for _ in range(80):
            collector.collect(agent.act, lambda: False)
            agent.learn(rollout)
            rollout.carry_over()
    values, _ = agent.values_of(torch.tensor([[1.0, 0, 0], [0, 0, 0]]))
    worth = 1 / (1 - gamma)
    assert values.tolist() == pytest.approx([worth, gamma * worth], rel=0.02)
    assert rollout.truncated.any()
    assert not rollout.terminated.any()
