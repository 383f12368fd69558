"""Gymnasium's spaces, as far as an agent can use them: their facts, and actions made legal."""

from typing import Any

import gymnasium
import numpy as np

from configs.errors import ConfigurationError
from workers.environments.base import EnvironmentSpec
from workers.environments.parts.actions import AS_IT_IS, ActionMap
from workers.environments.parts.hints import action_hint, in_one_line


def spec_of(
    env_id: str,
    observation_space: gymnasium.spaces.Box,
    action_space: gymnasium.Space[Any],
    *,
    can_snapshot: bool,
    reach: ActionMap = AS_IT_IS,
    frame_skip: int = 1,
    max_episode_steps: int | None = None,
    state_names: tuple[str, ...] = (),
    label_names: tuple[str, ...] = (),
) -> EnvironmentSpec:
    """Return the spec of a simulator that is no emulator.

    Args:
        env_id: the id as configured.
        observation_space: of what the agent sees: uint8 [1, H, W] or float32 [D].
        action_space: Discrete, or a Box of floats of any shape (A is its size).
        can_snapshot: whether the environment can.
        reach: how the policy's output becomes an action of a Box.
        frame_skip, max_episode_steps, state_names, label_names: as in EnvironmentSpec.

    Raises:
        ConfigurationError: actions of another kind.
    """
    acted = in_one_line(action_space)
    is_vector = observation_space.dtype == np.float32
    low, high = _bounds(observation_space) if is_vector else ((), ())
    discrete = isinstance(action_space, gymnasium.spaces.Discrete)
    action_low: tuple[float, ...] = ()
    action_high: tuple[float, ...] = ()
    offset: tuple[float, ...] = ()
    start = 0
    scale: tuple[float, ...] = ()
    if isinstance(action_space, gymnasium.spaces.Discrete):
        num_actions, start = int(action_space.n), int(action_space.start)
    elif isinstance(action_space, gymnasium.spaces.Box) and _holds_floats(action_space):
        num_actions = int(np.prod(action_space.shape))
        action_low, action_high = _bounds(action_space)
        offset, scale = (tuple(np.broadcast_to(part, num_actions).tolist()) for part in reach)
    else:
        raise ConfigurationError(
            f"{env_id} has actions of the kind {acted}; the agent can choose among "
            f"Discrete ones or set a Box of floats: {action_hint(action_space)}"
        )
    if num_actions == 0:
        raise ConfigurationError(
            f"{env_id} has actions of the kind {acted}, which hold nothing to decide"
        )
    return EnvironmentSpec(
        env_id=env_id,
        observation_shape=observation_space.shape,
        observation_dtype="float32" if is_vector else "uint8",
        discrete=discrete,
        num_actions=num_actions,
        action_start=start,
        action_low=action_low,
        action_high=action_high,
        action_offset=offset,
        action_scale=scale,
        observation_low=low,
        observation_high=high,
        can_snapshot=can_snapshot,
        frame_skip=frame_skip,
        max_episode_steps=max_episode_steps,
        state_names=state_names,
        label_names=label_names,
    )


def legal_action(space: gymnasium.Space[Any], action: Any, reach: ActionMap = AS_IT_IS) -> Any:
    """Return the agent's action as the simulator wants it.

    A choice 0 to A - 1 is counted from the space's start, and is a NumPy integer as the space's own
    samples are; a continuous action float32 [A] takes the environment's units (see
    workers.environments.parts.actions) and the space's shape, and is clipped to its bounds.
    """
    if isinstance(space, gymnasium.spaces.Box):
        reached = reach.offset + reach.scale * np.asarray(action, np.float64)
        return np.clip(reached.reshape(space.shape), space.low, space.high).astype(space.dtype)
    if isinstance(space, gymnasium.spaces.Discrete):
        return space.dtype.type(action + space.start)
    raise TypeError(f"an action for {space}, which spec_of refuses")


def _holds_floats(space: gymnasium.spaces.Box) -> bool:
    return bool(np.issubdtype(space.dtype, np.floating))


def _bounds(space: gymnasium.spaces.Box) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return tuple(space.low.ravel().tolist()), tuple(space.high.ravel().tolist())
