"""The parts of a picture beside the screen: notes, curves over an episode, and (maps.py) maps.

Each part has a fixed size and draws itself as it was at a moment of the episode.
"""

from collections.abc import Sequence
from typing import Literal, Protocol

import cv2
import numpy as np

from training.figures.lettering import Colour, Picture, draw_text

GROUND: Colour = (24, 24, 28)
INK: Colour = (235, 235, 235)
FAINT: Colour = (140, 140, 148)
GRID: Colour = (58, 58, 66)

MARGIN = 12
HEADING = 22  # pixels of a part's first line
TEXT = 14


class Part(Protocol):
    """A piece of the picture, [height, width, 3] RGB."""

    def draw(self, moment: int) -> Picture:
        """Return the part as it was at a moment of the episode."""


def blank(height: int, width: int) -> Picture:
    """Return a dark part with nothing on it."""
    return np.full((height, width, 3), GROUND, np.uint8)


class Note:
    """A line of text that does not change."""

    def __init__(self, text: str, height: int, width: int) -> None:
        self._picture = blank(height, width)
        write(self._picture, text, MARGIN, 16, width - 2 * MARGIN, colour=FAINT)

    def draw(self, moment: int) -> Picture:
        """Return the text."""
        return self._picture


class Curve:
    """A quantity over the whole episode, drawn up to the moment, with its number.

    Args:
        title: what it is.
        values: one for each moment from `start` on; not a number where there is none.
        height, width: in pixels.
        colour: of the line.
        start: the first moment that has a value.
    """

    def __init__(
        self,
        title: str,
        values: Sequence[float],
        height: int,
        width: int,
        *,
        colour: Colour,
        start: int = 0,
    ) -> None:
        self._values, self._start, self._colour = values, start, colour
        self._width = width
        top, bottom = HEADING + 8, height - 8
        low, high = _limits(values)
        self._base = blank(height, width)
        write(self._base, title, MARGIN, 16, width - 2 * MARGIN - 80)
        left = MARGIN + 52
        for value, y in ((high, top), (low, bottom)):
            cv2.line(self._base, (left, y), (width - MARGIN, y), GRID)
            write(self._base, _number(value, 2), left - 6, y + 4, 56, FAINT, align="right", size=12)
        columns = np.linspace(left, width - MARGIN, max(2, len(values) + start))[start:]
        heights = bottom - (np.asarray(values) - low) / (high - low) * (bottom - top)
        self._points = np.stack([columns[: len(values)], heights], axis=1).round().astype(np.int32)

    def draw(self, moment: int) -> Picture:
        """Return the curve until `moment`, and its value there."""
        picture = self._base.copy()
        last = min(moment - self._start, len(self._values) - 1)
        if last < 0:
            return picture
        points = self._points[: last + 1]
        cv2.polylines(picture, [points], isClosed=False, color=self._colour, lineType=cv2.LINE_AA)
        x, y = (int(number) for number in points[-1])
        cv2.circle(picture, (x, y), 3, self._colour, cv2.FILLED, cv2.LINE_AA)
        now = moment - self._start
        text = _number(self._values[now]) if now < len(self._values) else "over"
        write(picture, text, self._width - MARGIN, 16, 78, colour=self._colour, align="right")
        return picture


def write(
    picture: Picture,
    text: str,
    x: int,
    y: int,
    width: int,
    colour: Colour = INK,
    align: Literal["left", "centre", "right"] = "left",
    size: int = TEXT,
) -> None:
    """Draw text on a part, at most `width` pixels wide; see `draw_text`."""
    draw_text(picture, text, (x, y), colour=colour, width=width, size=size, align=align)


def _limits(values: Sequence[float]) -> tuple[float, float]:
    """Return the smallest and the largest value, apart in any case."""
    low, high = float(min(values)), float(max(values))
    if high - low < 1e-9 * max(1.0, abs(low)):
        return low - 0.5, high + 0.5
    return low, high


def _number(value: float, digits: int = 3) -> str:
    """Return a number of as many digits as matter: 1,234, 12.3, 0.012."""
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.{digits}g}"
    return text.replace("-", "−")
