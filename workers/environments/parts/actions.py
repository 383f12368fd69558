"""How far a continuous action reaches: from the policy's own output to the environment's units.

A policy begins with means about 0 and deviations of 1, whatever the environment counts in. So an
output of -1 stands for the lower bound that the environment states, and 1 for the upper one:

    both bounds      action = centre + half range * output
    a lower one      action = low + 1 + output
    an upper one     action = high - 1 + output
    none             action = output

What goes beyond a bound is clipped to it. The map is a part of the environment, as it were: the
log-probabilities that PPO compares are of the output, before the map.
"""

import math
from typing import Any, Literal, NamedTuple

import gymnasium
import numpy as np
from numpy.typing import NDArray

from workers.environments.base import EnvironmentSpec

ActionMapping = Literal["auto", "bounds", "clip"]
NO_BOUND = 1e30  # some simulators write the largest float32 for "none"

Values = NDArray[np.float64]


class ActionMap(NamedTuple):
    """action = offset + scale * output, then clipped to the environment's bounds.

    Attributes:
        offset, scale: [A], or one number for all dimensions.
    """

    offset: Values
    scale: Values


AS_IT_IS = ActionMap(np.zeros(()), np.ones(()))


def action_map(space: gymnasium.Space[object], mapping: ActionMapping) -> ActionMap:
    """Return the map of a space's actions.

    Args:
        space: the environment's; what is no Box is left as it is.
        mapping: "clip" leaves the output as it is, and the other two are the table above.
    """
    if mapping == "clip" or not isinstance(space, gymnasium.spaces.Box):
        return AS_IT_IS
    low, high = (side.ravel().astype(np.float64) for side in (space.low, space.high))
    has_low, has_high = low > -NO_BOUND, high < NO_BOUND
    low, high = np.where(has_low, low, 0.0), np.where(has_high, high, 0.0)
    both = has_low & has_high & (low < high)
    offset = np.where(has_low, low + 1.0, np.where(has_high, high - 1.0, 0.0))
    return ActionMap(
        np.where(both, (low + high) / 2, offset), np.where(both, (high - low) / 2, 1.0)
    )


def policy_space(space: gymnasium.spaces.Box, reach: ActionMap) -> gymnasium.spaces.Box:
    """Return the outputs that stand for the actions of `space`, as one row, float32 [A]."""
    with np.errstate(over="ignore"):
        low, high = (
            ((side.ravel().astype(np.float64) - reach.offset) / reach.scale).astype(np.float32)
            for side in (space.low, space.high)
        )
    return gymnasium.spaces.Box(low, high, dtype=np.float32)


def reach_of(spec: EnvironmentSpec) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return offset and scale of a continuous action, A values each, whether a spec tells or not.

    Those of before there was a choice are silent: an action is the output itself.
    """
    count = spec.num_actions
    return spec.action_offset or (0.0,) * count, spec.action_scale or (1.0,) * count


def output_bounds(spec: EnvironmentSpec) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the policy's outputs, A each, that stand for the bounds of a continuous action.

    What counts as no bound is infinite.
    """
    offset, scale = reach_of(spec)
    low, high = (
        tuple(
            (bound - o) / s if abs(bound) < NO_BOUND else math.copysign(math.inf, bound)
            for bound, o, s in zip(side, offset, scale, strict=True)
        )
        for side in (spec.action_low, spec.action_high)
    )
    return low, high


def in_units(spec: EnvironmentSpec, outputs: NDArray[Any]) -> NDArray[Any]:
    """Return a policy's outputs as actions in the environment's units, within their bounds.

    Args:
        spec: of the environment.
        outputs: float32 [..., A], returned as float32; int64 choices stay as they are.
    """
    if spec.discrete:
        return outputs
    offset, scale = (np.asarray(part, np.float64) for part in reach_of(spec))
    reached = offset + scale * outputs.astype(np.float64)
    return np.clip(reached, spec.action_low, spec.action_high).astype(np.float32)
