"""Which values of a step may enter a batch, and what is said of the others."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.environments.base import EnvironmentSpec
from workers.shared.protocol import BadTransitionError

LARGEST_REWARD = float(np.finfo(np.float32).max)  # rewards are handed on as float32
_FLAG_TYPES = (bool, np.bool_)


class ObservationCheck:
    """Refuses what is not an array of a spec's shape and dtype with finite values."""

    def __init__(self, spec: EnvironmentSpec) -> None:
        self._spec = spec
        self._dtype = np.dtype(spec.observation_dtype)
        self._can_be_infinite = self._dtype.kind == "f"

    def __call__(self, row: int, observation: object) -> None:
        """Check the observation of environment `row`.

        Raises:
            BadTransitionError: it may not enter a batch.
        """
        spec = self._spec
        if not isinstance(observation, np.ndarray):
            raise bad_value(row, "observation", "an array", type(observation).__name__)
        if observation.shape != spec.observation_shape or observation.dtype != self._dtype:
            found = f"{observation.dtype} {list(observation.shape)}"
            wanted = f"{spec.observation_dtype} {list(spec.observation_shape)}"
            raise bad_value(row, "observation", wanted, found)
        if self._can_be_infinite and not _is_finite(observation):
            index = np.argwhere(~np.isfinite(observation))[0]
            found = f"{observation[tuple(index)]} at {index.tolist()}"
            raise bad_value(row, "observation", "finite values", found)


def bad_reward(rewards: tuple[Any, ...] | NDArray[np.float64]) -> int | None:
    """Return the index of the first reward that is no single number that float32 can hold.

    None where all are.
    """
    if _are_numbers(rewards):
        return None
    return next(index for index, reward in enumerate(rewards) if not _are_numbers((reward,)))


def check_flags(row: int, terminated: object, truncated: object) -> None:
    """Refuse flags that are no bools.

    Raises:
        BadTransitionError: one may not enter a batch.
    """
    if type(terminated) not in _FLAG_TYPES:
        raise bad_value(row, "terminated", "a bool", repr(terminated))
    if type(truncated) not in _FLAG_TYPES:
        raise bad_value(row, "truncated", "a bool", repr(truncated))


def bad_value(row: int, field: str, wanted: str, found: str) -> BadTransitionError:
    """Return what is raised for a value of environment `row`."""
    return BadTransitionError(
        f"environment {row} gave a bad {field}: wanted {wanted}, found {found}"
    )


def _is_finite(values: NDArray[Any]) -> bool:
    """Whether all values are; the sum of squares settles most cases in a third of the time."""
    return math.isfinite(np.vdot(values, values)) or bool(np.isfinite(values).all())


def _are_numbers(rewards: tuple[Any, ...] | NDArray[np.float64]) -> bool:
    try:
        values = np.array(rewards)
    except ValueError:  # arrays of several shapes
        return False
    if values.ndim != 1 or values.dtype.kind not in "fiub":
        return False
    return bool((np.abs(values) <= LARGEST_REWARD).all())
