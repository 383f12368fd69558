"""What an environment can tell beside its observation: its state as a vector, and labels of a step.

A frame is what an agent sees; the state is what a person would write down of the same moment:
positions, velocities, angles. Where ObservationType = state exists, it is the vector seen there.
Labels are further numbers of a step that an encoder may learn to tell, such as a distance.

A worker pool hands both out beside the observations (`with_states=True`), whoever made the
environment: one of Scout's families, or a registered one that has these two methods, behind any
wrappers. Data sets are collected so.
"""

from typing import Any, Protocol, runtime_checkable

import gymnasium
import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
NOTHING: Vector = np.zeros(0, np.float32)


@runtime_checkable
class HasState(Protocol):
    """An environment that tells its state.

    Attributes:
        state_names: S names, in the order of the numbers.
    """

    state_names: tuple[str, ...]

    def state(self) -> Vector:
        """Return the present state, float32 [S]."""


@runtime_checkable
class HasLabels(Protocol):
    """An environment that labels its steps.

    Attributes:
        label_names: L names, in the order of the numbers.
    """

    label_names: tuple[str, ...]

    def labels(self) -> Vector:
        """Return the labels of the present moment, float32 [L]."""


def state_source(environment: gymnasium.Env[Any, Any]) -> HasState | None:
    """Return the outermost layer of a wrapped environment that tells its state; None if none."""
    for layer in _layers(environment):
        if isinstance(layer, HasState):
            return layer
    return None


def label_source(environment: gymnasium.Env[Any, Any]) -> HasLabels | None:
    """Return the outermost layer of a wrapped environment that labels its steps; None if none."""
    for layer in _layers(environment):
        if isinstance(layer, HasLabels):
            return layer
    return None


def as_vector(numbers: Any) -> Vector:
    """Return numbers of any shape as a new row of float32."""
    return np.array(numbers, np.float32).ravel()


def _layers(environment: gymnasium.Env[Any, Any]) -> list[Any]:
    layers: list[Any] = [environment]
    while isinstance(layers[-1], gymnasium.Wrapper):
        layers.append(layers[-1].env)
    return layers
