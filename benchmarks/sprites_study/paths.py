"""One episode of each arm in each environment as a picture: where agent and target went.

    python -m benchmarks.sprites_study.paths logs/runs/NAME/evaluation/*_rollouts --out paths.png

draws the first episode of each folder that --eval --save_rollouts or --collect has written.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.drawing import load_matplotlib
from benchmarks.ending import Parser, end_with
from configs.errors import ConfigurationError, ScoutError
from training.folders.files import storage_error
from training.offline.datasets import environment_of
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
            axis = _square(figure, len(environments), len(arms), place)
            if (arm, environment) in games:
                _draw_game(axis, *first_game(games[arm, environment]))
                axis.set_title(f"{arm}\nSprites-{environment}", fontsize="x-small")
            else:
                axis.axis("off")
    _save(figure, picture)
    return True


def draw_folders(folders: Sequence[Path], picture: Path) -> None:
    """Draw the first game of each folder, side by side.

    Args:
        folders: datasets of games of sprites, with states; at least one.
        picture: a PNG.

    Raises:
        ConfigurationError: one is of another environment.
        DatasetError: one is no dataset.
        StorageError: the picture cannot be written.
    """
    figure: Any = load_matplotlib().Figure(
        figsize=(SIDE * len(folders), SIDE), layout="constrained"
    )
    for place, folder in enumerate(folders, start=1):
        environment = environment_of(open_dataset(folder))
        if not environment.startswith("Sprites"):
            raise ConfigurationError(
                f"{folder}: holds games of {environment}, and paths are drawn of Sprites"
            )
        axis = _square(figure, 1, len(folders), place)
        _draw_game(axis, *first_game(folder))
        title = f"{folder.name.removesuffix('_rollouts')}\n{environment}"
        axis.set_title(title, fontsize="x-small")
    _save(figure, picture)


def _square(figure: Any, rows: int, columns: int, place: int) -> Any:
    axis = figure.add_subplot(rows, columns, place)
    axis.set(xlim=(0, 1), ylim=(1, 0), xticks=[], yticks=[], aspect="equal")
    return axis


def _save(figure: Any, picture: Path) -> None:
    try:
        picture.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(picture, dpi=120, format="png")
    except OSError as error:
        raise storage_error(picture, error) from error


def first_game(games: Path) -> tuple[Path2D, float]:
    """Return the states [T + 1, S] and the return of the first game of a dataset.

    A state holds row and column of the agent, then of the target, then of what distracts.

    Raises:
        ConfigurationError: the dataset holds no states.
    """
    episode = open_dataset(games).episode(0)
    if episode.states is None:
        raise ConfigurationError(f"{games}: holds no states; --eval --save_rollouts keeps them")
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


def main(argv: Sequence[str] | None = None) -> int:
    """Draw what the command line names; return the exit code."""
    parser = Parser(
        prog="python -m benchmarks.sprites_study.paths",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="FOLDER", help="games that were kept"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("logs/sprites_paths.png"),
        help="picture to write (%(default)s)",
    )
    options = parser.parse_args(argv)
    try:
        draw_folders(options.folders, options.out)
    except ScoutError as error:
        return end_with(error.exit_code, f"error: {error}")
    print(f"picture: {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
