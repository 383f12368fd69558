"""MiniGrid's package: which of its maps can be played, and where their rooms are."""

import importlib
import os
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from configs.errors import ConfigurationError
from configs.options import nearest

KINDS = ("lava", "wall", "door", "goal")  # all that a map may hold
EXAMPLE = "MiniGrid-MultiRoom-N4-S5-v1"
NO_ROOM = -1


def load_map(env_id: str, layout_seed: int) -> Any:
    """Return the package's simulator, reset to the map that `layout_seed` stands for.

    The package is imported only in a process that plays it.

    Raises:
        ConfigurationError: it is missing, has no such map, or one with more in it than can be
            played here.
    """
    # pygame, which the package imports, would greet on standard output.
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    try:
        importlib.import_module("minigrid")
    except ImportError as error:
        raise ConfigurationError(
            f"EnvType = minigrid needs minigrid (pip install -r requirements-study.txt): {error}"
        ) from error
    known = [
        name
        for name, registered in gymnasium.registry.items()
        if str(registered.entry_point).startswith("minigrid.")
    ]
    if env_id not in known:
        near = nearest(env_id, known) or EXAMPLE
        raise ConfigurationError(
            f"EnvID = {env_id} is no map of EnvType = minigrid; did you mean {near}?"
        )
    try:
        simulator: Any = gymnasium.make(env_id, disable_env_checker=True).unwrapped
        simulator.reset(seed=layout_seed)
    except gymnasium.error.Error as error:
        raise ConfigurationError(f"EnvID = {env_id} cannot be built: {error}") from error
    _check_content(env_id, simulator)
    return simulator


def rooms_by_cell(simulator: Any) -> NDArray[np.int64] | None:
    """Return each cell's room [rows, columns], NO_ROOM for walls and doors; None if untold."""
    if not hasattr(simulator, "rooms"):
        return None
    numbers = np.full((simulator.height, simulator.width), NO_ROOM)
    for number, room in enumerate(simulator.rooms):
        (x, y), (width, height) = room.top, room.size
        numbers[y + 1 : y + height - 1, x + 1 : x + width - 1] = number
    return numbers


def _check_content(env_id: str, simulator: Any) -> None:
    """Refuse a map that needs other actions, or moves by itself."""
    base = importlib.import_module("minigrid.minigrid_env").MiniGridEnv
    cells = [cell for cell in simulator.grid.grid if cell is not None]
    foreign = sorted({cell.type for cell in cells}.difference(KINDS))
    if any(getattr(cell, "is_locked", False) for cell in cells):
        foreign.append("a locked door")
    if type(simulator).step is not base.step:
        foreign.append("rules of its own")
    if foreign:
        raise ConfigurationError(
            f"EnvID = {env_id} has {', '.join(foreign)}; EnvType = minigrid plays maps of "
            f"{', '.join(KINDS)} alone, such as {EXAMPLE}"
        )
