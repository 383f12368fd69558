"""One optimiser step, and the numbers of an update: rates, clipping, shares, and when to stop."""

import pytest
import torch

from agents.ppo.gradient_steps import GradientSteps, NonFiniteGradientError
from agents.ppo.learner import Learner
from agents.ranks import Ranks
from agents.rollout import RolloutBuffer
from configs.errors import NonFiniteError
from configs.schema import Config, IntrinsicSection, PPOSection
from tests.agents.minibatches import some_minibatches
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
from training.building.learner import learning_settings

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


def steps_of(learner: Learner, unjudged: int) -> GradientSteps:
    trained = [p for p in learner.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=1e-3, fused=True)
    return GradientSteps(learner, optimizer, 0.5, unjudged)


def test_steps_judged_later_are_the_same_steps(ranks: Ranks) -> None:
    kind = Kind(bonus=False)
    at_once, later = make_learner(kind, N), make_learner(kind, N)
    for learner, unjudged in ((at_once, 0), (later, 2)):
        steps = steps_of(learner, unjudged)
        for batch in some_minibatches(5):
            steps.take(batch, 0.0)
        steps.settle()
    assert_all_equal(parameters_of(later), parameters_of(at_once))


def test_a_gradient_judged_later_has_changed_no_parameter_meanwhile(ranks: Ranks) -> None:
    learner = make_learner(Kind(bonus=False), N)
    steps = steps_of(learner, unjudged=2)
    first, bad, third, fourth = some_minibatches(4)
    bad.advantages[3] = float("nan")
    steps.take(first, 0.0)
    before = parameters_of(learner)
    steps.take(bad, 0.0)
    steps.take(third, 0.0)
    with pytest.raises(NonFiniteGradientError) as caught:
        steps.take(fourth, 0.0)
    assert caught.value.batch is bad
    assert_all_equal(parameters_of(learner), before)


def test_no_gradient_of_an_update_stays_unjudged(ranks: Ranks) -> None:
    learner = make_learner(Kind(bonus=False), N)
    steps = steps_of(learner, unjudged=2)
    [bad] = some_minibatches(1)
    bad.returns_extrinsic[0] = float("inf")
    steps.take(bad, 0.0)
    with pytest.raises(NonFiniteGradientError):
        steps.settle()


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
