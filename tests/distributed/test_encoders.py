"""Two ranks that look through an encoder learn as one process does from the joined rollout."""

from typing import Any

import pytest
import torch

from agents.ranks import Ranks
from tests.agents.scripts import draw_script
from tests.agents.small import gradients_of, make_agent, trained_parameters
from tests.ranks import only_rank, run_in_ranks
from tests.training.building.test_encoders import SPEC, USES, N, config, learner_of
from training.building.learner import learning_settings, rollout_shape

pytestmark = pytest.mark.timeout(300)  # the first test starts the ranks

WORLD_SIZE = 2
CPU = torch.device("cpu")


def learnt(ranks: Ranks, use: str, envs: int) -> dict[str, Any]:
    """Learn from two rollouts, each as one minibatch, with weights that do not move."""
    read = config(use, MiniBatch="1", NormalizeAdvantage="True")
    learner = learner_of(read)
    still = torch.optim.SGD(trained_parameters(learner), lr=0.0)
    settings = learning_settings(read, envs * ranks.world_size)
    agent = make_agent(ranks, learner, settings=settings, optimizer=still, seed=ranks.rank)
    mine = slice(ranks.rank * envs, (ranks.rank + 1) * envs)
    everywhere = rollout_shape(read, SPEC, N * WORLD_SIZE)
    rollout = learner.new_rollout(rollout_shape(read, SPEC, envs, learner.encoder), CPU)
    agent.prime(rollout.shape)
    for seed in range(2):
        script = draw_script(everywhere, seed).columns(mine)
        if seed == 0:
            rollout.start(script.first)
        script.fill(rollout)
        agent.learn(rollout)
        rollout.carry_over()
    return gradients_of(agent.learner)


def everything(ranks: Ranks) -> dict[str, Any]:
    """What every rank does."""
    return {use: learnt(ranks, use, N) for use in USES}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return run_in_ranks(everything, WORLD_SIZE, tmp_path_factory.mktemp("ranks"))


@pytest.mark.parametrize("use", USES)
def test_gradients_are_those_of_the_joined_rollout(results: list[dict[str, Any]], use: str) -> None:
    with only_rank() as ranks:
        expected = learnt(ranks, use, N * WORLD_SIZE)
    assert any(gradient.abs().max() > 0 for gradient in expected.values())
    for result in results:
        assert result[use].keys() == expected.keys()
        for name, gradient in expected.items():
            torch.testing.assert_close(result[use][name], gradient, rtol=1e-4, atol=1e-5)
