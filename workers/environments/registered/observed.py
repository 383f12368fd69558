"""What an agent sees of the observations of a registered environment, and what it cannot see."""

from typing import Any

import gymnasium
import numpy as np

from configs.errors import ConfigurationError
from configs.schema import EnvironmentSection
from workers.environments.parts.hints import REGISTER, in_one_line, observation_hint
from workers.environments.registered.images import (
    is_byte_image,
    is_image,
    is_large,
    is_stack,
    may_be_either,
)
from workers.environments.registered.render_modes import PICTURES

STACKED_HERE = "StateStackSize stacks frames here"
EITHER = (
    "read as red, green, blue and opacity, which is left out; if these are 4 frames, register it "
    f"without what stacks them: {STACKED_HERE}"
)


def box_of(section: EnvironmentSection, space: gymnasium.Space[Any]) -> gymnasium.spaces.Box:
    """Return the space of observations, which must be a Box.

    Raises:
        ConfigurationError: it is another one.
    """
    if not isinstance(space, gymnasium.spaces.Box):
        raise ConfigurationError(
            f"{section.env_id} has observations of the kind {type(space).__name__}; the agent sees "
            f"one Box: {observation_hint(space)}"
        )
    if not all(space.shape):
        raise ConfigurationError(
            f"{section.env_id} observes {in_one_line(space)}, which holds no number to learn from"
        )
    return space


def observed_space(
    section: EnvironmentSection, space: gymnasium.spaces.Box
) -> gymnasium.spaces.Box:
    """Return the space of what the agent sees: uint8 [1 or 3, H, W] or float32 [D].

    Raises:
        ConfigurationError: it cannot see this; says what would mend it.
    """
    env_id, shown = section.env_id, in_one_line(space)
    if section.observation_type == "pixels":
        if is_stack(space):
            raise ConfigurationError(
                f"{env_id} observes {shown}, which looks like several frames: register it without "
                f"what stacks them; {STACKED_HERE}"
            )
        if not is_image(space):
            raise ConfigurationError(
                f"{env_id} observes {shown}, which is no image: set ObservationType = state, or "
                "wrap it in gymnasium.wrappers.AddRenderObservation(env), with render_mode = "
                f"{PICTURES}, and {REGISTER}"
            )
        channels = 3 if section.frame_colour == "rgb" else 1
        shape = (channels, section.frame_height, section.frame_width)
        return gymnasium.spaces.Box(0, 255, shape, np.uint8)
    _refuse_images(section, space)
    with np.errstate(over="ignore"):  # a bound beyond float32 is no bound
        low, high = space.low.ravel().astype(np.float32), space.high.ravel().astype(np.float32)
    return gymnasium.spaces.Box(low, high, dtype=np.float32)


def _refuse_images(section: EnvironmentSection, space: gymnasium.spaces.Box) -> None:
    """Refuse images for a vector, unless they are of a kind that may be asked for as one."""
    env_id, shown = section.env_id, in_one_line(space)
    if is_byte_image(space) and is_large(space):  # smaller ones may be tables of bytes
        raise ConfigurationError(f"{env_id} observes images: set ObservationType = pixels")
    if section.observation_type == "state":
        return
    vector = "ObservationType = state, to see their numbers as one vector"
    if is_image(space):
        raise ConfigurationError(
            f"{env_id} observes images ({shown}): set ObservationType = pixels, or {vector}"
            + (f". As pixels they are {EITHER}" if may_be_either(space) else "")
        )
    if is_stack(space):
        raise ConfigurationError(
            f"{env_id} observes {shown}, which looks like several frames: register it without "
            f"what stacks them and set ObservationType = pixels ({STACKED_HERE}), or {vector}"
        )


def notes_on(section: EnvironmentSection, space: gymnasium.spaces.Box) -> tuple[str, ...]:
    """Say what was made of observations that may mean two things."""
    if section.observation_type != "pixels" or not may_be_either(space):
        return ()
    return (f"{section.env_id} observes {in_one_line(space)}, {EITHER}",)
