"""What a recipe says of an encoder reaches the learner, its optimiser and its rollouts."""

import pytest
import torch

from agents.encoded_frames import EncodedRollout
from agents.encoders.conv_autoencoder import PooledEncoder
from agents.encoders.convolutional import ConvolutionEncoder
from agents.encoders.encoder import Encoder
from agents.encoders.preprocessing import FramePreprocessing
from agents.encoders.reward_induced import RecurrentEncoder
from agents.networks.actor_critic import EncodedActorCritic, VectorActorCritic
from agents.networks.recurrent_actor_critic import memory_size
from agents.ppo.learner import Learner
from agents.ppo.ppo_agent import PPOAgent
from agents.recurrent.recollection import recollection
from agents.rollout import RolloutBuffer
from configs.checks.warnings import warnings
from configs.errors import ConfigurationError
from configs.loading import config_from_mapping
from configs.schema import Config
from tests.agents.scripts import draw_script
from tests.agents.small import drawn_from
from tests.ranks import only_rank
from training.building.encoders import frames_policy
from training.building.learner import (
    build_learner,
    build_optimizer,
    learning_settings,
    rollout_shape,
)
from training.playing.loaded_agent import judge_of
from workers.environments.base import EnvironmentSpec

CPU = torch.device("cpu")
T, N, D = 4, 3, 6
SPEC = EnvironmentSpec("Sprites-v0", (1, 64, 64), "uint8", discrete=False, num_actions=2)
SMALL = {
    "EnvType": "sprites",
    "EnvID": "Sprites-v0",
    "PreProcHeight": "64",
    "PreProcWidth": "64",
    "StateStackSize": "2",
    "NumStep": str(T),
    "NumEnv": str(N),
    "Epoch": "1",
    "MiniBatch": "2",
    "LearningRate": "0.25",
    "StateHiddenSizes": "7",
    "Backbone": "encoder:somewhere",
    "IntrinsicReward": "none",
    "RNDFeatureDim": "5",
    "RNDStateHiddenSizes": "5",
    "RNDConvChannels": "2, 3, 4",
    "RNDHiddenSize": "5",
    "WorldModelSize": "5",
    "EncoderLearningRateFactor": "0.5",
}
TRAINED = ["scratch", "finetune", "brain_split"]
USES = ["frozen", *TRAINED]


def config(use: str, **values: str) -> Config:
    return config_from_mapping(SMALL | {"Representation": use} | values)


def encoder_of(kind: type[Encoder] = RecurrentEncoder) -> Encoder:
    preprocessing = FramePreprocessing(64, 64, 1, standardize=True)
    with drawn_from(7):
        encoder: Encoder = kind(preprocessing, feature_size=D)  # type: ignore[call-arg]
    preprocessing.mean.fill_(0.3)
    return encoder.eval().requires_grad_(False)


def learner_of(read: Config, encoder: Encoder | None = None) -> Learner:
    with drawn_from(0):
        return build_learner(read, SPEC, N, encoder or encoder_of())


def learnt(read: Config, encoder: Encoder | None = None) -> Learner:
    """Learn once from made-up play."""
    learner = learner_of(read, encoder)
    shape = rollout_shape(read, SPEC, N, learner.encoder)
    rollout = learner.new_rollout(shape, CPU)
    script = draw_script(rollout_shape(read, SPEC, N), 0)
    rollout.start(script.first)
    script.fill(rollout)
    with only_rank() as ranks:
        optimizer = build_optimizer(read, learner)
        settings = learning_settings(read, N)
        PPOAgent(learner, optimizer, settings, ranks, torch.Generator()).learn(rollout)
    return learner


def same(one: torch.nn.Module, other: torch.nn.Module) -> list[bool]:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return [torch.equal(a, b) for a, b in pairs]


def policy_of(learner: Learner) -> EncodedActorCritic:
    assert isinstance(learner.policy, EncodedActorCritic)
    return learner.policy


def test_a_frozen_encoder_stands_before_the_rollout_and_stays_as_it_is() -> None:
    read, encoder = config("frozen"), encoder_of()
    learner = learnt(read, encoder)
    assert isinstance(learner.policy, VectorActorCritic)
    assert learner.encoder is encoder
    assert all(same(encoder, encoder_of()))
    assert not all(same(learner.policy, learner_of(read).policy))
    shape = rollout_shape(read, SPEC, N, encoder)
    assert (shape.observation_shape, shape.observation_dtype) == ((D,), torch.float32)
    assert isinstance(learner.new_rollout(shape, CPU), EncodedRollout)


@pytest.mark.parametrize("memory", ["none", "GRU"])
def test_a_policy_of_frames_judges_in_bfloat16_as_the_evaluation_does(memory: str) -> None:
    keys = {"Precision": "bfloat16", "StateStackSize": "1", "PolicyMemory": memory}
    read = config("frozen", **keys)
    learner = learner_of(read, encoder_of(ConvolutionEncoder))
    frames = torch.randint(0, 256, (N, 1, 64, 64), dtype=torch.uint8)
    size = memory_size(learner.policy)
    seen = recollection(learner.encoder, frames, 1, size).policy_input
    shown = recollection(None, frames, 1, size).policy_input
    whole = frames_policy(learner, 1)
    with torch.no_grad():
        wanted = judge_of(learner, CPU)(seen)
        with learner.precision(CPU):
            found = whole(shown)
    assert torch.equal(found.value_extrinsic, wanted.value_extrinsic)
    assert torch.equal(found.distribution.mode(), wanted.distribution.mode())


@pytest.mark.parametrize(
    ("use", "kind"),
    [
        *((use, RecurrentEncoder) for use in TRAINED),
        ("finetune", ConvolutionEncoder),
        ("finetune", PooledEncoder),
    ],
)
def test_a_trained_encoder_moves_but_for_its_preprocessing(use: str, kind: type[Encoder]) -> None:
    read, trained = config(use), encoder_of(kind)
    learner = learnt(read, trained)
    before = policy_of(learner_of(read, trained)).backbone.encoder
    after = policy_of(learner).backbone.encoder
    assert isinstance(before, Encoder)
    assert isinstance(after, Encoder)
    assert all(same(trained, encoder_of(kind)))  # what was given is nobody's to change
    assert all(same(after.preprocessing, trained.preprocessing))
    moved = {
        name
        for name, parameter in after.named_parameters()
        if not torch.equal(parameter, before.get_parameter(name))
    }
    assert moved == {
        name for name, parameter in after.named_parameters() if parameter.requires_grad
    }
    assert moved
    assert all(same(before, trained)) == (use != "scratch")
    assert type(learner.new_rollout(rollout_shape(read, SPEC, N), CPU)) is RolloutBuffer


def test_a_split_brain_begins_with_two_equal_encoders_that_part() -> None:
    read = config("brain_split")
    first, then = policy_of(learner_of(read)), policy_of(learnt(read))
    assert first.critic_backbone is not None
    assert then.critic_backbone is not None
    assert all(same(first.backbone, first.critic_backbone))
    assert not all(same(then.backbone, then.critic_backbone))
    assert policy_of(learner_of(config("finetune"))).critic_backbone is None


def gradient_reaches(policy: EncodedActorCritic, loss: torch.Tensor) -> set[str]:
    named = {name: p for name, p in policy.named_parameters() if p.requires_grad}
    found = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    return {name for name, gradient in zip(named, found, strict=True) if gradient is not None}


@pytest.mark.parametrize("kind", [RecurrentEncoder, ConvolutionEncoder])
def test_of_a_split_brain_no_half_has_a_gradient_from_the_other(kind: type[Encoder]) -> None:
    read = config("brain_split")
    policy = policy_of(learner_of(read, encoder_of(kind)))
    frames = torch.randint(0, 256, (3, 2, 64, 64), dtype=torch.uint8)
    actor = gradient_reaches(policy, policy(frames).distribution.log_prob(torch.ones(3, 2)).sum())
    critic = gradient_reaches(policy, policy(frames).value_extrinsic.sum())
    assert not actor & critic
    assert actor | critic == {n for n, p in policy.named_parameters() if p.requires_grad}
    for half, backbone in ((actor, "backbone.encoder."), (critic, "critic_backbone.encoder.")):
        assert any(name.startswith(backbone) for name in half)
    storages = [parameter.data_ptr() for parameter in policy.parameters()]
    assert len(set(storages)) == len(storages)
    shared = policy_of(learner_of(config("finetune"), encoder_of(kind)))
    of_value = gradient_reaches(shared, shared(frames).value_extrinsic.sum())
    assert any(name.startswith("backbone.encoder.") for name in of_value)


def test_of_a_split_brain_each_half_learns_as_if_the_other_were_not_there() -> None:
    """Two updates from the same rollout whose returns differ move the actor's half alike."""
    keys = {"UseGradClipping": "False", "ValueCoef": "0.5"}
    calm, shaken = (
        learnt(config("brain_split", **keys)),
        learnt(config("brain_split", **keys | {"ValueCoef": "50"})),
    )
    one, other = policy_of(calm), policy_of(shaken)
    assert all(same(one.backbone, other.backbone))
    assert all(same(one.heads.policy_backbone, other.heads.policy_backbone))
    shared = [
        policy_of(learnt(config("finetune", **keys | {"ValueCoef": c}))) for c in ("0.5", "50")
    ]
    assert not all(same(shared[0].backbone, shared[1].backbone))


@pytest.mark.parametrize(
    ("use", "rates"),
    [
        ("frozen", [0.25]),
        ("scratch", [0.25]),
        ("finetune", [0.25, 0.125]),
        ("brain_split", [0.25, 0.125]),
    ],
)
def test_only_what_was_trained_before_learns_at_a_rate_of_its_own(
    use: str, rates: list[float]
) -> None:
    learner = learner_of(config(use))
    optimizer = build_optimizer(config(use), learner)
    assert [group["lr"] for group in optimizer.param_groups] == rates
    grouped = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    wanted = [parameter for parameter in learner.parameters() if parameter.requires_grad]
    assert {id(p) for p in grouped} == {id(p) for p in wanted}
    assert len(grouped) == len(wanted)
    if len(rates) > 1:
        slow = {id(parameter) for parameter in optimizer.param_groups[1]["params"]}
        assert slow == {
            id(parameter)
            for name, parameter in learner.named_parameters()
            if ".encoder." in name and parameter.requires_grad
        }


def test_the_encoder_learns_at_a_tenth_by_default() -> None:
    assert Config().representation.encoder_learning_rate_factor == 0.1


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(
    "bonus",
    [
        {"IntrinsicReward": "RND", "RNDInput": "features"},
        {"IntrinsicReward": "DRND", "RNDInput": "features", "DRNDTargets": "2"},
        {"IntrinsicReward": "RND"},
        {"IntrinsicReward": "SND"},
        {"IntrinsicReward": "BYOL-Explore", "WorldModelHorizon": "2"},
    ],
    ids=lambda bonus: " of ".join(list(bonus.values())[:2]),
)
def test_every_bonus_learns_with_an_encoder_or_is_refused(use: str, bonus: dict[str, str]) -> None:
    if use == "frozen" and "RNDInput" not in bonus:
        with pytest.raises(ConfigurationError, match=r"rollouts hold the encoder's features"):
            config(use, **bonus)
        return
    learner = learnt(config(use, **bonus))
    assert learner.intrinsic is not None
    assert not all(same(learner.intrinsic, learner_of(config(use, **bonus)).intrinsic))  # type: ignore[arg-type]


OWN = {"Backbone": "own"}


@pytest.mark.parametrize(
    ("use", "values", "words"),
    [
        ("oracle", OWN, "Representation = oracle with pixels"),
        ("own", {}, "say what becomes of the encoder"),
        ("oracle", {"EnvID": "SpritesState-v0"}, "say what becomes of the encoder"),
        *((use, OWN, f"Representation = {use} without an encoder") for use in USES),
        ("frozen", {"EnvID": "SpritesState-v0"}, "encoders see frames"),
        (
            "finetune",
            {"RepresentationLearningParameter": "BYOL"},
            "the heads train the policy's own network",
        ),
        (
            "finetune",
            {"FreezeSharedBackbone": "True", "loadModel": "True"},
            "set Representation = frozen",
        ),
        ("frozen", {"Backbone": "encoder:"}, "Backbone"),
        ("frozen", {"Backbone": "decoder:x"}, "Backbone"),
    ],
)
def test_a_backbone_and_a_use_of_it_that_do_not_fit_are_refused(
    use: str, values: dict[str, str], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        config(use, **values)


def test_a_slow_copy_of_an_encoder_at_rest_is_warned_of() -> None:
    keys = {"IntrinsicReward": "RND", "RNDInput": "features", "UseEmaBackboneForRND": "True"}
    (said,) = warnings(config("frozen", **keys))
    assert said.startswith("UseEmaBackboneForRND = True with Representation = frozen: has no eff")
    assert warnings(config("finetune", **keys)) == []
    assert warnings(config("frozen", **keys | {"UseEmaBackboneForRND": "False"})) == []


def test_an_oracle_is_the_policy_of_the_state() -> None:
    keys = {"EnvID": "SpritesState-v0", "Backbone": "own"}
    oracle, own = config("oracle", **keys), config("own", **keys)
    spec = EnvironmentSpec(
        "SpritesState-v0",
        (4,),
        "float32",
        discrete=False,
        num_actions=2,
        observation_low=(0.0,) * 4,
        observation_high=(1.0,) * 4,
    )
    with drawn_from(0):
        first = build_learner(oracle, spec, N)
    with drawn_from(0):
        second = build_learner(own, spec, N)
    assert all(same(first, second))
