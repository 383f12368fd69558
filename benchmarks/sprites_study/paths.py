"""One episode of each arm in each environment as a picture: where agent and target went."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.drawing import load_matplotlib
from configs.errors import StorageError
from trajectories.reader import open_dataset

SIDE = 1.9  # inches of a panel
SPRITES = {"agent": ("Blues", "C0"), "target": ("Reds", "C3")}  # shades by time, colour of a line

Path2D = NDArray[Any]


def draw_paths(
    arms: Sequence[str],
    environments: Sequence[str],
    games: Mapping[tuple[str, str], Path],
    picture: Path,
) -> bool:
    """Draw the first game of each evaluation that kept them; return whether there was any.

    Args:
        arms: the columns.
        environments: the rows.
        games: the datasets of their games, by arm and environment.
        picture: a PNG.

    Raises:
        StorageError: it cannot be written.
    """
    if not games:
        return False
    size = (SIDE * len(arms), SIDE * len(environments))
    figure: Any = load_matplotlib().Figure(figsize=size, layout="constrained")
    for row, environment in enumerate(environments):
        for column, arm in enumerate(arms):
            place = row * len(arms) + column + 1
            axis = figure.add_subplot(len(environments), len(arms), place)
            axis.set(xlim=(0, 1), ylim=(1, 0), xticks=[], yticks=[], aspect="equal")
            if (arm, environment) in games:
                _draw_game(axis, *first_game(games[arm, environment]))
                axis.set_title(f"{arm}\nSprites-{environment}", fontsize="x-small")
            else:
                axis.axis("off")
    try:
        figure.savefig(picture, dpi=120, format="png")
    except OSError as error:
        raise StorageError(f"cannot write {picture}: {error.strerror or error}") from error
    return True


def first_game(games: Path) -> tuple[Path2D, float]:
    """Return the states [T + 1, S] and the return of the first game of a dataset.

    A state holds row and column of the agent, then of the target, then of what distracts.
    """
    episode = open_dataset(games).episode(0)
    assert episode.states is not None  # an evaluation keeps them
    return np.asarray(episode.states), float(np.sum(episode.rewards))


def _draw_game(axis: Any, states: Path2D, score: float) -> None:
    """Draw both paths, from light to dark; a faint line joins agent and target at each step."""
    for step in range(0, len(states), 4):
        agent, target = states[step, 0:2], states[step, 2:4]
        axis.plot((agent[1], target[1]), (agent[0], target[0]), color="0.85", linewidth=0.6)
    for number, (shades, colour) in enumerate(SPRITES.values()):
        rows, columns = states[:, 2 * number], states[:, 2 * number + 1]
        axis.plot(columns, rows, color=colour, linewidth=0.5, alpha=0.5)
        axis.scatter(columns, rows, c=np.arange(len(states)), cmap=shades, s=6, vmin=-10)
    axis.text(0.02, 0.98, f"{score:.1f}", fontsize="x-small")
