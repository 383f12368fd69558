"""From a configuration to an intrinsic reward: which kind means which class."""

from functools import partial

from torch import nn

from agents.encoders.encoder import Encoder
from agents.intrinsic.base import IntrinsicReward
from agents.intrinsic.byol_explore import BYOLExplore
from agents.intrinsic.drnd import DistributionalNetworkDistillation
from agents.intrinsic.rnd import RandomNetworkDistillation
from agents.intrinsic.snd import SelfSupervisedDistillation
from agents.networks.backbones import FrameBackbone, VectorBackbone
from agents.networks.batch_norm import GlobalBatchNorm
from agents.networks.layers import FullPrecisionLinear
from agents.networks.rnd import THIRD_KERNEL, FrameEncoder, VectorEncoder
from agents.networks.scaling import BoundScaling
from agents.networks.world_model import WorldModel
from agents.ppo.policy_features import PolicyFeatures
from configs.schema import Config
from training.building.stacking import stack_size
from workers.environments.base import EnvironmentSpec


def build_intrinsic(
    config: Config, spec: EnvironmentSpec, num_envs: int, encoder: Encoder | None = None
) -> IntrinsicReward | None:
    """Build the bonus and its statistics; None for plain PPO.

    Args:
        config: the run's configuration.
        spec: the environment.
        num_envs: environments of this rank.
        encoder: that of Backbone = encoder:PATH; None without one.
    """
    section, shape = config.intrinsic, _input_shape(config, spec, encoder)
    target, predictor = partial(_build_encoder, config, shape), partial(_build_predictor, config)
    common = (shape, num_envs, section.gamma)
    match section.kind:
        case "none":
            return None
        case "RND":
            return RandomNetworkDistillation(target(), predictor(shape), *common)
        case "DRND":
            targets = [target() for _ in range(section.num_targets)]
            alpha = section.first_moment_weight
            return DistributionalNetworkDistillation(targets, predictor(shape), *common, alpha)
        case "SND":
            return SelfSupervisedDistillation(target(), predictor(shape), *common)
        case "BYOL-Explore":
            return BYOLExplore(
                _build_world_model(config, spec),
                section.horizon,
                num_envs,
                section.gamma,
                momentum=section.target_momentum,
            )


def build_bonus_features(config: Config, policy: nn.Module) -> PolicyFeatures | None:
    """Build what shows the bonus the policy's features; None where it sees the rollout's own."""
    section = config.intrinsic
    if section.kind == "none" or section.rnd_input == "pixels" or config.learns_from_features:
        return None
    momentum = 1.0 - section.slow_rate if section.use_slow_backbone else None
    return PolicyFeatures(policy.get_submodule("backbone"), momentum)


def _input_shape(config: Config, spec: EnvironmentSpec, encoder: Encoder | None) -> tuple[int, ...]:
    """Return the shape of what the bonus looks at; of a frozen encoder, the last frame alone."""
    if config.intrinsic.rnd_input == "pixels":
        return spec.observation_shape
    if encoder is None:
        return (config.ppo.feature_size,)
    frames = 1 if config.learns_from_features else stack_size(config, spec)
    return (frames * encoder.feature_size,)


def _build_encoder(config: Config, shape: tuple[int, ...], *extra_hidden: int) -> nn.Module:
    """Build a network over frames [C, H, W] or vectors [D]; a target without extra layers."""
    section = config.intrinsic
    if len(shape) == 1:
        return VectorEncoder(
            shape[0], section.state_hidden_sizes, section.feature_size, section.leaky_slope
        )
    _, height, width = shape
    return FrameEncoder(
        height,
        width,
        conv_channels=section.conv_channels,
        feature_size=section.feature_size,
        extra_hidden=extra_hidden,
        leaky_slope=section.leaky_slope,
    )


def _build_predictor(config: Config, shape: tuple[int, ...]) -> nn.Module:
    """Build a predictor, which must be able to fit whatever a target computes."""
    return _build_encoder(config, shape, config.intrinsic.hidden_size, config.intrinsic.hidden_size)


def _build_world_model(config: Config, spec: EnvironmentSpec) -> WorldModel:
    """Build BYOL-Explore's world model, with an encoder of its own for single frames."""
    section = config.intrinsic
    features: nn.Module
    if len(spec.observation_shape) == 1:
        low, high = spec.observation_low, spec.observation_high
        backbone = VectorBackbone(len(low), section.state_hidden_sizes)
        features, size = nn.Sequential(BoundScaling(low, high), backbone), backbone.feature_size
    else:
        channels, height, width = spec.observation_shape
        size = section.hidden_size
        features = FrameBackbone(
            channels,
            height,
            width,
            conv_channels=section.conv_channels,
            third_kernel=THIRD_KERNEL,
            hidden_size=section.hidden_size,
            feature_size=size,
        )
    # Rectified features may all grow along one direction, where any prediction is right.
    last = FullPrecisionLinear(size, section.feature_size, bias=False)
    centred = GlobalBatchNorm(section.feature_size, affine=False)
    return WorldModel(
        nn.Sequential(features, last, centred),
        section.feature_size,
        num_actions=spec.num_actions,
        discrete=spec.discrete,
        belief_size=section.belief_size,
        hidden_size=section.belief_size,
    )
