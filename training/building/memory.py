"""From a configuration to a policy that remembers."""

from torch import nn

from agents.encoders.encoder import Encoder
from agents.networks.backbones import FrameBackbone, VectorBackbone
from agents.networks.recurrent_actor_critic import RecurrentActorCritic
from agents.networks.recurrent_core import CORES
from configs.errors import ConfigurationError
from configs.schema import Config
from training.building.backbones import frame_backbone_sizes
from training.building.encoders import build_encoder_backbone
from training.building.scaling import build_scaling
from training.building.stacking import stack_size
from workers.environments.base import EnvironmentSpec


def build_recurrent_policy(
    config: Config, spec: EnvironmentSpec, encoder: Encoder | None
) -> RecurrentActorCritic:
    """Build backbone, memory and heads; on a frozen encoder, of features from the rollout.

    Args:
        config: the run's configuration, with a PolicyMemory.
        spec: the environment.
        encoder: that of Backbone = encoder:PATH; None without one.
    """
    ppo = config.ppo
    assert ppo.memory != "none"
    scaling, backbone, trunk, width = _below_memory(config, spec, encoder)
    return RecurrentActorCritic(
        scaling,
        backbone,
        trunk,
        CORES[ppo.memory](width, config.memory_units),
        num_actions=spec.num_actions,
        discrete=spec.discrete,
        value_init_gain=ppo.value_init_gain,
        intrinsic_head=config.intrinsic.kind != "none",
    )


def check_minibatches(config: Config, what: str) -> None:
    """Refuse more minibatches than there are environments to make them of; whoever plays has none.

    Args:
        config: of a run whose policy remembers.
        what: that says so, for the message.

    Raises:
        ConfigurationError: with that message.
    """
    num_envs, num_minibatches = config.run.num_envs, config.ppo.num_minibatches
    if num_envs < num_minibatches:
        raise ConfigurationError(
            f"{what} with NumEnv = {num_envs} and MiniBatch = {num_minibatches}: a minibatch is "
            "made of whole sequences, one of each environment, and each needs at least one; raise "
            "NumEnv or lower MiniBatch"
        )


def _below_memory(
    config: Config, spec: EnvironmentSpec, encoder: Encoder | None
) -> tuple[nn.Module, nn.Module, nn.Module, int]:
    """Return scaling, backbone, and trunk of a RecurrentActorCritic, and the width of the last."""
    hidden_sizes, nothing = config.ppo.state_hidden_sizes, nn.Identity()
    if encoder is not None:
        size = stack_size(config, spec)
        trunk = VectorBackbone(size * encoder.feature_size, hidden_sizes)
        backbone: nn.Module = nn.Identity()
        if not config.learns_from_features:
            backbone = build_encoder_backbone(encoder, config, size)
        return nothing, backbone, trunk, hidden_sizes[-1]
    if len(spec.observation_shape) == 1:
        scaling = build_scaling(config, spec)
        vectors = VectorBackbone(spec.observation_shape[0], hidden_sizes)
        return scaling, vectors, nothing, hidden_sizes[-1]
    frames = FrameBackbone(**frame_backbone_sizes(config, spec))
    return nothing, frames, nothing, frames.feature_size
