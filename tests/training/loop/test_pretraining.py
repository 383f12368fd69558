"""Self-supervised pretraining: what it learns, when it ends, and what it leaves alone."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from agents.ppo.learner import Learner
from agents.ranks import Ranks
from agents.representation.representation import RepresentationLearning
from agents.representation.views import ViewPair
from agents.rollout import RolloutBuffer
from configs.errors import NonFiniteError
from tests.agents.scripts import draw_script
from tests.agents.small import (
    FRAME,
    Kind,
    assert_all_equal,
    drawn_from,
    make_agent,
    make_learner,
    make_representation,
    parameters_of,
)
from tests.ranks import only_rank
from training.loop.pretraining import Pretraining, PretrainingSettings, _split

T, N = 8, 5
KIND = Kind(FRAME, head="BYOL")
SETTINGS = PretrainingSettings(max_updates=60, batch_size=16, learning_rate=1e-3, adam_epsilon=1e-8)


@pytest.fixture
def ranks() -> Iterator[Ranks]:
    with only_rank() as ranks:
        yield ranks


def make_pretraining(
    learner: Learner,
    ranks: Ranks,
    settings: PretrainingSettings = SETTINGS,
    show: Callable[[str], None] = lambda text: None,
    kind: Kind = KIND,
) -> tuple[Pretraining, RepresentationLearning]:
    with drawn_from(1):
        representation = make_representation(kind, learner.policy)
    stream = torch.Generator().manual_seed(0)
    return Pretraining(
        representation, settings, ranks, stream, lambda text, _: show(text)
    ), representation


class Play:
    """Fills a rollout with squares that wander; stops after some rollouts if told to.

    What follows shows nearly the same place, so there is something to learn.
    """

    def __init__(self, stop_after: int | None = None) -> None:
        shape = KIND.rollout_shape(T, N)
        self.rollout = RolloutBuffer(shape, torch.device("cpu"))
        self.script = draw_script(shape, 0)
        generator = torch.Generator().manual_seed(0)
        places = torch.randint(0, 24, (N, 2), generator=generator)
        for t in range(T):
            places = (places + torch.randint(-2, 3, (N, 2), generator=generator)).clamp(0, 24)
            for frames in (self.script.observations, self.script.finals):
                frames[t].zero_()
                for n, (y, x) in enumerate(places.tolist()):
                    frames[t, n, :, y : y + 12, x : x + 12] = 255
        self.rollout.start(self.script.first)
        self.rollouts = 0
        self._stop_after = stop_after

    def __call__(self) -> bool:
        self.script.fill(self.rollout)
        self.rollouts += 1
        return self.rollouts != self._stop_after


def test_backbone_and_head_are_trained_and_laid_into_the_learner(ranks: Ranks) -> None:
    learner, play = make_learner(KIND, N), Play()
    agent = make_agent(ranks, learner)
    before = parameters_of(learner)
    shown: list[str] = []
    pretraining, representation = make_pretraining(learner, ranks, show=shown.append)
    assert pretraining.run(learner, play.rollout, play)
    after = parameters_of(learner)
    for name in before:
        belongs = name.startswith(("policy.backbone.", "representation."))
        assert torch.equal(before[name], after[name]) != belongs, name
    assert learner.representation is not None
    assert_all_equal(
        parameters_of(learner.representation.twin),
        parameters_of(learner.policy.get_submodule("backbone")),
    )
    assert_all_equal(parameters_of(learner.representation), parameters_of(representation))
    agent.learn(play.rollout)


def test_the_held_out_loss_falls_where_there_is_something_to_learn(ranks: Ranks) -> None:
    learner, play = make_learner(KIND, N), Play()
    shown: list[str] = []
    pretraining, _ = make_pretraining(learner, ranks, show=shown.append)
    assert pretraining.run(learner, play.rollout, play)
    losses = [float(text.rsplit(" ", 1)[1]) for text in shown]
    assert min(losses) < 0.8 * losses[0]


def test_the_weights_of_the_lowest_held_out_loss_are_kept(ranks: Ranks) -> None:
    """What is kept has the lowest of all losses shown, measured again."""
    learner, play = make_learner(KIND, N), Play()
    shown: list[str] = []
    pretraining, representation = make_pretraining(learner, ranks, show=shown.append)
    assert pretraining.run(learner, play.rollout, play)
    held_out = torch.arange(T * N).view(T, N)[:, N - 1 :].flatten()
    again = Play()
    again()
    views = representation.draw_views(
        again.rollout.observations(held_out), again.rollout, held_out, torch.Generator()
    )
    best = min(float(text.rsplit(" ", 1)[1]) for text in shown)
    assert float(representation(views).detach()) == pytest.approx(best, rel=0.05)


def test_it_ends_after_the_stated_number_of_updates(ranks: Ranks) -> None:
    learner, play = make_learner(KIND, N), Play()
    shown: list[str] = []
    few = PretrainingSettings(max_updates=3, batch_size=16, learning_rate=1e-3, adam_epsilon=1e-8)
    pretraining, _ = make_pretraining(learner, ranks, few, shown.append)
    assert pretraining.run(learner, play.rollout, play)
    assert [text.split(",")[0] for text in shown] == ["pretraining 2/3", "pretraining 3/3"]


def test_it_ends_early_where_the_held_out_loss_no_longer_falls(ranks: Ranks) -> None:
    learner, play = make_learner(KIND, N), Play()
    harmful = PretrainingSettings(
        max_updates=10_000, batch_size=16, learning_rate=1.0, adam_epsilon=1e-8
    )
    pretraining, _ = make_pretraining(learner, ranks, harmful)
    assert pretraining.run(learner, play.rollout, play)
    assert play.rollouts < 100


def test_a_stop_leaves_the_learner_as_it_was(ranks: Ranks) -> None:
    learner, play = make_learner(KIND, N), Play(stop_after=2)
    before = parameters_of(learner)
    pretraining, _ = make_pretraining(learner, ranks)
    assert not pretraining.run(learner, play.rollout, play)
    assert_all_equal(parameters_of(learner), before)


def test_a_frozen_backbone_stays_as_pretraining_made_it_to_the_last_bit(ranks: Ranks) -> None:
    learner, play = make_learner(Kind(FRAME), N), Play()
    backbone = learner.policy.get_submodule("backbone").requires_grad_(False)
    agent = make_agent(ranks, learner)
    random = parameters_of(backbone)
    pretraining, representation = make_pretraining(learner, ranks)
    assert pretraining.run(learner, play.rollout, play)
    pretrained = parameters_of(backbone)
    assert_all_equal(pretrained, parameters_of(representation.twin))
    assert any(not torch.equal(pretrained[name], random[name]) for name in random)
    rest = copy.deepcopy(learner.policy.get_submodule("action_head").state_dict())
    for _ in range(2):
        play()
        agent.learn(play.rollout)
    assert_all_equal(parameters_of(backbone), pretrained)
    assert any(
        not torch.equal(value, rest[name])
        for name, value in learner.policy.get_submodule("action_head").state_dict().items()
    )


def test_a_slow_copy_for_the_bonus_starts_from_the_pretrained_backbone(ranks: Ranks) -> None:
    learner, play = make_learner(Kind(FRAME, bonus_input="slow features"), N), Play()
    pretraining, _ = make_pretraining(learner, ranks)
    assert pretraining.run(learner, play.rollout, play)
    assert learner.bonus_features is not None
    slow = parameters_of(learner.bonus_features)
    for name, value in learner.policy.get_submodule("backbone").named_parameters():
        assert torch.equal(slow[f"slow_backbone.slow.{name}"], value)


def test_nothing_held_out_is_trained_on() -> None:
    """Whole environments are held out, at least one and about a tenth."""
    shape = KIND.rollout_shape(T, 20)
    train_on, held_out = _split(RolloutBuffer(shape, torch.device("cpu")))
    assert sorted((held_out % 20).unique().tolist()) == [18, 19]
    assert sorted(torch.cat([train_on, held_out]).tolist()) == list(range(20 * T))
    _, held_out = _split(Play().rollout)
    assert (held_out % N).unique().tolist() == [N - 1]


def test_what_is_held_out_is_drawn_from_all_of_the_rollout(
    ranks: Ranks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first samples are all of one moment after a reset."""
    monkeypatch.setattr("training.loop.pretraining.LARGEST_HELD_OUT", 4)
    learner, play = make_learner(KIND, N), Play()
    pretraining, representation = make_pretraining(learner, ranks)
    drawn: list[Tensor] = []
    draw_views = type(representation).draw_views

    def watched(self: RepresentationLearning, *given: Any) -> ViewPair:
        drawn.append(given[2])
        return draw_views(self, *given)

    monkeypatch.setattr(type(representation), "draw_views", watched)
    assert pretraining.run(learner, play.rollout, play)
    times = (drawn[0] // N).tolist()
    assert (drawn[0] % N).unique().tolist() == [N - 1]
    assert len(set(times)) == 4
    assert times != [0, 1, 2, 3]


def test_a_loss_that_is_not_finite_ends_the_run(ranks: Ranks) -> None:
    learner, play = make_learner(KIND, N), Play()
    before = parameters_of(learner)
    settings = PretrainingSettings(
        max_updates=5, batch_size=16, learning_rate=1e30, adam_epsilon=1e-8
    )
    pretraining, _ = make_pretraining(learner, ranks, settings)
    with pytest.raises(NonFiniteError, match="lower LearningRate"):
        pretraining.run(learner, play.rollout, play)
    assert_all_equal(parameters_of(learner), before)
