"""Step any environment in worker processes, without an agent: python -m examples.worker_pool_alone.

The factory returns a plain Gymnasium environment; `functools.partial(make_environment, section)` of
workers/environments/make.py returns one of Scout's own.
"""

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from workers.pool import WorkerPool

NUM_ENVIRONMENTS, NUM_STEPS = 8, 200
SIDES = 6


class Dice(gymnasium.Env[NDArray[np.float32], np.int64]):
    """Throw again for one more point, or stop; a one ends the game with nothing won by it."""

    observation_space = gymnasium.spaces.Box(1, SIDES, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Throw for the first time."""
        super().reset(seed=seed)
        return self._throw(), {}

    def step(
        self, action: np.int64
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Throw (1) or stop (0)."""
        shown = self._throw()
        lost = bool(shown[0] == 1)
        return shown, 0.0 if lost else float(action), lost or action == 0, False, {}

    def _throw(self) -> NDArray[np.float32]:
        return self.np_random.integers(1, SIDES + 1, size=1).astype(np.float32)


if __name__ == "__main__":
    random = np.random.default_rng(0)
    with WorkerPool(Dice, num_environments=NUM_ENVIRONMENTS, num_processes=2, base_seed=1) as pool:
        print("first observations", pool.reset().shape)
        lengths = []
        for _ in range(NUM_STEPS):
            pool.send(0, random.integers(pool.spec.num_actions, size=NUM_ENVIRONMENTS))
            # Whatever else is to be done, is done here, while the environments step.
            step = pool.recv(0)
            lengths += [episode.length for episode in step.episodes]
    print(f"{len(lengths)} episodes of random play, {np.mean(lengths):.1f} steps each")
