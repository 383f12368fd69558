"""Small learners and agents, each of them built alike whenever its arguments are alike."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from gymnasium.spaces import Box, Discrete
from torch import Tensor, nn

from agents.custom_policy import CustomPolicy
from agents.intrinsic.base import Experience, IntrinsicReward
from agents.intrinsic.byol_explore import BYOLExplore
from agents.intrinsic.drnd import DistributionalNetworkDistillation
from agents.intrinsic.rnd import RandomNetworkDistillation
from agents.intrinsic.snd import SelfSupervisedDistillation
from agents.networks.actor_critic import FrameActorCritic, VectorActorCritic
from agents.networks.backbones import FrameBackbone, VectorBackbone
from agents.networks.recurrent_actor_critic import RecurrentActorCritic
from agents.networks.recurrent_core import CORES, MemoryKind
from agents.networks.rnd import FrameEncoder, VectorEncoder
from agents.networks.scaling import BoundScaling, RunningScaling
from agents.networks.world_model import WorldModel
from agents.ppo.learner import Learner, LossWeights
from agents.ppo.policy_features import PolicyFeatures
from agents.ppo.ppo_agent import LearningSettings, PPOAgent
from agents.ppo.targets import Discounting
from agents.ranks import Ranks
from agents.recurrent.custom_policy import RecurrentCustomPolicy
from agents.recurrent.rollout import RecurrentRollout
from agents.representation.barlow_twins import BarlowTwinsHead
from agents.representation.byol import BYOLHead
from agents.representation.head import RepresentationHead
from agents.representation.representation import RepresentationLearning, SlowSchedule
from agents.representation.views import make_view
from agents.rollout import RolloutBuffer, RolloutShape
from models import customnet, customrnn
from tests.agents.scripts import Script

WEIGHTS = LossWeights(clip_range=0.1, entropy=0.01, value=0.5, clip_value_loss=False)
DISCOUNTING = Discounting(
    gamma=0.9, intrinsic_gamma=0.7, gae_lambda=0.8, extrinsic_coef=2.0, intrinsic_coef=0.5
)
SETTINGS = LearningSettings(
    epochs=1,
    num_minibatches=1,
    discounting=DISCOUNTING,
    normalize_advantage=False,
    anneal_learning_rate=False,
    max_grad_norm=None,
    predictor_share=1.0,
)
FRAME = (1, 36, 36)
VECTOR = (3,)
NUM_ACTIONS = 3
MEMORY_UNITS = 6


@dataclass(frozen=True)
class Kind:
    """What sort of learner: what it sees, how it acts, its bonus, its representation head.

    Views show what followed as it is: nothing is drawn for them.
    """

    observation_shape: tuple[int, ...] = VECTOR
    discrete: bool = True
    bonus: bool = True
    bonus_kind: Literal["RND", "DRND", "SND", "BYOL-Explore"] = "RND"
    bonus_input: Literal["pixels", "features", "slow features"] = "pixels"
    head: Literal["BYOL", "Barlow-Twins"] | None = None
    project_gradient: bool = False
    share: float = 1.0  # of a minibatch, for the head
    running: bool = False  # whether states are scaled by running statistics
    custom: bool = False  # whether the policy of vectors is a model of the user's; then an LSTM
    memory: MemoryKind | None = None

    @property
    def bonus_shape(self) -> tuple[int, ...]:
        """The shape of what the bonus looks at."""
        return self.observation_shape if self.bonus_input == "pixels" else (8,)

    def rollout_shape(self, T: int, N: int) -> RolloutShape:
        """The rollout that goes with it; two frames to a stack."""
        frames = len(self.observation_shape) == 3
        return RolloutShape(
            T,
            N,
            stack_size=2 if frames else 1,
            observation_shape=self.observation_shape,
            observation_dtype=torch.uint8 if frames else torch.float32,
            action_shape=() if self.discrete else (NUM_ACTIONS,),
            memory_size=MEMORY_UNITS * CORES[self.memory].num_states if self.memory else 0,
        )


@contextmanager
def drawn_from(seed: int) -> Iterator[None]:
    """Draw from the global generator as if it were fresh, and leave it as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def make_learner(
    kind: Kind,
    num_envs: int,
    *,
    weights: LossWeights = WEIGHTS,
    autocast: torch.dtype | None = None,
    seed: int = 0,
) -> Learner:
    """Build a learner whose values are far from zero, so that a wrong one shows."""
    with drawn_from(seed):
        policy: nn.Module
        if kind.custom:
            policy = make_custom_policy(kind)
        elif kind.memory is not None:
            policy = make_recurrent_policy(kind)
        elif len(kind.observation_shape) == 3:
            policy = FrameActorCritic(
                2,
                36,
                36,
                conv_channels=(3, 4, 5),
                third_kernel=3,
                hidden_size=9,
                feature_size=8,
                num_actions=NUM_ACTIONS,
                discrete=kind.discrete,
                value_init_gain=1.0,
                intrinsic_head=kind.bonus,
            )
        else:
            policy = VectorActorCritic(
                RunningScaling(3) if kind.running else BoundScaling((-1.0,) * 3, (3.0,) * 3),
                3,
                (8, 7),
                num_actions=NUM_ACTIONS,
                discrete=kind.discrete,
                value_init_gain=1.0,
                intrinsic_head=kind.bonus,
            )
        intrinsic = make_bonus(kind, num_envs) if kind.bonus else None
        features = None
        if kind.bonus_input != "pixels":
            momentum = 0.9 if kind.bonus_input == "slow features" else None
            features = PolicyFeatures(policy.get_submodule("backbone"), momentum)
        head = make_representation(kind, policy) if kind.head else None
        return Learner(policy, intrinsic, features, head, weights, autocast)


def make_custom_policy(kind: Kind) -> CustomPolicy:
    """Build the model of models/customnet.py, or customrnn.py, as a policy of vectors."""
    outputs = NUM_ACTIONS if kind.discrete else 2 * NUM_ACTIONS
    made_with = (Box(-1.0, 3.0, VECTOR), Discrete(NUM_ACTIONS), outputs)
    num_values = 2 if kind.bonus else 1
    about: dict[str, Any] = {
        "num_actions": NUM_ACTIONS,
        "discrete": kind.discrete,
        "intrinsic_head": kind.bonus,
        "source": Path("models/custom.py"),
        "digest": "",
    }
    scaling = BoundScaling((-1.0,) * 3, (3.0,) * 3)
    if kind.memory is None:
        model = customnet.CustomModel(*made_with, {"hidden": 8, "num_values": num_values})
        return CustomPolicy(model, scaling, **about)
    told = {"hidden": MEMORY_UNITS, "num_values": num_values}
    remembering, shapes = customrnn.CustomModel(*made_with, told), [(MEMORY_UNITS,)] * 2
    return RecurrentCustomPolicy(remembering, scaling, state_shapes=shapes, **about)


def make_recurrent_policy(kind: Kind) -> RecurrentActorCritic:
    """Build a policy that remembers, from the global generator."""
    assert kind.memory is not None
    scaling: nn.Module = nn.Identity()
    backbone: nn.Module
    if len(kind.observation_shape) == 3:
        backbone = FrameBackbone(
            2, 36, 36, conv_channels=(3, 4, 5), third_kernel=3, hidden_size=9, feature_size=8
        )
    else:
        scaling = RunningScaling(3) if kind.running else BoundScaling((-1.0,) * 3, (3.0,) * 3)
        backbone = VectorBackbone(3, (8,))
    return RecurrentActorCritic(
        scaling,
        backbone,
        nn.Identity(),
        CORES[kind.memory](8, MEMORY_UNITS),
        num_actions=NUM_ACTIONS,
        discrete=kind.discrete,
        value_init_gain=1.0,
        intrinsic_head=kind.bonus,
    )


def rollout_of(shape: RolloutShape) -> RolloutBuffer:
    """Return an empty rollout, of a policy that remembers where the shape says so."""
    kind = RecurrentRollout if shape.memory_size else RolloutBuffer
    return kind(shape, torch.device("cpu"))


def make_representation(kind: Kind, policy: nn.Module) -> RepresentationLearning:
    """Build a head on the policy's backbone from the global generator."""
    head: RepresentationHead
    head = BYOLHead(8, 7, 6) if kind.head == "BYOL" else BarlowTwinsHead(8, (7, 6), 0.1)
    return RepresentationLearning(
        policy.get_submodule("backbone"),
        head,
        make_view("none"),
        SlowSchedule(0.9, cosine=False),
        neighbours=True,
        coef=0.5,
        share=kind.share,
        project_gradient=kind.project_gradient,
    )


def rnd_of(learner: Learner) -> RandomNetworkDistillation:
    """Return the learner's bonus, which must be RND."""
    assert isinstance(learner.intrinsic, RandomNetworkDistillation)
    return learner.intrinsic


def make_bonus(kind: Kind, num_envs: int) -> IntrinsicReward:
    """Build the bonus from the global generator."""
    shape, gamma = kind.bonus_shape, 0.7
    match kind.bonus_kind:
        case "RND":
            return make_rnd(kind, num_envs)
        case "DRND":
            targets, predictor = [make_encoder(shape) for _ in range(3)], make_encoder(shape)
            return DistributionalNetworkDistillation(targets, predictor, shape, num_envs, gamma)
        case "SND":
            target, predictor = make_encoder(shape), make_encoder(shape)
            return SelfSupervisedDistillation(target, predictor, shape, num_envs, gamma)
        case "BYOL-Explore":
            model = make_world_model(kind)
            return BYOLExplore(model, 3, num_envs, gamma, longest_segment=5)


def make_rnd(kind: Kind, num_envs: int) -> RandomNetworkDistillation:
    """Build target and predictor from the global generator."""
    shape = kind.bonus_shape
    target, predictor = make_encoder(shape), make_encoder(shape)
    return RandomNetworkDistillation(target, predictor, shape, num_envs, gamma=0.7)


def make_encoder(shape: tuple[int, ...]) -> nn.Module:
    """Build a network of a bonus over frames [1, H, W] or vectors [D]."""
    if len(shape) == 1:
        return VectorEncoder(shape[0], (7,), 6, 0.2)
    return FrameEncoder(
        36, 36, conv_channels=(2, 3, 4), feature_size=6, extra_hidden=(), leaky_slope=0.2
    )


def make_world_model(kind: Kind) -> WorldModel:
    """Build a world model whose encoder gives 6 features."""
    encoder: nn.Module
    if len(kind.observation_shape) == 3:
        encoder = FrameBackbone(
            *FRAME, conv_channels=(2, 3, 4), third_kernel=3, hidden_size=7, feature_size=6
        )
    else:
        encoder = VectorBackbone(3, (7, 6))
    return WorldModel(
        encoder,
        6,
        num_actions=NUM_ACTIONS,
        discrete=kind.discrete,
        belief_size=5,
        hidden_size=7,
    )


def make_agent(
    ranks: Ranks,
    learner: Learner,
    *,
    settings: LearningSettings = SETTINGS,
    optimizer: torch.optim.Optimizer | None = None,
    seed: int = 0,
) -> PPOAgent:
    """Build an agent, with Adam unless another optimiser is given."""
    return PPOAgent(
        learner,
        optimizer or torch.optim.Adam(trained_parameters(learner), lr=1e-2),
        settings,
        ranks,
        torch.Generator().manual_seed(seed),
    )


def trained_parameters(learner: Learner) -> list[nn.Parameter]:
    """Return what an optimiser moves: the twin of the backbone moves with it."""
    return [
        p
        for name, p in learner.named_parameters()
        if p.requires_grad and not name.startswith("representation.twin.")
    ]


def settings_with(**changes: int | float | bool | None) -> LearningSettings:
    """Return SETTINGS with some numbers changed."""
    return replace(SETTINGS, **changes)  # type: ignore[arg-type] # each test knows its field


def experience_of(inputs: Tensor) -> Experience:
    """Return inputs [K, ...] as what one environment showed in K steps."""
    shape = RolloutShape(len(inputs), 1, 1, VECTOR, torch.float32, ())
    return Experience(RolloutBuffer(shape, torch.device("cpu")), inputs.__getitem__)


def filled(script: Script, shape: RolloutShape) -> RolloutBuffer:
    """Return a first rollout of what `script` tells."""
    rollout = rollout_of(shape)
    rollout.start(script.first)
    script.fill(rollout)
    return rollout


def parameters_of(module: nn.Module) -> dict[str, Tensor]:
    """Return copies of all parameters, by name."""
    return {name: p.detach().clone() for name, p in module.named_parameters()}


def gradients_of(module: nn.Module) -> dict[str, Tensor]:
    """Return copies of the gradients of all trained parameters; zeros where there is none."""
    return {
        name: torch.zeros_like(p) if p.grad is None else p.grad.clone()
        for name, p in module.named_parameters()
        if p.requires_grad
    }


def assert_all_equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    """Assert equality to the last bit, name by name."""
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []
