"""From a configuration to the sizes of a policy's first layers."""

from typing import Any

from configs.schema import Config
from training.building.stacking import stack_size
from workers.environments.base import EnvironmentSpec


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
