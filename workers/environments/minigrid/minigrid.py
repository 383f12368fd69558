"""MiniGrid's mazes of rooms: the whole map as a grey frame, the same map in every episode."""

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from configs.errors import ConfigurationError
from configs.schema import EnvironmentSection
from workers.environments.base import Environment, Observation, TakeSnapshot
from workers.environments.minigrid.maps import KINDS, NO_ROOM, load_map, rooms_by_cell
from workers.environments.parts.snapshots import (
    decode,
    encode,
    generator_state,
    pack,
    restore_generator,
    unpack,
)
from workers.environments.parts.spaces import spec_of
from workers.environments.states import Vector, as_vector

LEFT, RIGHT, FORWARD, TOGGLE = 0, 1, 2, 5  # the package's numbers; 3, 4, 6 move and end nothing
ACTIONS = (LEFT, RIGHT, FORWARD, TOGGLE)
GREYS = dict(zip(KINDS, (48, 96, 144, 192), strict=True))
AGENT_GREY = 255
NOISE_GREYS = 80  # empty cells under Nuisance = noise are 0 to 79, darker than a wall
SMALLEST_TILE = 3  # pixels; fewer do not show which way the agent looks
RENDERED_TILE = 16


class MiniGridEnvironment(Environment):
    """A map of rooms, doors, walls, lava and a goal, seen whole: MiniGrid-MultiRoom-N4-S5-v1.

    Observations are grey frames uint8 [1, H, W], drawn here with the largest square cells that
    fit. Every episode has the map, the start and the goal that LayoutSeed stands for, as a game
    has the same rooms every time. The actions are left, right, forward and toggle (a door). The
    score is the package's: 1 - 0.9 t / limit at the goal after t steps, 0 otherwise, where the
    limit is MaxStepPerEpisode or the environment's own.

    `info["rooms"]` are the rooms entered in this episode, numbered along the way to the goal, and
    `info["metrics"]["rooms"]` is their count, where the map tells its rooms (MultiRoom).
    FrameSkip and StickyAction do not apply. `reset(seed=...)` seeds the nuisance alone.
    """

    def __init__(self, section: EnvironmentSection) -> None:
        """Build the map that `section.env_id` and `section.layout_seed` stand for.

        Raises:
            ConfigurationError: no such map, one with more in it than can be played here, frames
                that are too small for it, state observations, or minigrid is missing.
        """
        if section.observation_type == "state":
            raise ConfigurationError(
                "EnvType = minigrid has pixels only, not ObservationType = state"
            )
        self._simulator = load_map(section.env_id, section.layout_seed)
        if section.max_episode_steps != "auto":
            self._simulator.max_steps = section.max_episode_steps
        # The partial view that the package draws up at every step costs forty times the step.
        self._simulator.gen_obs = dict
        self._layout_seed = section.layout_seed
        # A snapshot holds what changes in an episode, so it fits no other map.
        self._snapshot_id = f"{section.env_id} with LayoutSeed = {self._layout_seed}"

        columns, rows = self._simulator.width, self._simulator.height
        self._frame = np.zeros((1, section.frame_height, section.frame_width), np.uint8)
        self._tiles = _tiles(self._frame[0], rows, columns)
        self._agent_masks = _agent_masks(self._tiles.shape[-1])
        self._occupied = [
            (index % columns, index // columns)
            for index, cell in enumerate(self._simulator.grid.grid)
            if cell is not None
        ]
        self._has_noise = section.nuisance == "noise"
        self._floor: NDArray[np.uint8] = np.zeros((rows, columns), np.uint8)
        self._rooms_map = rooms_by_cell(self._simulator)
        self._rooms: tuple[int, ...] = ()

        self.observation_space = gymnasium.spaces.Box(0, 255, self._frame.shape, np.uint8)
        self.action_space = gymnasium.spaces.Discrete(len(ACTIONS))
        self.environment_spec = spec_of(
            section.env_id,
            self.observation_space,
            self.action_space,
            can_snapshot=True,
            max_episode_steps=self._simulator.max_steps,
            state_names=(
                "agent_x",
                "agent_y",
                "direction",
                *(f"door{index + 1}_is_open" for index in range(len(self._doors()))),
            ),
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Go back to the start, doors closed.

        Returns:
            The first frame uint8 [1, H, W], and `info` as in `Environment`.
        """
        super().reset(seed=seed)
        self._simulator.reset(seed=self._layout_seed)
        if self._has_noise:
            self._floor = self.np_random.integers(
                NOISE_GREYS, size=self._floor.shape, dtype=np.uint8
            )
        self._rooms = ()
        self._draw_map()
        return self._frame.copy(), self._info()

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Turn, go forward or toggle the door ahead (the action's index in ACTIONS)."""
        simulator = self._simulator
        self._draw_cell(*simulator.agent_pos)
        _, reward, terminated, truncated, _ = simulator.step(ACTIONS[action])
        self._draw_cell(*simulator.front_pos)
        self._draw_agent()
        truncated = truncated and not terminated
        return self._frame.copy(), float(reward), terminated, truncated, self._info()

    def render(self) -> NDArray[np.uint8]:
        """Return the package's own picture, uint8 [h, w, 3]."""
        picture: Any = self._simulator.get_frame(highlight=False, tile_size=RENDERED_TILE)
        return np.asarray(picture, np.uint8)

    def state(self) -> Vector:
        """Return where the agent is, which way it looks (0 to 3, clockwise), and the doors."""
        simulator = self._simulator
        doors = (door.is_open for door in self._doors())
        return as_vector((*simulator.agent_pos, simulator.agent_dir, *doors))

    def snapshot(self) -> bytes:
        """Return where the agent is, which doors are open, and the nuisance with its stream."""
        return self.capture()()

    def capture(self) -> TakeSnapshot:
        """Note the state, and make bytes of it when they are wanted."""
        simulator = self._simulator
        state = {
            "position": [int(coordinate) for coordinate in simulator.agent_pos],
            "direction": int(simulator.agent_dir),
            "open_doors": [bool(door.is_open) for door in self._doors()],
            "num_steps": simulator.step_count,
            "rooms": list(self._rooms),
        }
        floor, random = self._floor, generator_state(self.np_random)  # each floor is a new array
        return lambda: pack(self._snapshot_id, {**state, "floor": encode(floor), "random": random})

    def restore(self, snapshot: bytes) -> None:
        """Continue exactly from `snapshot`, in this or in another process."""
        state = unpack(self._snapshot_id, snapshot)
        simulator = self._simulator
        simulator.reset(seed=self._layout_seed)
        simulator.agent_pos = tuple(state["position"])
        simulator.agent_dir = state["direction"]
        simulator.step_count = state["num_steps"]
        for door, is_open in zip(self._doors(), state["open_doors"], strict=True):
            door.is_open = is_open
        self._rooms = tuple(state["rooms"])
        self._floor = decode(state["floor"])
        restore_generator(self.np_random, state["random"])
        self._draw_map()

    def close(self) -> None:
        """Close the simulator; again is allowed."""
        self._simulator.close()

    def _doors(self) -> list[Any]:
        cells = (self._simulator.grid.get(x, y) for x, y in self._occupied)
        return [cell for cell in cells if cell.type == "door"]

    def _info(self) -> dict[str, Any]:
        if self._rooms_map is None:
            return {}
        x, y = self._simulator.agent_pos
        room = int(self._rooms_map[y, x])
        if room != NO_ROOM and room not in self._rooms:
            self._rooms = tuple(sorted((*self._rooms, room)))
        return {"rooms": self._rooms, "metrics": {"rooms": float(len(self._rooms))}}

    def _draw_map(self) -> None:
        self._tiles[...] = self._floor[:, :, np.newaxis, np.newaxis]
        for x, y in self._occupied:
            self._draw_cell(x, y)
        self._draw_agent()

    def _draw_cell(self, x: int, y: int) -> None:
        """Draw what stands there; an open door is its frame."""
        cell, tile = self._simulator.grid.get(x, y), self._tiles[y, x]
        tile[...] = self._floor[y, x] if cell is None else GREYS[cell.type]
        if cell is not None and cell.type == "door" and cell.is_open:
            tile[1:-1, 1:-1] = self._floor[y, x]

    def _draw_agent(self) -> None:
        x, y = self._simulator.agent_pos
        self._tiles[y, x][self._agent_masks[self._simulator.agent_dir]] = AGENT_GREY


def _tiles(frame: NDArray[np.uint8], rows: int, columns: int) -> NDArray[np.uint8]:
    """Return a view [rows, columns, k, k] of the middle of a frame [H, W], k pixels to a cell."""
    height, width = frame.shape
    k = min(height // rows, width // columns)
    if k < SMALLEST_TILE:
        raise ConfigurationError(
            f"PreProcHeight = {height} and PreProcWidth = {width}: a map of {columns} x {rows} "
            f"cells needs {SMALLEST_TILE * rows} and {SMALLEST_TILE * columns} at least"
        )
    top, left = (height - k * rows) // 2, (width - k * columns) // 2
    area = frame[top : top + k * rows, left : left + k * columns]
    return area.reshape(rows, k, columns, k).swapaxes(1, 2)


def _agent_masks(k: int) -> list[NDArray[np.bool_]]:
    """Return wedges bool [k, k] that point right, down, left and up, the package's order."""
    y, x = np.mgrid[:k, :k]
    right = 2 * np.abs(y - (k - 1) / 2) <= k - 1 - x
    return [np.rot90(right, -turns) for turns in range(4)]
