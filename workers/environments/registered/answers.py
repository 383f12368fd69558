"""What an environment that is not ours answers to reset and step, taken at its word or refused.

An answer that can only mean one thing is read: a reward in an array of one number, a bare number
for an observation of one, 0 for False. Any other that Gymnasium's interface does not allow is
named, with what was wanted and what was found.
"""

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from configs.errors import EnvironmentFailure

RESET = "reset(seed=..., options=...) that returns (observation, info)"
STEP = "(observation, reward, terminated, truncated, info)"
OLD_INTERFACE = "the interface before Gymnasium 0.26; docs/extending.md shows how to wrap it"
NUMBERS = frozenset("fiub")  # NumPy's kinds: floats, whole numbers, flags
BRIGHTEST = 255
LONGEST = 80  # characters of a value that a message shows


class BadAnswerError(EnvironmentFailure):
    """An answer that is not one: `field` of it, what was `wanted`, what was `found`."""

    def __init__(self, field: str, wanted: str, found: str) -> None:
        super().__init__(f"the environment gave a bad {field}: wanted {wanted}, found {found}")
        self.field, self.wanted, self.found = field, wanted, found


def ask_reset(
    simulator: gymnasium.Env[Any, Any], seed: int | None, options: dict[str, Any] | None
) -> Any:
    """Reset a simulator; return its observation.

    Raises:
        BadAnswerError: it does not take a seed, or answers something else than (observation, info).
    """
    try:
        answer: Any = simulator.reset(seed=seed, options=options)
    except TypeError as error:
        if "reset() got an unexpected keyword argument" not in str(error):
            raise
        takes_a_seed = "argument 'options'" in str(error)
        remedy = "let it take options=None as well" if takes_a_seed else OLD_INTERFACE
        found = f"one that does not ({error}): {remedy}"
        raise BadAnswerError("reset", RESET, found) from None
    if not isinstance(answer, tuple) or len(answer) != 2:
        found = f"one that returns {described(answer)}: {OLD_INTERFACE}"
        raise BadAnswerError("reset", RESET, found)
    observation, info = answer
    _check_info(info)
    return observation


def read_step(answer: Any) -> tuple[Any, float, bool, bool]:
    """Return observation, reward, terminated and truncated of what `step` answered.

    Raises:
        BadAnswerError: it is something else.
    """
    if not isinstance(answer, tuple) or len(answer) != 5:
        found = described(answer)
        if isinstance(answer, tuple) and len(answer) == 4:
            found = f"{found}: {OLD_INTERFACE}"
        raise BadAnswerError("step", STEP, found)
    observation, reward, terminated, truncated, info = answer
    if type(reward) is not float:
        reward = _number(reward)
    if type(terminated) is not bool:
        terminated = _flag("terminated", terminated)
    if type(truncated) is not bool:
        truncated = _flag("truncated", truncated)
    _check_info(info)
    return observation, reward, terminated, truncated


def read_vector(observation: Any, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return an observation of numbers [*shape] as a new vector float32 [D].

    Raises:
        BadAnswerError: it has another shape, or holds something else.
    """
    values = observation if isinstance(observation, np.ndarray) else _array(observation)
    if values is not None and values.size == math.prod(shape) == 1:
        values = values.reshape(shape)  # one number can only mean one thing
    if values is None or values.shape != shape or values.dtype.kind not in NUMBERS:
        raise BadAnswerError("observation", f"numbers {list(shape)}", described(observation))
    if values.dtype == np.float32:
        return values.flatten()
    with np.errstate(over="ignore"):  # becomes infinite, and is refused as that
        return np.array(values, np.float32).reshape(-1)


def read_image(observation: Any, space: gymnasium.spaces.Box) -> NDArray[Any]:
    """Return an observation that is an image of its space: bytes, or floats of any size.

    Where the space has bytes, or wider whole numbers for them, any whole numbers will do as long as
    they are those of bytes.

    Raises:
        BadAnswerError: it has another shape, or is bytes where the space has floats, or the other
            way round: floats might mean 0 to 1 or 0 to 255; or it is beyond a byte.
    """
    values, wanted = _array(observation), f"{space.dtype} {list(space.shape)}"
    if values is not None and values.shape == space.shape:
        if values.dtype == np.uint8 == space.dtype or values.dtype.kind == space.dtype.kind == "f":
            return values
        if values.dtype.kind in "iu" and space.dtype.kind in "iu":
            return _narrowed(values, wanted)
    raise BadAnswerError("observation", wanted, described(observation))


def _narrowed(values: NDArray[Any], wanted: str) -> NDArray[np.uint8]:
    """Return whole numbers as bytes."""
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > BRIGHTEST:
        raise BadAnswerError("observation", wanted, f"{described(values)} from {low} to {high}")
    return values.astype(np.uint8)


def described(value: Any) -> str:
    """Return a value in a few words: an array by dtype and shape, a tuple by its parts' types."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {list(value.shape)}"
    if isinstance(value, tuple):
        parts = ", ".join(type(part).__name__ for part in value)
        return f"{len(value)} values ({parts})"
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({type(value).__name__})"


def _number(reward: Any) -> float:
    """Return one number, which may stand in an array."""
    if isinstance(reward, Real):
        return float(reward)
    value = _array(reward)
    if value is None or value.size != 1 or value.dtype.kind not in NUMBERS:
        raise BadAnswerError("reward", "one number", described(reward))
    return float(value.item())


def _flag(field: str, flag: Any) -> bool:
    """Return a bool, or 0 or 1 for one, which may stand in an array."""
    value = _array(flag)
    is_flag = value is not None and value.size == 1 and value.dtype.kind in "iub"
    if value is None or not is_flag or value.item() not in (0, 1):
        raise BadAnswerError(field, "a bool", described(flag))
    return bool(value.item())


def _check_info(info: Any) -> None:
    if type(info) is not dict and not isinstance(info, Mapping):
        raise BadAnswerError("info", "a dict", described(info))


def _array(value: Any) -> NDArray[Any] | None:
    """Return the value as an array; None where it cannot be one."""
    try:
        return np.asarray(value)
    except (ValueError, TypeError, RuntimeError):  # lists of several lengths, what refuses
        return None
