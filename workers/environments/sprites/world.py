"""The world of moving sprites: an agent, a target and distractors on a grey square of 64 pixels.

The task of github.com/kpertsch/clvr_impl_starter, after Lee et al., "CLVR". Positions are (row,
column) from 0 to 1. Everything moves and is drawn for n worlds at once; one world is n = 1.

There are twelve ids: Sprites-v0, -v1, -v2 with as many distractors as the number says;
SpritesState, whose observations are the positions; SpritesRepel and SpritesRepelState, where the
agent is to keep away from the target. workers/environments/sprites_world.py registers them with
Gymnasium.
"""

import functools
import math
from typing import Any, NamedTuple

import cv2
import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

SIDE = 64  # pixels
SPRITE_SIDE = int(0.2 * SIDE)  # 12 pixels
MAX_SPEED = 0.05  # a step
LOW, HIGH = 0.1, 0.9  # of the positions of centres
EPISODE_STEPS = 40
AGENT, TARGET = 0, 1  # the first two sprites
CIRCLE, RECTANGLE, FIRST_TRIANGLE, NUM_SHAPES = 0, 1, 2, 6
DIAGONAL = math.sqrt(2)

MOST_DISTRACTORS = 2
NAMES = ("agent", "target", "distractor1", "distractor2")
LABEL_NAMES = (
    "zero",
    "vertical_position",
    "horizontal_position",
    "agent_x",
    "agent_y",
    "target_x",
    "target_y",
    "distance",
)

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]


class Moved(NamedTuple):
    """Positions and velocities [n, K, 2] of the K sprites of n worlds."""

    positions: Floats
    velocities: Floats


def move(positions: Floats, velocities: Floats) -> Moved:
    """Move all sprites [n, K, 2] by a step; walls reflect them."""
    moved = positions + velocities
    is_low, is_high = moved < LOW, moved > HIGH
    moved = np.where(is_low, 2 * LOW - moved, np.where(is_high, 2 * HIGH - moved, moved))
    return Moved(moved, np.where(is_low | is_high, -velocities, velocities))


def draw(positions: Floats, shapes: NDArray[np.int64]) -> Bytes:
    """Draw n worlds, uint8 [n, 64, 64]: where sprites overlap, the brighter one shows.

    Args:
        positions: [n, K, 2].
        shapes: [n, K], numbers of `sprite_shapes`.
    """
    n, num_sprites = shapes.shape
    canvas = np.zeros((n, SIDE, SIDE), np.uint8)
    corners = (positions * (SIDE - 1)).astype(np.int64) - SPRITE_SIDE // 2
    span = np.arange(SPRITE_SIDE)
    worlds = np.arange(n)[:, np.newaxis, np.newaxis]
    for sprite in range(num_sprites):
        rows = (corners[:, sprite, 0, np.newaxis] + span)[:, :, np.newaxis]
        columns = (corners[:, sprite, 1, np.newaxis] + span)[:, np.newaxis, :]
        stamp = sprite_shapes()[shapes[:, sprite]]
        canvas[worlds, rows, columns] = np.maximum(canvas[worlds, rows, columns], stamp)
    return canvas


def distances(positions: Floats) -> Floats:
    """Return how far the agent is from the target, [n]."""
    between = positions[:, TARGET] - positions[:, AGENT]
    return np.asarray(np.sqrt(np.square(between).sum(axis=-1)))


def rewards(positions: Floats, *, repel: bool) -> Floats:
    """Return 1 - distance / sqrt 2, [n]; with `repel` distance / sqrt 2."""
    far = distances(positions) / DIAGONAL
    return far if repel else 1.0 - far


def labels(positions: Floats) -> Floats:
    """Return the LABEL_NAMES of n worlds, [n, 8].

    Differs from clvr_impl_starter, whose vertical_position is the column and whose
    horizontal_position is the row: here vertical is the row.
    """
    row, column = positions[:, AGENT].T
    target_row, target_column = positions[:, TARGET].T
    far = distances(positions)
    columns = (np.zeros_like(row), row, column, column, row, target_column, target_row, far)
    return np.stack(columns, axis=-1)


def state_names(num_sprites: int) -> tuple[str, ...]:
    """Return the names of the positions, two a sprite."""
    return tuple(f"{name}_{axis}" for name in NAMES[:num_sprites] for axis in ("row", "column"))


@functools.cache
def sprite_shapes() -> Bytes:
    """Return circle, rectangle, triangles to the right, down, left and up, [6, 12, 12]."""
    first, last, middle = 1, SPRITE_SIDE - 2, SPRITE_SIDE // 2
    shapes: Bytes = np.zeros((NUM_SHAPES, SPRITE_SIDE, SPRITE_SIDE), np.uint8)
    cv2.circle(shapes[CIRCLE], (middle, middle), SPRITE_SIDE // 3, 255, -1)
    cv2.rectangle(shapes[RECTANGLE], (first, first), (last, last), 255, -1)
    triangles = (
        ((first, first), (first, last), (last, middle)),
        ((first, first), (last, first), (middle, last)),
        ((last, first), (last, last), (first, middle)),
        ((first, last), (last, last), (middle, first)),
    )
    for shape, corners in zip(shapes[FIRST_TRIANGLE:], triangles, strict=True):
        cv2.fillConvexPoly(shape, np.array(corners, np.int32), 255)
    return shapes


class Sprites(gymnasium.Env[Any, Any]):
    """One world.

    Actions are the agent's velocity as a share of the largest, [-1, 1] along rows and columns.
    Observations are uint8 [64, 64], or with `shows_state` the positions, float32 [2 K].
    Differs from clvr_impl_starter: bytes, where that has floats to 1; the end after 40 steps is a
    truncation.

    Attributes:
        positions, velocities: [1, K, 2].
        shapes: [1, K].
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012 - gymnasium's form

    def __init__(
        self,
        num_distractors: int = 0,
        *,
        repel: bool = False,
        shows_state: bool = False,
        render_mode: str | None = None,
    ) -> None:
        self.render_mode = render_mode
        self.repel = repel
        self._shows_state = shows_state
        self._num_distractors = num_distractors
        num_sprites = 2 + num_distractors
        self.state_names = state_names(num_sprites)
        self.label_names = LABEL_NAMES
        self.action_space: spaces.Box = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self.observation_space: spaces.Box = (
            spaces.Box(0.0, 1.0, (2 * num_sprites,), np.float32)
            if shows_state
            else spaces.Box(0, 255, (SIDE, SIDE), np.uint8)
        )
        self.positions = np.zeros((1, num_sprites, 2))
        self.velocities = np.zeros((1, num_sprites, 2))
        self.shapes = np.zeros((1, num_sprites), np.int64)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[Any], dict[str, Any]]:
        """Draw triangles, positions and velocities; everything has moved once already."""
        super().reset(seed=seed)
        triangles = self.np_random.integers(FIRST_TRIANGLE, NUM_SHAPES, self._num_distractors)
        self.shapes = np.array([[CIRCLE, RECTANGLE, *triangles]], np.int64)
        drawn = self.np_random.uniform(size=(2, *self.positions.shape))
        positions = LOW + drawn[0] * (HIGH - LOW)
        velocities = (2 * drawn[1] - 1) * MAX_SPEED
        self.positions, self.velocities = move(positions, velocities)
        return self._observation(), {}

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[Any], float, bool, bool, dict[str, Any]]:
        """Move the agent as told, [2], and the others on."""
        velocities = self.velocities.copy()
        velocities[0, AGENT] = np.clip(np.asarray(action, np.float64), -1, 1) * MAX_SPEED
        self.positions, self.velocities = move(self.positions, velocities)
        reward = float(rewards(self.positions, repel=self.repel)[0])
        return self._observation(), reward, False, False, {}

    def state(self) -> NDArray[np.float32]:
        """Return all positions, float32 [2 K]."""
        return self.positions.astype(np.float32).ravel()

    def labels(self) -> NDArray[np.float32]:
        """Return the labels, float32 [8]."""
        return np.asarray(labels(self.positions)[0], np.float32)

    def picture(self) -> Bytes:
        """Draw the world, uint8 [64, 64]."""
        return np.asarray(draw(self.positions, self.shapes)[0])

    def render(self) -> Bytes:
        """Draw the world in colour, uint8 [64, 64, 3]."""
        return np.repeat(self.picture()[..., np.newaxis], 3, axis=2)

    def _observation(self) -> NDArray[Any]:
        return self.state() if self._shows_state else self.picture()


SPRITES_IDS: dict[str, dict[str, Any]] = {
    f"Sprites{repel}{state}-v{distractors}": {
        "num_distractors": distractors,
        "repel": bool(repel),
        "shows_state": bool(state),
    }
    for repel in ("", "Repel")
    for state in ("", "State")
    for distractors in range(MOST_DISTRACTORS + 1)
}  # the arguments of each
