"""The examples of docs/extending.md keep to the rules of that page, inside a real agent."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from agents.intrinsic.base import IntrinsicReward
from agents.ppo.learner import Learner
from agents.ppo.ppo_agent import PPOAgent
from agents.ranks import Ranks
from agents.representation.representation import RepresentationLearning, SlowSchedule
from agents.representation.views import make_view
from agents.rollout import RolloutBuffer
from tests.agents.scripts import draw_script
from tests.agents.small import (
    FRAME,
    NUM_ACTIONS,
    VECTOR,
    Kind,
    assert_all_equal,
    drawn_from,
    filled,
    gradients_of,
    make_agent,
    make_learner,
    make_representation,
    parameters_of,
    rnd_of,
    settings_with,
    trained_parameters,
)
from tests.architecture.test_floors import ROOT
from tests.docs.page import (
    BACKBONE,
    BONUS,
    ENVIRONMENT,
    HEAD,
    MODEL,
    OBJECTIVE,
    OLDER_INTERFACE,
    POLICY,
    REMEMBERING,
    VERB,
    WITH_STATE,
    example,
    examples,
)
from tests.ranks import only_rank, run_in_ranks
from tests.training.collecting.sets import collect
from trajectories.reader import open_dataset

T, N = 6, 4


@pytest.fixture
def ranks() -> Iterator[Ranks]:
    """This process as the only rank."""
    with only_rank() as ranks:
        yield ranks


def rollout_of(shape: tuple[int, ...], seed: int = 0, *, discrete: bool = True) -> RolloutBuffer:
    rollout_shape = Kind(shape, discrete=discrete).rollout_shape(T, N)
    return filled(draw_script(rollout_shape, seed), rollout_shape)


def with_bonus(shape: tuple[int, ...], num_envs: int = N, *, discrete: bool = True) -> Learner:
    """A learner with the page's bonus, around a random encoder of frames or vectors."""
    learner = make_learner(Kind(shape, discrete=discrete), num_envs)
    encoder = rnd_of(learner).target
    with drawn_from(1):
        bonus: IntrinsicReward = example(BONUS).ForwardDynamics(
            encoder, 6, NUM_ACTIONS, shape, num_envs, 0.9
        )
    learner.intrinsic = bonus
    return learner


def with_head(num_envs: int = N) -> Learner:
    """A learner with the page's head, whose views draw nothing: the second shows what followed."""
    learner = make_learner(Kind(FRAME), num_envs)
    with drawn_from(1):
        learner.representation = RepresentationLearning(
            learner.policy.get_submodule("backbone"),
            example(HEAD).VICRegHead(8, (7, 6)),
            make_view("none"),
            SlowSchedule(0.9, cosine=False),
            neighbours=True,
            coef=0.5,
            share=1.0,
            project_gradient=True,
        )
    return learner


def with_backbone(num_envs: int = N) -> Learner:
    """The page's backbone under a policy, with a BYOL head, which has a slow copy of it."""
    kind = Kind(FRAME, head="BYOL")
    learner = make_learner(kind, num_envs)
    with drawn_from(1):
        learner.policy.backbone = example(BACKBONE).ResidualBackbone(
            2, 36, 36, conv_channels=(3, 4, 5), third_kernel=3, hidden_size=9, feature_size=8
        )
        learner.representation = make_representation(kind, learner.policy)
    return learner


LEARNERS: dict[str, tuple[tuple[int, ...], Callable[[], Learner]]] = {
    "bonus of vectors": (VECTOR, lambda: with_bonus(VECTOR)),
    "bonus of frames": (FRAME, lambda: with_bonus(FRAME)),
    "head": (FRAME, with_head),
    "backbone": (FRAME, with_backbone),
}
EXAMPLES = pytest.mark.parametrize(("shape", "build"), LEARNERS.values(), ids=LEARNERS)


def test_every_example_of_the_page_is_tested() -> None:
    assert set(examples()) == {
        BONUS,
        HEAD,
        OBJECTIVE,
        BACKBONE,
        ENVIRONMENT,
        WITH_STATE,
        OLDER_INTERFACE,
        POLICY,
        VERB,
        MODEL,
        REMEMBERING,
    }


def test_the_page_shows_the_model_that_lies_there() -> None:
    for path in (MODEL, REMEMBERING):
        assert examples()[path] == (ROOT / path).read_text(encoding="utf-8")


@EXAMPLES
def test_an_update_moves_every_trained_parameter_and_draws_from_the_agents_stream_alone(
    ranks: Ranks, shape: tuple[int, ...], build: Callable[[], Learner]
) -> None:
    learner, stream = build(), torch.get_rng_state()
    settings = settings_with(epochs=2, num_minibatches=3, normalize_advantage=True)
    agent = make_agent(ranks, learner, settings=settings)
    agent.observe(rollout_of(shape, 1))
    before = parameters_of(learner)
    metrics = agent.learn(rollout_of(shape))
    assert [key for key, value in metrics.items() if not torch.isfinite(value)] == []
    trained = {id(parameter) for parameter in trained_parameters(learner)}
    assert learner.intrinsic is not None
    for key, parameter in learner.named_parameters():
        if id(parameter) in trained:
            assert parameter.grad is not None, key
            assert parameter.grad.any(), key
            assert not torch.equal(parameter, before[key]), key
        elif key.startswith("intrinsic."):
            assert torch.equal(parameter, before[key]), key
    assert torch.equal(torch.get_rng_state(), stream)


@EXAMPLES
def test_priming_changes_nothing(
    ranks: Ranks, shape: tuple[int, ...], build: Callable[[], Learner]
) -> None:
    agent = make_agent(ranks, build())
    before = everything(agent)
    agent.prime(rollout_of(shape).shape)
    assert_all_equal(everything(agent), before)


def everything(agent: PPOAgent) -> dict[str, Tensor]:
    """Return copies of all that an update could change."""
    tensors = {
        **dict(agent.learner.named_parameters()),
        **dict(agent.learner.named_buffers()),
        "agent's stream": agent.generator.get_state(),
        "global stream": torch.get_rng_state(),
    }
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


@EXAMPLES
def test_what_was_saved_and_loaded_learns_on_to_the_last_bit(
    ranks: Ranks, shape: tuple[int, ...], build: Callable[[], Learner]
) -> None:
    agent, other = make_agent(ranks, build()), make_agent(ranks, build(), seed=5)
    agent.learn(rollout_of(shape))
    other.learner.load_state_dict(agent.learner.state_dict())
    other.optimizer.load_state_dict(copy.deepcopy(agent.optimizer.state_dict()))
    other.generator.set_state(agent.generator.get_state())
    assert agent.learner.intrinsic is not None
    assert other.learner.intrinsic is not None
    other.learner.intrinsic.restore_rank_state(agent.learner.intrinsic.rank_state())
    metrics, again = (one.learn(rollout_of(shape, 1)) for one in (agent, other))
    assert_all_equal(metrics, again)
    assert_all_equal(everything(agent), everything(other))


@pytest.mark.parametrize("shape", [VECTOR, FRAME], ids=["vectors", "frames"])
def test_the_bonus_is_the_mean_squared_error_of_what_was_foreseen(
    ranks: Ranks, shape: tuple[int, ...]
) -> None:
    learner, rollout = with_bonus(shape), rollout_of(shape)
    bonus: Any = learner.intrinsic
    bonus.observe(learner.experience(rollout_of(shape, 1)), ranks)
    found = bonus.raw_bonuses(learner.experience(rollout))
    for sample in range(T * N):
        t, n = divmod(sample, N)
        choice = torch.zeros(1, NUM_ACTIONS)
        choice[0, int(rollout.actions[t, n])] = 1.0
        with torch.no_grad():
            before, after = (
                bonus.encoder(bonus.whitening(frames(torch.tensor([sample]))))
                for frames in (rollout.frames, rollout.next_frames)
            )
            foreseen = bonus.predictor(torch.cat([before, choice], dim=1))
        error = (foreseen - after).double().square().mean().item()
        assert found[t, n].item() == pytest.approx(error, rel=1e-3)


@pytest.mark.parametrize("discrete", [True, False], ids=["choices", "continuous"])
def test_the_bonus_falls_where_its_predictor_was_trained(ranks: Ranks, discrete: bool) -> None:
    agent = make_agent(ranks, with_bonus(VECTOR, discrete=discrete))
    rollout = rollout_of(VECTOR, discrete=discrete)
    agent.observe(rollout)
    raw = [float(agent.learn(rollout)["intrinsic/raw"]) for _ in range(30)]
    assert raw[-1] < 0.3 * raw[0]


def test_the_head_learns_and_keeps_the_embeddings_apart(ranks: Ranks) -> None:
    agent, rollout = make_agent(ranks, with_head()), rollout_of(FRAME)
    figures = [agent.learn(rollout) for _ in range(30)]
    losses = [float(metrics["losses/representation"]) for metrics in figures]
    assert losses[-1] < 0.8 * losses[0]
    assert float(figures[-1]["representation/effective_rank"]) > 2


def test_the_backbone_takes_bytes_and_floats_alike_and_has_no_buffers() -> None:
    backbone = with_backbone().policy.get_submodule("backbone")
    frames = rollout_of(FRAME).observations(torch.arange(T * N))
    features = backbone(frames)
    assert features.shape == (T * N, 8)
    assert torch.equal(features, backbone(frames.float()))
    assert dict(backbone.named_buffers()) == {}


Part = dict[str, dict[str, Tensor]]


def part_of(ranks: Ranks) -> Part:
    """Learn from this rank's share of N environments as one minibatch; losses and gradients."""
    share = N // ranks.world_size
    mine = slice(ranks.rank * share, (ranks.rank + 1) * share)
    results = {}
    for learner, shape in ((with_bonus(VECTOR, share), VECTOR), (with_head(share), FRAME)):
        script = draw_script(Kind(shape).rollout_shape(T, N), 0).columns(mine)
        still = torch.optim.SGD(trained_parameters(learner), lr=0.0)
        agent = make_agent(ranks, learner, optimizer=still)
        agent.prime(Kind(shape).rollout_shape(T, share))
        metrics = agent.learn(filled(script, Kind(shape).rollout_shape(T, share)))
        name = "predictor" if shape == VECTOR else "representation"
        results[name] = gradients_of(learner) | {"loss": metrics[f"losses/{name}"]}
    return results


@pytest.mark.timeout(300)
def test_two_ranks_learn_as_one_process_does_from_all_environments(
    ranks: Ranks, tmp_path: Path
) -> None:
    whole, parts = part_of(ranks), run_in_ranks(part_of, 2, tmp_path)
    for name, expected in whole.items():
        mean = torch.stack([part[name].pop("loss") for part in parts]).mean()
        torch.testing.assert_close(mean, expected.pop("loss"), rtol=1e-4, atol=1e-6)
        for part in parts:
            torch.testing.assert_close(part[name], expected, rtol=1e-3, atol=1e-4)


def test_the_policy_collects_and_keeps_its_actions_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / POLICY).write_text(examples()[POLICY])
    monkeypatch.syspath_prepend(str(tmp_path))
    arguments = ("--environment", "CartPole-v1", "--num_rollouts", "20")
    folder = collect(tmp_path, *arguments, "--policy", "persistent:Persistent")
    kept = [np.mean(np.diff(e.actions) == 0) for e in open_dataset(folder).scan() if e.length > 1]
    assert np.mean(kept) > 0.75
