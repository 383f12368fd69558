"""What lays observations on the scale of the policy's networks."""

from torch import nn

from agents.networks.scaling import BoundScaling, NoScaling, RunningScaling
from configs.schema import Config
from workers.environments.base import EnvironmentSpec


def build_scaling(config: Config, spec: EnvironmentSpec) -> nn.Module:
    """Build what lays state vectors on the scale of the policy's networks; frames as they are."""
    if len(spec.observation_shape) > 1:
        return NoScaling()
    match config.ppo.observation_scaling:
        case "running":
            return RunningScaling(spec.observation_shape[0])
        case "none":
            return NoScaling()
        case "auto" | "bounds":
            return BoundScaling(spec.observation_low, spec.observation_high)
