"""From a configuration to an environment: the one place that knows every family.

Each family is imported only when it is built, so that a worker holds one simulator in memory.
"""

# ruff: noqa: PLC0415, PLR0911 - see above; a return for each family

from configs.errors import ConfigurationError
from configs.schema import EnvironmentSection
from workers.environments.base import Environment


def make_environment(section: EnvironmentSection) -> Environment:
    """Build the environment that `section` describes.

    Raises:
        ConfigurationError: an unknown id, a missing package, or a combination that cannot be.
    """
    match section.env_type:
        case "atari":
            from workers.environments.atari.atari import AtariEnvironment

            return AtariEnvironment(section)
        case "mario":
            from workers.environments.mario.mario import MarioEnvironment

            return MarioEnvironment(section)
        case "classic_control":
            from workers.environments.classic_control.classic_control import (
                ClassicControlEnvironment,
            )

            return ClassicControlEnvironment(section)
        case "box2d":
            from workers.environments.box2d.box2d import make_box2d

            return make_box2d(section)
        case "mujoco":
            from workers.environments.mujoco import MujocoEnvironment

            return MujocoEnvironment(section)
        case "sprites":
            from workers.environments.sprites.sprites import SpritesEnvironment

            return SpritesEnvironment(section)
        case "minigrid":
            from workers.environments.minigrid.minigrid import MiniGridEnvironment

            return MiniGridEnvironment(section)
        case "gymnasium":
            from workers.environments.registered.registered import RegisteredEnvironment

            return RegisteredEnvironment(section)
        case "dream":
            raise ConfigurationError(
                f"EnvType = dream with EnvID = {section.env_id}: a dream can be trained in and "
                "evaluated (--train, --eval), and nothing else"
            )
