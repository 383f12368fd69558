"""In which render mode a registered environment is made: pictures for a film, never a window."""

import inspect
from collections.abc import Collection, Iterable
from typing import Any

from gymnasium.envs.registration import EnvSpec

PICTURES = "rgb_array"


def render_modes(creator: Any) -> Collection[Any] | None:
    """Return the render modes that the metadata name; None where they have not gymnasium's form."""
    metadata = getattr(creator, "metadata", {"render_modes": ()})
    if isinstance(metadata, property):  # of a wrapper, which is known only once it is made
        return ()
    modes = metadata.get("render_modes") if isinstance(metadata, dict) else None
    return tuple(modes) if isinstance(modes, Iterable) else None


def render_option(
    registered: EnvSpec, creator: Any, modes: Collection[Any]
) -> dict[str, str | None]:
    """Return the argument `render_mode`, where there is something to say.

    Pictures where it can draw them. Else None where it would draw unasked: each of many
    environments would open a window and wait for the rate at which people watch.
    """
    parameter = inspect.signature(creator).parameters.get("render_mode")
    if parameter is not None and PICTURES in modes:
        return {"render_mode": PICTURES}
    own = None if parameter is None else parameter.default
    if registered.kwargs.get("render_mode", own) in (None, inspect.Parameter.empty):
        return {}
    return {"render_mode": None}
