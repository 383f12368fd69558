"""An environment whose every value is known beforehand, for tests of what lies above it."""

from typing import Any, Literal

import gymnasium
import numpy as np
from numpy.typing import NDArray

from workers.environments.base import Environment, Observation
from workers.environments.parts.snapshots import generator_state, pack, restore_generator, unpack
from workers.environments.parts.spaces import legal_action, spec_of

OBSERVED = 5  # seed, episode, step, action, draw


class CountingEnvironment(Environment):
    """Counts: an observation is (seed, episode, step, last action, draw), each as it is known.

    `seed` is that of the last seeded reset; `episode` counts from 0 since then; `step` from 0 at a
    reset; the last action is 0 after a reset (its first number if continuous); `draw` is a number
    in [0, 256) from the environment's random stream, drawn anew at every reset and step.

    Episode e has `lengths[e % len(lengths)]` steps; it terminates if e is even and is truncated if
    odd. Step t of an episode (from 1) is rewarded with t, so a length L scores L (L + 1) / 2.

    Args:
        lengths: of the episodes, cycled.
        frame_shape: (1, H, W) for uint8 frames, whose first pixels hold the five numbers modulo
            256; None for float32 vectors [5].
        num_actions: how many choices, or dimensions of a continuous action.
        actions: "discrete" for choices, "box" for continuous actions in [-1, 1].
    """

    def __init__(
        self,
        lengths: tuple[int, ...] = (3, 5),
        *,
        frame_shape: tuple[int, int, int] | None = None,
        num_actions: int = 4,
        actions: Literal["discrete", "box"] = "discrete",
    ) -> None:
        self._lengths = lengths
        self._frame_shape = frame_shape
        space: gymnasium.spaces.Box
        if frame_shape is None:
            space = gymnasium.spaces.Box(-np.inf, np.inf, (OBSERVED,), np.float32)
        else:
            space = gymnasium.spaces.Box(0, 255, frame_shape, np.uint8)
        self.observation_space = space
        self.action_space = (
            gymnasium.spaces.Discrete(num_actions)
            if actions == "discrete"
            else gymnasium.spaces.Box(-1.0, 1.0, (num_actions,), np.float32)
        )
        self.environment_spec = spec_of(
            type(self).__name__, space, self.action_space, can_snapshot=True
        )
        self._seed = 0
        self._episode = -1
        self._step = 0
        self._total_steps = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start the next episode."""
        super().reset(seed=seed)
        if seed is not None:
            self._seed = seed
            self._episode = -1
        self._episode += 1
        self._step = 0
        return self._observation(0.0), {}

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Count one step; see the class for rewards and ends."""
        self._step += 1
        self._total_steps += 1
        over = self._step >= self._lengths[self._episode % len(self._lengths)]
        terminates = self._episode % 2 == 0
        first_number = float(np.ravel(legal_action(self.action_space, action))[0])
        observation = self._observation(first_number)
        return observation, float(self._step), over and terminates, over and not terminates, {}

    def render(self) -> NDArray[np.uint8]:
        """Return a picture uint8 [8, 8, 3] whose red is the step."""
        picture = np.zeros((8, 8, 3), np.uint8)
        picture[..., 0] = self._step % 256
        return picture

    def snapshot(self) -> bytes:
        """Return counters and random stream."""
        state = {
            "counters": [self._seed, self._episode, self._step, self._total_steps],
            "random": generator_state(self.np_random),
        }
        return pack(self.environment_spec.env_id, state)

    def restore(self, snapshot: bytes) -> None:
        """Count on from `snapshot`."""
        state = unpack(self.environment_spec.env_id, snapshot)
        self._seed, self._episode, self._step, self._total_steps = state["counters"]
        restore_generator(self.np_random, state["random"])

    def _observation(self, action: float) -> Observation:
        draw = int(self.np_random.integers(256))
        numbers = np.array([self._seed, self._episode, self._step, action, draw], np.float32)
        if self._frame_shape is None:
            return numbers
        frame = np.zeros(self._frame_shape, np.uint8)
        frame.flat[:OBSERVED] = numbers.astype(np.int64) % 256
        return frame
