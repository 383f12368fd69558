"""Which states were visited, how often, and a picture of it.

The states are counted over the first two dimensions of a state observation: position and velocity
of MountainCar, for instance.
"""

import io
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Self

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.figures.lettering import Colour, draw_text
from training.figures.ticks import round_numbers
from training.folders.files import replace_file

_UNBOUNDED = 4.0
_LARGEST_BOUND = 1e6

Image = NDArray[np.uint8]  # [H, W, 3], BGR

# Layout of the picture, in pixels.
_MAP_SIZE = 400
_LEFT, _TOP, _BOTTOM, _GAP = 100, 84, 92, 40
_BAR_WIDTH, _BAR_SPACE = 18, 110
_INK: Colour = (45, 40, 38)
_FAINT: Colour = (120, 112, 108)
_PAPER: Colour = (255, 255, 255)
_UNVISITED: Colour = (238, 236, 234)

_text = partial(draw_text, colour=_INK, width=_MAP_SIZE)


class Coverage:
    """Visit counts over a grid of two state dimensions.

    Args:
        low, high: finite bounds of the state, at least two values each (see `finite_bounds`);
            values outside count in the outermost cells.
        bins: cells along the first and the second dimension.

    Attributes:
        counts: int64 [bins[0], bins[1]], visits of each cell.
    """

    def __init__(
        self, low: Sequence[float], high: Sequence[float], bins: tuple[int, int] = (40, 40)
    ) -> None:
        self.low = np.asarray(low[:2], dtype=np.float64)
        self.high = np.asarray(high[:2], dtype=np.float64)
        if self.low.shape != (2,) or self.high.shape != (2,):
            raise ValueError("coverage needs a state of at least two dimensions")
        if not np.isfinite(self.high - self.low).all() or (self.high <= self.low).any():
            raise ValueError(f"bounds {low[:2]} to {high[:2]} must be finite and in order")
        self.counts = np.zeros(bins, dtype=np.int64)

    def add(self, observations: ArrayLike) -> None:
        """Count every state of `observations` [..., D], D >= 2."""
        self.add_cells(self.cells(observations))

    def add_cells(self, cells: NDArray[np.int64]) -> None:
        """Count a visit of each of `cells` [B], as numbered by `cells`."""
        flat = np.bincount(cells, minlength=self.counts.size)
        self.counts += flat.reshape(self.counts.shape)

    def cells(self, observations: ArrayLike) -> NDArray[np.int64]:
        """Return the cell [B] of each state of `observations` [..., D], D >= 2, row by row."""
        states = np.asarray(observations, dtype=np.float64)[..., :2].reshape(-1, 2)
        bins = np.asarray(self.counts.shape)
        cells = np.floor((states - self.low) / (self.high - self.low) * bins)
        first, second = np.clip(cells, 0, bins - 1).astype(np.int64).T
        return np.asarray(first * bins[1] + second, np.int64)

    @property
    def fraction_visited(self) -> float:
        """The share of cells that were visited at least once."""
        return float(np.count_nonzero(self.counts) / self.counts.size)

    def save(self, path: Path) -> None:
        """Write the counts and bounds to `path` (.npz), whole or not at all."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, counts=self.counts, low=self.low, high=self.high)
        replace_file(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Return what `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            counts = arrays["counts"]
            coverage = cls(
                arrays["low"].tolist(), arrays["high"].tolist(), (counts.shape[0], counts.shape[1])
            )
        coverage.counts += counts
        return coverage


Panel = tuple[str, str, Coverage]  # title, subtitle, counts


def finite_bounds(
    low: Sequence[float], high: Sequence[float]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return bounds for a picture, in order: -4 and 4 where the simulator gives none.

    A bound beyond a million counts as none: some simulators write the largest float32. Four is
    about what CartPole's velocities reach under a random policy. Where that would lie beyond the
    bound that there is, the picture spans 8 from that bound on; of a value that never varies it
    spans 4 to both sides.
    """
    pairs = [_in_order(*pair) for pair in zip(low, high, strict=True)]
    return tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)


def _in_order(low: float, high: float) -> tuple[float, float]:
    has_low, has_high = abs(low) < _LARGEST_BOUND, abs(high) < _LARGEST_BOUND
    first, last = low if has_low else -_UNBOUNDED, high if has_high else _UNBOUNDED
    if first < last:
        return first, last
    if has_low and has_high:
        return low - _UNBOUNDED, low + _UNBOUNDED
    return (low, low + 2 * _UNBOUNDED) if has_low else (high - 2 * _UNBOUNDED, high)


def draw_comparison(panels: Sequence[Panel], axis_names: tuple[str, str], path: Path) -> None:
    """Draw heat maps of the panels side by side into a PNG.

    All panels share one logarithmic colour scale; cells that were never visited are pale grey.

    Args:
        panels: at least one.
        axis_names: names of the first (across) and the second (upwards) dimension.
        path: the PNG.

    Raises:
        StorageError: the picture cannot be written.
    """
    most = max(2, *(int(coverage.counts.max()) for _, _, coverage in panels))
    panel_width = _LEFT + _MAP_SIZE + _GAP
    width = panel_width * len(panels) + _BAR_SPACE
    height = _TOP + _MAP_SIZE + _BOTTOM
    image = np.full((height, width, 3), _PAPER, np.uint8)
    for index, panel in enumerate(panels):
        _draw_panel(image, index * panel_width + _LEFT, panel, most)
        _draw_axes(image, index * panel_width + _LEFT, panel[2], axis_names)
    _draw_colour_bar(image, panel_width * len(panels), most)
    encoded = cv2.imencode(".png", image)[1]
    replace_file(path, encoded.tobytes())


def heat_map(coverage: Coverage, most: int, unvisited: Colour = _UNVISITED) -> Image:
    """Return a pixel for each cell, BGR; the first dimension across, the second upwards.

    Args:
        coverage: the counts.
        most: the count that has the brightest colour, at least 2; the scale is logarithmic.
        unvisited: the colour of no visit.
    """
    counts = coverage.counts.T[::-1]
    heat = colours(np.log(np.maximum(counts, 1)) / math.log(most))
    heat[counts == 0] = unvisited
    return heat


def colours(values: NDArray[np.float64]) -> Image:
    """Return the colours of values in [0, 1], [H, W] -> [H, W, 3]."""
    levels = np.clip(values * 255, 0, 255).astype(np.uint8)
    return np.asarray(cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS), np.uint8)


def _draw_panel(image: Image, left: int, panel: Panel, most: int) -> None:
    """Draw the heat map of one panel with its heading; the second dimension points upwards."""
    title, subtitle, coverage = panel
    heat = heat_map(coverage, most)
    size = (_MAP_SIZE, _MAP_SIZE)
    area = (slice(_TOP, _TOP + _MAP_SIZE), slice(left, left + _MAP_SIZE))
    image[area] = cv2.resize(heat, size, interpolation=cv2.INTER_NEAREST)
    cv2.rectangle(image, (left - 1, _TOP - 1), (left + _MAP_SIZE, _TOP + _MAP_SIZE), _FAINT)
    _text(image, title, (left, _TOP - 42), size=22, weight=600)
    _text(image, subtitle, (left, _TOP - 16), colour=_FAINT)


def _draw_axes(image: Image, left: int, coverage: Coverage, names: tuple[str, str]) -> None:
    """Draw ticks with numbers, and the names, below and left of a panel."""
    bottom = _TOP + _MAP_SIZE
    for value, share in _ticks(coverage.low[0], coverage.high[0]):
        x = left + round(share * _MAP_SIZE)
        cv2.line(image, (x, bottom + 1), (x, bottom + 6), _FAINT)
        _text(image, value, (x, bottom + 24), align="centre")
    for value, share in _ticks(coverage.low[1], coverage.high[1]):
        y = bottom - round(share * _MAP_SIZE)
        cv2.line(image, (left - 7, y), (left - 2, y), _FAINT)
        _text(image, value, (left - 12, y + 5), align="right")
    _text(image, names[0], (left + _MAP_SIZE // 2, bottom + 56), size=17, align="centre")
    sideways = np.full((26, _MAP_SIZE, 3), _PAPER, np.uint8)
    _text(sideways, names[1], (_MAP_SIZE // 2, 19), size=17, align="centre")
    edge = left - _LEFT
    image[_TOP:bottom, edge : edge + 26] = cv2.rotate(sideways, cv2.ROTATE_90_COUNTERCLOCKWISE)


def _draw_colour_bar(image: Image, left: int, most: int) -> None:
    """Draw the logarithmic scale of visits, from 1 to `most`, and the colour of no visit."""
    bottom = _TOP + _MAP_SIZE
    ramp = np.linspace(1, 0, _MAP_SIZE)[:, None].repeat(_BAR_WIDTH, axis=1)
    image[_TOP:bottom, left : left + _BAR_WIDTH] = colours(ramp)
    cv2.rectangle(image, (left - 1, _TOP - 1), (left + _BAR_WIDTH, bottom), _FAINT)
    _text(image, "visits", (left, _TOP - 16), colour=_FAINT)
    for exponent in range(int(math.log10(most) + 1e-9) + 1):
        y = bottom - round(exponent * math.log(10) / math.log(most) * _MAP_SIZE)
        cv2.line(image, (left + _BAR_WIDTH, y), (left + _BAR_WIDTH + 5, y), _FAINT)
        _text(image, f"{10**exponent:,}", (left + _BAR_WIDTH + 10, y + 5))
    box = (left - 1, bottom + 12), (left + _BAR_WIDTH, bottom + 28)
    cv2.rectangle(image, *box, _UNVISITED, cv2.FILLED)
    cv2.rectangle(image, *box, _FAINT)
    _text(image, "never", (left + _BAR_WIDTH + 10, bottom + 25))


def _ticks(low: float, high: float) -> list[tuple[str, float]]:
    """Return round numbers in [low, high], about five, each with its share of the way."""
    return [
        (f"{value:.6g}".replace("-", "−"), (value - low) / (high - low))
        for value in round_numbers(low, high)
    ]
