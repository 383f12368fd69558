"""Runs side by side in one picture: score, bonus, rooms where the game tells them, frames/s.

    python -m benchmarks.plots demo demo_no_bonus --out logs/plot.png

A run is named as under logs/runs; the folder of a run that lies elsewhere will do.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.drawing import Panels
from benchmarks.ending import Parser, end_with
from configs.errors import ConfigurationError, ScoutError
from training.reports.rows import SCORE, Row, curve, find_run, read_rows

# Panel -> the figures it shows, the first of them that any run has.
PANELS = {
    "return, mean of the last 100 episodes": (SCORE,),
    "intrinsic reward": ("intrinsic/mean",),
    "rooms": ("charts/rooms", "atari/rooms_total"),
    "frames/s": ("time/fps",),
}


def draw_runs(names: Sequence[str], path: Path) -> None:
    """Draw the runs' curves into a PNG; a panel that no run has figures for is left out.

    Raises:
        ConfigurationError: a run is missing or empty, or matplotlib is.
        StorageError: the picture cannot be written.
    """
    runs = {name: read_rows(find_run(name)) for name in names}
    shown = {
        title: key
        for title, keys in PANELS.items()
        if (key := _first_recorded(keys, list(runs.values()))) is not None
    }
    if not shown:
        raise ConfigurationError(f"there is nothing to draw yet in {', '.join(names)}")
    panels = Panels(list(shown))
    for title, key in shown.items():
        for name, rows in runs.items():
            if len((points := curve(rows, key))[0]):
                panels.draw(title, name, points)
    panels.save(path)


def _first_recorded(keys: Sequence[str], runs: Sequence[Sequence[Row]]) -> str | None:
    """Return the first of `keys` under which any run has a number."""
    return next((key for key in keys if any(len(curve(rows, key)[0]) for rows in runs)), None)


def main(argv: Sequence[str] | None = None) -> int:
    """Draw the runs named on the command line; return the exit code."""
    parser = Parser(
        prog="python -m benchmarks.plots",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="name or folder of a run")
    parser.add_argument(
        "--out", type=Path, default=Path("logs/plot.png"), help="picture to write (%(default)s)"
    )
    options = parser.parse_args(argv)
    try:
        draw_runs(options.runs, options.out)
    except ScoutError as error:
        return end_with(error.exit_code, f"error: {error}")
    print(f"picture: {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
