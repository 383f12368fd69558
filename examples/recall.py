"""A task that needs a memory, registered with Gymnasium as Recall-v0.

    python main.py --train --config_path=configs/Recall/config_gru00.conf

A cue is shown at the first step alone. After DELAY steps that show nothing the agent is asked for
it: 1 for the right answer, 0 for the wrong one. Whoever sees only what is there gets half of them.
"""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray

CUES = 2
DELAY = 10  # env steps between cue and question


class Recall(gymnasium.Env[NDArray[np.float32], np.int64]):
    """Observations [3]: the cue as one of two, and whether it is asked for; actions: which it was.

    Args:
        delay: env steps between cue and question.
    """

    def __init__(self, delay: int = DELAY) -> None:
        self.observation_space = Box(0.0, 1.0, (CUES + 1,), np.float32)
        self.action_space = Discrete(CUES)
        self._delay = delay
        self._cue = self._time = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Show a new cue."""
        super().reset(seed=seed)
        self._cue, self._time = int(self.np_random.integers(CUES)), 0
        return self._seen(), {}

    def step(
        self, action: np.int64
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Wait, or answer: what is said before the question does not count."""
        asked = self._time == self._delay
        self._time += 1
        return self._seen(), float(asked and action == self._cue), asked, False, {}

    def _seen(self) -> NDArray[np.float32]:
        seen = np.zeros(CUES + 1, np.float32)
        if self._time == 0:
            seen[self._cue] = 1.0
        seen[CUES] = self._time == self._delay
        return seen


gymnasium.register("Recall-v0", "examples.recall:Recall")
