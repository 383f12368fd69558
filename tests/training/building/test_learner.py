"""Every key of heads and bonuses reaches what it is about, from its spelling in a .conf file on."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from agents.intrinsic.base import IntrinsicReward
from agents.intrinsic.byol_explore import BYOLExplore
from agents.intrinsic.drnd import DistributionalNetworkDistillation
from agents.intrinsic.rnd import RandomNetworkDistillation
from agents.intrinsic.snd import SelfSupervisedDistillation
from agents.losses.barlow_twins import cross_correlation, redundancy_loss
from agents.networks.slow_copy import SlowCopy
from agents.ppo.learner import Learner
from agents.representation.barlow_twins import BarlowTwinsHead
from agents.representation.byol import BYOLHead
from agents.representation.head import Embeddings
from agents.representation.representation import RepresentationLearning
from agents.representation.views import ViewPair
from agents.rollout import RolloutBuffer
from agents.steps.adam import FusedAdam
from configs.loading import config_from_mapping
from configs.options import all_options
from configs.schema import Config
from tests.agents.scripts import draw_script
from tests.agents.small import drawn_from, filled
from training.building.bonuses import build_bonus_features, build_intrinsic
from training.building.heads import build_pretraining, build_representation
from training.building.learner import build_learner, build_optimizer, build_policy, rollout_shape
from workers.environments.base import EnvironmentSpec

T, N = 4, 6
SPEC = EnvironmentSpec("made up", (1, 36, 36), "uint8", discrete=True, num_actions=3)
SMALL = {
    "EnvID": "PongNoFrameskip-v4",
    "PreProcHeight": "36",
    "PreProcWidth": "36",
    "StateStackSize": "2",
    "NumStep": str(T),
    "NumEnv": str(N),
    "LearningRate": "0.125",
    "ThirdKernel": "3",
    "ConvChannels": "2, 3, 4",
    "HiddenSize": "9",
    "FeatureDim": "8",
    "RNDConvChannels": "2, 3, 4",
    "RNDHiddenSize": "10",
    "RNDStateHiddenSizes": "11, 12",
    "RNDFeatureDim": "13",
    "WorldModelSize": "5",
    "BYOL_projectionHiddenSize": "14",
    "BYOL_projectionSize": "15",
    "BarlowTwinsProjectionSizes": "16, 17, 18",
}
HEAD = "RepresentationLearningParameter"
BONUS = "IntrinsicReward"
BONUSES = [
    ("RND", RandomNetworkDistillation),
    ("DRND", DistributionalNetworkDistillation),
    ("SND", SelfSupervisedDistillation),
    ("BYOL-Explore", BYOLExplore),
]


def config(head: str = "None", **values: str) -> Config:
    """Read keys as they stand in a .conf file, on top of a small recipe."""
    return config_from_mapping(SMALL | {HEAD: head} | values)


def learner_for(read: Config) -> Learner:
    with drawn_from(0):
        return build_learner(read, SPEC, N)


def head_for(head: str, **values: str) -> RepresentationLearning:
    with drawn_from(0):
        read = config(head, **values)
        built = build_representation(read, build_policy(read, SPEC))
    assert built is not None
    return built


def bonus_for(kind: str, **values: str) -> IntrinsicReward:
    with drawn_from(0):
        built = build_intrinsic(config(**{BONUS: kind}, **values), SPEC, N)
    assert built is not None
    return built


def play(read: Config | None = None) -> RolloutBuffer:
    shape = rollout_shape(read or config(), SPEC, N)
    return filled(draw_script(shape, 0), shape)


def views_of(representation: RepresentationLearning, observations: Tensor) -> ViewPair:
    samples = torch.arange(len(observations))
    generator = torch.Generator().manual_seed(0)
    return representation.draw_views(observations, play(), samples, generator)


def raw_bonuses(learner: Learner) -> Tensor:
    assert learner.intrinsic is not None
    return learner.intrinsic.raw_bonuses(learner.experience(play()))


def shapes(module: nn.Module) -> list[tuple[int, ...]]:
    """Return [out, in] of the linear layers, in order."""
    layers = [part for part in module.modules() if isinstance(part, nn.Linear)]
    return [tuple(layer.weight.shape) for layer in layers]


@torch.no_grad()
def raise_weights(module: nn.Module) -> None:
    for parameter in module.parameters():
        parameter.add_(1.0)


def gap(slow: SlowCopy | None, online: nn.Module) -> float:
    """Return how far a slow copy is behind an online module whose weights were raised by 1."""
    assert slow is not None
    pairs = zip(online.parameters(), slow.slow.parameters(), strict=True)
    behind = torch.cat([(new - old).detach().flatten() for new, old in pairs])
    torch.testing.assert_close(behind, behind.mean().expand_as(behind), rtol=0, atol=1e-5)
    return float(behind.mean())


@pytest.mark.parametrize(("kind", "head"), [("BYOL", BYOLHead), ("Barlow-Twins", BarlowTwinsHead)])
def test_the_head_is_of_the_kind_asked_for(kind: str, head: type) -> None:
    learner = learner_for(config(kind))
    assert learner.representation is not None
    assert type(learner.representation.head) is head
    pretraining = build_pretraining(config(kind), learner.policy)
    assert pretraining is not None
    assert type(pretraining.head) is head


def test_there_is_no_head_where_none_is_asked_for() -> None:
    learner = learner_for(config())
    assert learner.representation is None
    assert build_pretraining(config(), learner.policy) is None


def test_the_heads_loss_has_its_weight() -> None:
    assert head_for("BYOL", RepresentationCoef="0.375").coef == 0.375


def test_the_head_looks_at_its_share_of_a_minibatch() -> None:
    representation = head_for("BYOL", RepresentationShare="0.25")
    views = views_of(representation, play().observations(torch.arange(16)))
    assert [len(view) for view in views] == [4, 4]


def test_byols_networks_have_their_sizes() -> None:
    head = head_for("BYOL").head
    assert isinstance(head, BYOLHead)
    assert shapes(head.projector) == [(14, 8), (15, 14)]
    assert shapes(head.slow_projector) == shapes(head.projector)
    assert shapes(head.predictor) == [(14, 15), (15, 14)]


@pytest.mark.parametrize(("schedule", "momentum"), [("constant", 0.75), ("cosine", 1 - 0.25 * 0.5)])
def test_byols_slow_copies_follow_by_their_momentum_and_its_schedule(
    schedule: str, momentum: float
) -> None:
    """Half way, the cosine has brought the momentum half way to 1."""
    keys = {"BYOL_movingAverageDecay": "0.75", "BYOL_momentumSchedule": schedule}
    representation = head_for("BYOL", **keys)
    head = representation.head
    assert isinstance(head, BYOLHead)
    raise_weights(representation.twin)
    raise_weights(head.projector)
    representation.after_step(0.5)
    assert gap(representation.slow_backbone, representation.twin) == pytest.approx(
        momentum, abs=1e-5
    )
    assert gap(head.slow_projector, head.projector) == pytest.approx(momentum, abs=1e-5)


def test_barlow_twins_weighs_redundancy_by_its_lambda() -> None:
    head = head_for("Barlow-Twins", BarlowTwinsLambda="0.625").head
    features = Embeddings(*torch.randn(2, 10, 8, generator=torch.Generator().manual_seed(0)))
    correlation = cross_correlation(*head.embed(features))
    torch.testing.assert_close(head.loss(features, None), redundancy_loss(correlation, 0.625))


def test_barlow_twins_projector_has_its_widths() -> None:
    head = head_for("Barlow-Twins").head
    assert isinstance(head, BarlowTwinsHead)
    assert shapes(head.projector) == [(16, 8), (17, 16), (18, 17)]


@pytest.mark.parametrize(
    ("augmentation", "changes_grey", "changes_ramp", "makes_shades"),
    [
        ("none", False, False, False),
        ("shift", False, True, False),
        ("shift+intensity", True, True, True),
        ("crop", False, True, True),
    ],
)
def test_views_are_drawn_as_asked_for(
    augmentation: str, *, changes_grey: bool, changes_ramp: bool, makes_shades: bool
) -> None:
    """A shift changes nothing on an even grey, and on a ramp makes no shade that was not there."""
    representation = head_for("BYOL", Augmentation=augmentation)
    grey = torch.full((16, 2, 36, 36), 100, dtype=torch.uint8)
    ramp = (5 * torch.arange(36, dtype=torch.uint8)).expand_as(grey).contiguous()
    for view in views_of(representation, grey):
        assert bool((view.float() - 100.0).abs().max() > 0.01) == changes_grey
    for view in views_of(representation, ramp):
        assert (not torch.equal(view.float(), ramp.float())) == changes_ramp
        assert bool((view.float() % 5).any()) == makes_shades


@pytest.mark.parametrize("augmentation", ["shift", "shift+intensity"])
@pytest.mark.parametrize("pixels", [2, 5])
def test_views_are_shifted_by_so_many_pixels_at_most(augmentation: str, pixels: int) -> None:
    """Where an edge has gone, along both axes; the farthest places are reached."""
    keys = {"Augmentation": augmentation, "ShiftPixels": str(pixels)}
    frames = torch.zeros(200, 2, 36, 36, dtype=torch.uint8)
    frames[..., 18:, 18:] = 100
    for view in views_of(head_for("BYOL", **keys), frames):
        for edge in (view[:, 0, 35], view[:, 0, :, 35]):
            moved = (edge == 0).sum(dim=1) - 18
            assert (int(moved.min()), int(moved.max())) == (-pixels, pixels)


@pytest.mark.parametrize("second", ["same", "next"])
def test_the_second_view_shows_what_it_is_to_show(second: str) -> None:
    representation = head_for("BYOL", Augmentation="none", SecondView=second)
    rollout, samples = play(), torch.arange(T * N)
    shown = {"same": rollout.observations, "next": rollout.next_observations}[second]
    views = views_of(representation, rollout.observations(samples))
    assert torch.equal(views.first, rollout.observations(samples))
    assert torch.equal(views.second, shown(samples))


@pytest.mark.parametrize(("project", "left"), [("False", 0.0), ("True", 1.0)])
def test_a_gradient_against_ppos_is_projected_away_where_that_is_asked_for(
    project: str, left: float
) -> None:
    learner = learner_for(config("BYOL", UseGradientProjection=project))
    assert learner.representation is not None
    backbone = learner.policy.get_submodule("backbone")
    for parameter in backbone.parameters():
        parameter.grad = torch.ones_like(parameter)
    for parameter in learner.representation.twin.parameters():
        parameter.grad = -torch.ones_like(parameter)
    learner.fold_gradients()
    for parameter in backbone.parameters():
        torch.testing.assert_close(parameter.grad, torch.full_like(parameter, left))


def rates(learner: Learner, optimizer: FusedAdam) -> dict[str, float]:
    """Return the step size of every parameter in the optimiser, by the parameter's name."""
    found = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert len(found) == sum(len(group["params"]) for group in optimizer.param_groups)
    named = {name: found.pop(id(p)) for name, p in learner.named_parameters() if id(p) in found}
    assert not found
    return named


@pytest.mark.parametrize("freeze", ["False", "True"])
def test_a_frozen_backbone_is_left_alone_but_can_be_pretrained(freeze: str) -> None:
    frozen = freeze == "True"
    read = config("BYOL", SSLPretraining="3", FreezeSharedBackbone=freeze)
    learner = learner_for(read)
    backbone = learner.policy.get_submodule("backbone")
    assert {p.requires_grad for p in backbone.parameters()} == {not frozen}
    assert (learner.representation is None) == frozen
    trained = {name for name in rates(learner, build_optimizer(read, learner))}
    assert any(name.startswith("policy.backbone.") for name in trained) != frozen
    assert any(name.startswith("policy.") for name in trained)
    pretraining = build_pretraining(read, learner.policy)
    assert pretraining is not None
    projector = pretraining.head.get_submodule("projector")
    assert all(p.requires_grad for p in [*pretraining.twin.parameters(), *projector.parameters()])


@pytest.mark.parametrize("kind", [kind for kind, _ in BONUSES])
@pytest.mark.parametrize(("chosen", "rate"), [("auto", 0.125), ("0.25", 0.25)])
def test_all_that_is_trained_has_its_step_size_and_the_twin_none(
    kind: str, chosen: str, rate: float
) -> None:
    """The bonus its own; policy and head LearningRate; slow copies and targets none."""
    read = config("BYOL", **{BONUS: kind}, PredictorLearningRate=chosen)
    learner = learner_for(read)
    assert rates(learner, build_optimizer(read, learner)) == {
        name: rate if name.startswith("intrinsic.") else 0.125
        for name, parameter in learner.named_parameters()
        if parameter.requires_grad and not name.startswith("representation.twin.")
    }


@pytest.mark.parametrize(("kind", "bonus"), BONUSES)
def test_the_bonus_is_of_the_kind_asked_for(kind: str, bonus: type) -> None:
    assert type(learner_for(config(**{BONUS: kind})).intrinsic) is bonus


@pytest.mark.parametrize("kind", ["RND", "DRND"])
@pytest.mark.parametrize(
    ("name", "width"), [("pixels", None), ("original", None), ("features", 8), ("modified", 8)]
)
def test_the_bonus_looks_at_frames_or_at_the_policys_features(
    kind: str, name: str, width: int | None
) -> None:
    learner = learner_for(config(**{BONUS: kind}, RNDInput=name))
    assert learner.intrinsic is not None
    inputs = learner.experience(play()).next_inputs(torch.arange(5))
    assert inputs.shape == ((5, 1, 36, 36) if width is None else (5, width))
    assert raw_bonuses(learner).shape == (T, N)
    predictor = learner.intrinsic.get_submodule("predictor")
    frames = [(10, 4), (10, 10), (13, 10)]  # behind the convolutions
    assert shapes(predictor) == (frames if width is None else [(11, 8), (12, 11), (13, 12)])


@pytest.mark.parametrize(
    ("slow", "behind"), [({"UseEmaBackboneForRND": "True", "EmaTau": "0.25"}, 0.75), ({}, None)]
)
def test_the_features_are_those_of_a_slow_backbone_where_that_is_asked_for(
    slow: dict[str, str], behind: float | None
) -> None:
    """EmaTau is the share by which it nears the live one, not what it keeps."""
    learner = learner_for(config(RNDInput="features", **slow))
    assert learner.bonus_features is not None
    rollout, samples = play(), torch.arange(T * N)
    backbone = learner.policy.get_submodule("backbone")
    before = learner.experience(rollout).next_inputs(samples)
    raise_weights(backbone)
    after = learner.experience(rollout).next_inputs(samples)
    assert torch.equal(before, after) == bool(slow)
    learner.after_step(0.0)
    if behind is None:
        assert learner.bonus_features.slow_backbone is None
    else:
        assert gap(learner.bonus_features.slow_backbone, backbone) == pytest.approx(
            behind, abs=1e-5
        )


def test_what_looks_at_frames_has_no_slow_backbone() -> None:
    read = config(RNDInput="pixels", UseEmaBackboneForRND="True")
    assert build_bonus_features(read, build_policy(read, SPEC)) is None


@pytest.mark.parametrize("count", [2, 5])
def test_drnd_has_so_many_targets_each_of_its_own_draw(count: int) -> None:
    bonus = bonus_for("DRND", DRNDTargets=str(count))
    assert isinstance(bonus, DistributionalNetworkDistillation)
    starts = {tuple(next(target.parameters()).flatten().tolist()) for target in bonus.targets}
    assert len(bonus.targets) == len(starts) == count


def test_drnds_alpha_weighs_the_distance_to_the_mean() -> None:
    distance, count, both = (
        raw_bonuses(learner_for(config(**{BONUS: "DRND"}, DRNDAlpha=alpha)))
        for alpha in ("1", "0", "0.25")
    )
    torch.testing.assert_close(both, 0.25 * distance + 0.75 * count)
    assert distance.mean() > count.mean()


@pytest.mark.parametrize("horizon", [1, 3])
def test_byol_explore_predicts_so_many_steps_ahead(horizon: int) -> None:
    learner = learner_for(config(**{BONUS: "BYOL-Explore"}, WorldModelHorizon=str(horizon)))
    assert isinstance(learner.intrinsic, BYOLExplore)
    model = learner.intrinsic.world_model
    one_less, as_many, one_more = (
        BYOLExplore(copy.deepcopy(model), steps, N, 0.99).raw_bonuses(learner.experience(play()))
        for steps in (max(1, horizon - 1), horizon, horizon + 1)
    )
    found = raw_bonuses(learner)
    torch.testing.assert_close(found, as_many)
    assert not torch.allclose(found, one_more)
    assert torch.allclose(found, one_less) == (horizon == 1)


@pytest.mark.parametrize("size", [5, 19])
def test_byol_explores_belief_has_its_width(size: int) -> None:
    bonus = bonus_for("BYOL-Explore", WorldModelSize=str(size))
    assert isinstance(bonus, BYOLExplore)
    model = bonus.world_model
    assert bonus.belief.shape == (N, size)
    assert model.closed_loop.hidden_size == model.open_loop.hidden_size == size
    assert shapes(model.predictor) == [(size, size), (13, size)]


def test_byol_explores_slow_encoder_follows_by_its_momentum() -> None:
    bonus = bonus_for("BYOL-Explore", WorldModelMomentum="0.625")
    assert isinstance(bonus, BYOLExplore)
    raise_weights(bonus.world_model.encoder)
    bonus.after_step()
    assert gap(bonus.slow_encoder, bonus.world_model.encoder) == pytest.approx(0.625, abs=1e-5)


@pytest.mark.parametrize(
    ("key", "value", "shape"),
    [
        ("RNDFeatureDim", "12", (1, 36, 36)),
        ("RNDHiddenSize", "12", (1, 36, 36)),
        ("RNDConvChannels", "3, 4, 5", (1, 36, 36)),
        ("RNDFeatureDim", "12", (2,)),
        ("RNDStateHiddenSizes", "12, 12", (2,)),
    ],
)
def test_a_key_of_rnd_that_sizes_byol_explores_encoder_says_so(
    key: str, value: str, shape: tuple[int, ...]
) -> None:
    low, high = (0.0, 0.0), (1.0, 1.0)
    spec = replace(SPEC, observation_shape=shape, observation_low=low, observation_high=high)
    usual, other = (
        build_intrinsic(config(**{BONUS: "BYOL-Explore", **changed}), spec, N)
        for changed in (dict[str, str](), {key: value})
    )
    assert isinstance(usual, BYOLExplore)
    assert isinstance(other, BYOLExplore)
    sizes = [[each.shape for each in bonus.world_model.parameters()] for bonus in (usual, other)]
    assert sizes[0] != sizes[1]
    (option,) = (each for each in all_options().values() if each.key == key)
    assert "BYOL-Explore's encoder" in option.help
