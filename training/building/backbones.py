"""From a configuration to what a policy's first layers need: scaling of states, sizes of frames."""

from typing import Any

from torch import nn

from agents.networks.scaling import BoundScaling, NoScaling, RunningScaling
from configs.schema import Config
from training.building.stacking import stack_size
from workers.environments.base import EnvironmentSpec


def build_scaling(config: Config, spec: EnvironmentSpec) -> nn.Module:
    """Build what lays state vectors on the scale of the policy's networks."""
    match config.ppo.observation_scaling:
        case "running":
            return RunningScaling(spec.observation_shape[0])
        case "none":
            return NoScaling()
        case "auto" | "bounds":
            return BoundScaling(spec.observation_low, spec.observation_high)


def frame_backbone_sizes(config: Config, spec: EnvironmentSpec) -> dict[str, Any]:
    """Return the arguments of a FrameBackbone for the policy's stacked frames."""
    channels, height, width = spec.observation_shape
    ppo = config.ppo
    return {
        "in_channels": channels * stack_size(config, spec),
        "height": height,
        "width": width,
        "conv_channels": ppo.conv_channels,
        "third_kernel": ppo.third_kernel,
        "hidden_size": ppo.hidden_size,
        "feature_size": ppo.feature_size,
    }
