"""One optimiser step, and the numbers of an update: rates, clipping, shares, and when to stop."""

import pytest
import torch

from agents.ranks import Ranks
from agents.rollout import RolloutBuffer
from configs.errors import NonFiniteError
from configs.schema import Config, IntrinsicSection, PPOSection
from tests.agents.scripts import draw_script
from tests.agents.small import (
    Kind,
    assert_all_equal,
    filled,
    make_agent,
    make_learner,
    parameters_of,
    settings_with,
)
from training.building import learning_settings

T, N = 6, 4


def some_rollout(kind: Kind, seed: int = 0) -> RolloutBuffer:
    shape = kind.rollout_shape(T, N)
    return filled(draw_script(shape, seed), shape)


@pytest.mark.parametrize("bonus", [True, False])
def test_a_gradient_that_is_not_finite_ends_the_run_and_changes_no_parameter(
    ranks: Ranks, bonus: bool
) -> None:
    kind = Kind(bonus=bonus)
    agent = make_agent(ranks, make_learner(kind, N))
    agent.learn(some_rollout(kind))
    before = parameters_of(agent.learner)
    rollout = some_rollout(kind, 1)
    rollout.rewards[2, 1] = float("inf")
    with pytest.raises(NonFiniteError, match=r"gradient is not finite \(policy"):
        agent.learn(rollout)
    assert_all_equal(parameters_of(agent.learner), before)


@pytest.mark.parametrize("limit", [None, 0.01])
def test_the_gradient_is_clipped_as_a_whole_only_if_asked(
    ranks: Ranks, limit: float | None
) -> None:
    learner = make_learner(Kind(), N)
    before = parameters_of(learner)
    trained = [p for p in learner.parameters() if p.requires_grad]
    agent = make_agent(
        ranks,
        learner,
        settings=settings_with(max_grad_norm=limit),
        optimizer=torch.optim.SGD(trained, lr=1.0),
    )
    norm = agent.learn(some_rollout(Kind()))["losses/grad_norm"].item()
    moved = torch.cat([(p - before[n]).flatten() for n, p in learner.named_parameters()]).norm()
    assert norm > 0.1
    assert moved.item() == pytest.approx(norm if limit is None else limit, rel=1e-3)


def test_learning_rates_fall_linearly_from_where_the_recipe_set_them(ranks: Ranks) -> None:
    learner = make_learner(Kind(), N)
    assert learner.intrinsic is not None
    groups = [
        {"params": list(learner.policy.parameters()), "lr": 1e-3},
        {"params": [p for p in learner.intrinsic.parameters() if p.requires_grad], "lr": 1e-4},
    ]
    settings = settings_with(anneal_learning_rate=True)
    agent = make_agent(ranks, learner, settings=settings, optimizer=torch.optim.Adam(groups))
    for fraction in (0.0, 0.25, 0.75, 0.5, 1.0):
        agent.set_progress(fraction)
        rates = [group["lr"] for group in agent.optimizer.param_groups]
        assert rates == pytest.approx([1e-3 * (1 - fraction), 1e-4 * (1 - fraction)])
    before = parameters_of(learner)
    agent.learn(some_rollout(Kind()))
    assert_all_equal(parameters_of(learner), before)


@pytest.mark.parametrize(
    ("total_envs", "share"), [(8, 1.0), (32, 1.0), (128, 0.25), (256, 0.125), (1024, 0.03125)]
)
def test_the_predictors_share_falls_with_the_environments_of_all_ranks(
    total_envs: int, share: float
) -> None:
    assert learning_settings(Config(), total_envs).predictor_share == share
    fixed = Config(intrinsic=IntrinsicSection(predictor_share=0.6))
    assert learning_settings(fixed, total_envs).predictor_share == 0.6


def test_discounted_returns_are_generalised_advantages_without_their_lambda() -> None:
    assert learning_settings(Config(ppo=PPOSection(use_gae=False)), 8).discounting.gae_lambda == 1.0
    assert (
        learning_settings(Config(ppo=PPOSection(gae_lambda=0.9)), 8).discounting.gae_lambda == 0.9
    )
    assert learning_settings(Config(), 8).max_grad_norm is None
    assert (
        learning_settings(Config(ppo=PPOSection(use_gradient_clipping=True)), 8).max_grad_norm
        == 0.5
    )
