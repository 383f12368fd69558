"""How many observations make the policy's input."""

from configs.schema import Config
from workers.environments.base import EnvironmentSpec


def stack_size(config: Config, spec: EnvironmentSpec) -> int:
    """Return the frames in the policy's input; vectors are not stacked."""
    return 1 if len(spec.observation_shape) == 1 else config.environment.stack_size
