"""Panels of curves over env steps, drawn with matplotlib where it is installed."""

import importlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from configs.errors import ConfigurationError, StorageError
from training.reports.rows import Curve

PANEL_SIZE = (6.4, 4.0)  # inches
COLUMNS = 2
KEY_HEIGHT = 0.5
KEY_COLUMNS = 4  # for each column of panels
BAND_OPACITY = 0.2


def load_matplotlib() -> Any:
    """Import the module that draws, without matplotlib's global state.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        return importlib.import_module("matplotlib.figure")
    except ImportError as error:
        raise ConfigurationError(
            f"drawing needs matplotlib (pip install -r requirements-study.txt): {error}"
        ) from error


class Panels:
    """Panels with env steps across; lines of one label have one colour in all of them, and a key.

    Args:
        titles: of the panels, at least one.
    """

    def __init__(self, titles: Sequence[str]) -> None:
        columns = min(COLUMNS, len(titles))
        rows = math.ceil(len(titles) / columns)
        size = (PANEL_SIZE[0] * columns, PANEL_SIZE[1] * rows + KEY_HEIGHT)
        self._figure: Any = load_matplotlib().Figure(figsize=size, layout="constrained")
        self._axes = {
            title: self._figure.add_subplot(rows, columns, place)
            for place, title in enumerate(titles, start=1)
        }
        self._colours: dict[str, str] = {}
        for title, axis in self._axes.items():
            axis.set_title(title)
            axis.set_xlabel("env steps")
            axis.grid(alpha=0.3)
            axis.ticklabel_format(axis="x", style="sci", scilimits=(3, 3), useMathText=True)

    def draw(
        self, title: str, label: str, curve: Curve, band: tuple[Any, Any] | None = None
    ) -> None:
        """Draw a curve into a panel, with a band from low to high values where there is one."""
        colour = self._colours.setdefault(label, f"C{len(self._colours)}")
        axis = self._axes[title]
        axis.plot(*curve, label=label, color=colour)
        if band is not None:
            axis.fill_between(curve[0], *band, color=colour, alpha=BAND_OPACITY, linewidth=0)

    def level(self, title: str, label: str, value: float) -> None:
        """Draw a dashed line across a panel, with its name beside it."""
        axis = self._axes[title]
        axis.axhline(value, color="0.5", linestyle="--", linewidth=0.8)
        place = (0.01, value)
        axis.annotate(label, place, xycoords=("axes fraction", "data"), fontsize="x-small")

    def save(self, path: Path) -> None:
        """Write the picture as a PNG.

        Raises:
            StorageError: it cannot be written.
        """
        self._draw_key()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._figure.savefig(path, dpi=120, format="png")
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error.strerror or error}") from error

    def _draw_key(self) -> None:
        """Name the lines once, below all panels, where it covers none of them."""
        named: dict[str, Any] = {}
        for axis in self._axes.values():
            lines, labels = axis.get_legend_handles_labels()
            named |= dict(zip(labels, lines, strict=True))
        if named:
            self._figure.legend(
                named.values(),
                named.keys(),
                loc="outside lower center",
                ncols=min(len(named), KEY_COLUMNS * min(COLUMNS, len(self._axes))),
                fontsize="small",
            )
