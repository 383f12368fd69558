"""How an environment whose spaces no agent can use is wrapped so that one can.

Each hint is an expression of Gymnasium's own wrappers that works as it stands, with `env` for the
environment and `np` for NumPy.
"""

from typing import Any

import numpy as np
from gymnasium import spaces

from configs.errors import ConfigurationError

REGISTER = "register that under an id of your own"


def in_one_line(space: spaces.Space[Any]) -> str:
    """Return a space as it shows itself, without the line ends that an array of numbers has."""
    return " ".join(str(space).split())


def check_is_space(env_id: str, space: object, kind: str) -> None:
    """Refuse what is no space of Gymnasium's: None until a reset, say, or one of gym's.

    Args:
        env_id: the environment.
        space: what it has under this name.
        kind: observation_space or action_space.

    Raises:
        ConfigurationError: says what it is.
    """
    if not isinstance(space, spaces.Space):
        found = "None" if space is None else f"a {type(space).__module__}.{type(space).__name__}"
        raise ConfigurationError(
            f"{env_id} has {found} for its {kind}: it must be a space of gymnasium.spaces as soon "
            "as the environment is made"
        )


def observation_hint(space: spaces.Space[Any]) -> str:
    """Say how observations of another kind become one Box."""
    if _has_vector(space):
        wrapper = "gymnasium.wrappers.FlattenObservation(env)"
        part = (
            ", or take a part of it by gymnasium.wrappers.TransformObservation"
            if isinstance(space, spaces.Dict | spaces.Tuple)
            else ""
        )
        return f"wrap it in {wrapper}{part}, and {REGISTER}"
    if isinstance(space, spaces.Dict) and any(map(_has_vector, space.spaces.values())):
        kept = [key for key, part in space.spaces.items() if _has_vector(part)]
        left_out = ", ".join(str(key) for key in space.spaces if key not in kept)
        filtered = f"gymnasium.wrappers.FilterObservation(env, {kept})"
        return (
            f"wrap it in gymnasium.wrappers.FlattenObservation({filtered}), and {REGISTER}; that "
            f"leaves out {left_out}"
        )
    return (
        "they have no fixed size, or are of a kind of their own: make them a Box by "
        f"gymnasium.wrappers.TransformObservation with a function of yours, and {REGISTER}"
    )


def _has_vector(space: spaces.Space[Any]) -> bool:
    """Tell whether Gymnasium can make a vector of it; of a space of a user's own it cannot."""
    try:
        return isinstance(spaces.flatten_space(space), spaces.Box)
    except NotImplementedError:
        return False


def action_hint(space: spaces.Space[Any]) -> str:
    """Say how actions of another kind become Discrete, or a Box of floats."""
    wrapper = _action_wrapper(space)
    if wrapper is None:
        wrapper = "gymnasium.wrappers.TransformAction with a function of yours"
    return f"wrap it in {wrapper}, and {REGISTER}"


def _action_wrapper(space: spaces.Space[Any]) -> str | None:
    """Return an expression that wraps `env`; None where there is no general one."""
    transform = "gymnasium.wrappers.TransformAction(env, lambda action: "
    if isinstance(space, spaces.MultiDiscrete):
        choices = "np.unravel_index(action, env.action_space.nvec)"
        if space.nvec.ndim != 1:
            flat = "np.unravel_index(action, env.action_space.nvec.ravel())"
            choices = f"np.reshape({flat}, env.action_space.shape)"
        return (
            f"{transform}env.action_space.start + {choices}, "
            "gymnasium.spaces.Discrete(int(env.action_space.nvec.prod())))"
        )
    if isinstance(space, spaces.MultiBinary):
        size = int(np.prod(space.shape))
        return (
            f"{transform}np.reshape(np.unravel_index(action, (2,) * {size}), "
            "env.action_space.shape).astype(np.int8), "
            f"gymnasium.spaces.Discrete(2 ** {size}))"
        )
    if isinstance(space, spaces.Box):
        return (
            f"{transform}action.round().astype(env.action_space.dtype), gymnasium.spaces.Box("
            "env.action_space.low, env.action_space.high, dtype=np.float32))"
        )
    if _is_all_boxes(space) and np.issubdtype(spaces.flatten_space(space).dtype, np.floating):
        return (
            f"{transform}gymnasium.spaces.unflatten(env.action_space, action), "
            "gymnasium.spaces.flatten_space(env.action_space))"
        )
    return None


def _is_all_boxes(space: spaces.Space[Any]) -> bool:
    if isinstance(space, spaces.Dict):
        return all(map(_is_all_boxes, space.spaces.values()))
    if isinstance(space, spaces.Tuple):
        return all(map(_is_all_boxes, space.spaces))
    return isinstance(space, spaces.Box)
