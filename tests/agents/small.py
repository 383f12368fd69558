"""Small learners and agents, each of them built alike whenever its arguments are alike."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from agents.intrinsic.rnd import RandomNetworkDistillation
from agents.learner import Learner, LossWeights
from agents.networks.actor_critic import FrameActorCritic, VectorActorCritic
from agents.networks.rnd import FrameEncoder, VectorEncoder
from agents.ppo_agent import LearningSettings, PPOAgent
from agents.ranks import Ranks
from agents.rollout import RolloutBuffer, RolloutShape
from tests.agents.scripts import Script

WEIGHTS = LossWeights(clip_range=0.1, entropy=0.01, value=0.5, clip_value_loss=False)
SETTINGS = LearningSettings(
    epochs=1,
    num_minibatches=1,
    gamma=0.9,
    gae_lambda=0.8,
    intrinsic_gamma=0.7,
    extrinsic_coef=2.0,
    intrinsic_coef=0.5,
    normalize_advantage=False,
    max_grad_norm=None,
    predictor_share=1.0,
)
FRAME = (1, 36, 36)
VECTOR = (3,)
NUM_ACTIONS = 3


@dataclass(frozen=True)
class Kind:
    """What sort of learner: what it sees, how it acts, whether it has a bonus."""

    observation_shape: tuple[int, ...] = VECTOR
    discrete: bool = True
    bonus: bool = True

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
        if len(kind.observation_shape) == 3:
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
                (-1.0,) * 3,
                (3.0,) * 3,
                (8, 7),
                num_actions=NUM_ACTIONS,
                discrete=kind.discrete,
                value_init_gain=1.0,
                intrinsic_head=kind.bonus,
            )
        return Learner(policy, make_rnd(kind, num_envs) if kind.bonus else None, weights, autocast)


def make_rnd(kind: Kind, num_envs: int) -> RandomNetworkDistillation:
    """Build target and predictor from the global generator."""
    target: nn.Module
    predictor: nn.Module
    if len(kind.observation_shape) == 3:
        target, predictor = (
            FrameEncoder(
                36, 36, conv_channels=(2, 3, 4), feature_size=6, extra_hidden=(), leaky_slope=0.2
            )
            for _ in range(2)
        )
    else:
        target, predictor = (VectorEncoder(3, (7,), 6, 0.2) for _ in range(2))
    return RandomNetworkDistillation(target, predictor, kind.observation_shape, num_envs, gamma=0.7)


def make_agent(
    ranks: Ranks,
    learner: Learner,
    *,
    settings: LearningSettings = SETTINGS,
    optimizer: torch.optim.Optimizer | None = None,
    seed: int = 0,
) -> PPOAgent:
    """Build an agent, with Adam unless another optimiser is given."""
    trained = [p for p in learner.parameters() if p.requires_grad]
    return PPOAgent(
        learner,
        optimizer or torch.optim.Adam(trained, lr=1e-2),
        settings,
        ranks,
        torch.Generator().manual_seed(seed),
    )


def settings_with(**changes: int | float | bool | None) -> LearningSettings:
    """Return SETTINGS with some numbers changed."""
    return replace(SETTINGS, **changes)  # type: ignore[arg-type] # each test knows its field


def filled(script: Script, shape: RolloutShape) -> RolloutBuffer:
    """Return a first rollout of what `script` tells."""
    rollout = RolloutBuffer(shape, torch.device("cpu"))
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
