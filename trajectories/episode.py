"""Episode: what was lived from one reset to the end, before anybody cuts or shuffles it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Value = str | int | float | bool
Array = NDArray[Any]


@dataclass(frozen=True)
class Episode:
    """One episode of T steps.

    Attributes:
        observations: [T + 1, ...], the last one is what followed the last action; of an encoded
            dataset, the latents [T + 1, D].
        actions: [T, ...]; actions[t] was taken at observations[t].
        rewards: [T], as the environment gave them.
        terminated: the world ended with the last step.
        truncated: a limit cut the episode at the last step.
        states: [T + 1, S], the hand-crafted state, where there is one.
        labels: name -> [T + 1], one number for each observation; NaN where there is none.
        latent_std: [T + 1, D], beside latents that are means.
        values: of the episode as a whole: "id", a text that no other episode of the dataset has;
            "seed" where it is known; "policy", "layout" and what else is known.
    """

    observations: Array
    actions: Array
    rewards: Array
    terminated: bool
    truncated: bool
    states: Array | None = None
    labels: Mapping[str, Array] = field(default_factory=dict)
    latent_std: Array | None = None
    values: Mapping[str, Value] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The name that the episode has in its dataset."""
        return str(self.values["id"])

    @property
    def length(self) -> int:
        """The number of steps T."""
        return len(self.actions)

    @property
    def total_reward(self) -> float:
        """The sum of its rewards: its return, undiscounted."""
        return float(np.sum(self.rewards, dtype=np.float64))
