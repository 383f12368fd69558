"""The bonus of an episode: the one that training would have given, and nothing is learnt."""

from typing import get_args

import pytest
import torch
from torch import Tensor

from agents.intrinsic.base import Experience
from agents.ppo.learner import Learner
from agents.rollout import RolloutBuffer
from configs.loading import load_config
from tests.agents.scripts import Script, draw_script
from tests.agents.small import FRAME, VECTOR, Kind, filled, make_learner
from tests.ranks import only_rank
from tests.runs import CARTPOLE, write_recipe
from training.playing import curiosity
from training.playing.curiosity import Lived, Step, describe_bonus, judge_episode

CPU = torch.device("cpu")
T = 11
KINDS = [
    Kind(shape, bonus_kind=bonus, discrete=discrete)
    for shape in (VECTOR, FRAME)
    for bonus in get_args(Kind.__dataclass_fields__["bonus_kind"].type)
    for discrete in (True, False)
] + [Kind(FRAME, bonus_input=seen) for seen in ("features", "slow features")]


def lived(script: Script) -> Lived:
    """The first environment of a script."""
    steps = [
        Step(
            script.actions[t, 0],
            script.observations[t, 0],
            script.finals[t, 0] if script.ended[t, 0] else script.observations[t, 0],
            bool(script.terminated[t, 0]),
            bool(script.truncated[t, 0]),
        )
        for t in range(len(script.rewards))
    ]
    return Lived(script.first[0], steps)


def trained(kind: Kind) -> tuple[Learner, RolloutBuffer, Script]:
    """A learner whose bonus has statistics, and another rollout of one environment."""
    learner = make_learner(kind, num_envs=1)
    shape = kind.rollout_shape(T, 1)
    assert learner.intrinsic is not None
    with only_rank() as ranks:
        for seed in range(3):
            seen = learner.experience(filled(draw_script(shape, seed), shape))
            learner.intrinsic.scale(learner.intrinsic.raw_bonuses(seen), ranks)
            learner.intrinsic.observe(seen, ranks)
    script = draw_script(shape, seed=9)
    return learner, filled(script, shape), script


def in_training(learner: Learner, rollout: RolloutBuffer) -> Tensor:
    assert learner.intrinsic is not None
    learner.intrinsic.start_episodes()
    experience: Experience = learner.experience(rollout)
    return learner.intrinsic.scaled(learner.intrinsic.raw_bonuses(experience)).flatten()


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_an_episode_is_judged_as_the_same_rollout_would_be(kind: Kind) -> None:
    learner, rollout, script = trained(kind)
    judged = judge_episode(learner, lived(script), kind.rollout_shape(4, 7), CPU)
    assert judged is not None
    assert judged.shape == (T,)
    torch.testing.assert_close(judged, in_training(learner, rollout), rtol=1e-5, atol=1e-6)
    assert judged.max() > 0


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_watching_changes_nothing(kind: Kind) -> None:
    learner, _, script = trained(kind)
    before = {name: tensor.clone() for name, tensor in learner.state_dict().items()}
    stream = torch.get_rng_state()
    first = judge_episode(learner, lived(script), kind.rollout_shape(4, 7), CPU)
    again = judge_episode(learner, lived(script), kind.rollout_shape(4, 7), CPU)
    assert first is not None
    assert again is not None
    assert torch.equal(first, again)
    assert torch.equal(torch.get_rng_state(), stream)
    after = learner.state_dict()
    assert [name for name in before if not torch.equal(before[name], after[name])] == []


@pytest.mark.parametrize("kind", [Kind(FRAME), Kind(FRAME, bonus_input="features"), Kind(VECTOR)])
def test_a_long_episode_is_judged_in_pieces_alike(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner, _, script = trained(kind)
    whole = judge_episode(learner, lived(script), kind.rollout_shape(4, 7), CPU)
    monkeypatch.setattr(curiosity, "LONGEST_PIECE", 3)
    pieces = judge_episode(learner, lived(script), kind.rollout_shape(4, 7), CPU)
    assert whole is not None
    assert pieces is not None
    torch.testing.assert_close(pieces, whole, rtol=1e-5, atol=1e-6)


def test_plain_ppo_has_no_bonus() -> None:
    kind = Kind(VECTOR, bonus=False)
    shape = kind.rollout_shape(T, 1)
    learner = make_learner(kind, num_envs=1)
    assert judge_episode(learner, lived(draw_script(shape, 0)), shape, CPU) is None


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("none", None),
        ("RND", "bonus: RND, as training scales it"),
        ("SND", "bonus: SND, as training scales it"),
        ("BYOL-Explore", "bonus: BYOL-Explore, normed over this episode"),
    ],
)
def test_the_picture_says_what_its_bonus_is(
    kind: str, said: str | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    recipe = write_recipe(tmp_path_factory.mktemp("recipe"), CARTPOLE, IntrinsicReward=kind)
    assert describe_bonus(load_config(recipe, []).config) == said
