"""Maps beside the screen of a film: of rooms, and of the states that training has visited."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from training.figures.coverage import Coverage, heat_map
from training.figures.lettering import Colour, Picture
from training.playing.panels import FAINT, GRID, GROUND, HEADING, INK, MARGIN, blank, write

ACCENT: Colour = (255, 196, 84)
VISITED: Colour = (70, 110, 150)


class RoomMap:
    """Rooms row by row: those visited in this episode, and the one at hand.

    Args:
        rows: the rooms of each row from the top; rows are centred.
        rooms: those visited until each moment.
        room: the one at hand at each moment.
        height, width: in pixels.
    """

    def __init__(
        self,
        rows: Sequence[Sequence[int]],
        rooms: Sequence[Sequence[int]],
        room: Sequence[int | None],
        height: int,
        width: int,
    ) -> None:
        self._rooms, self._room = rooms, room
        self._size = (height, width)
        across = (width - 2 * MARGIN) // max(map(len, rows))
        down = min(across, (height - HEADING - MARGIN) // len(rows))
        self._boxes = {
            number: (
                (width - across * len(row)) // 2 + across * column,
                HEADING + 4 + down * index,
                across - 3,
                down - 3,
            )
            for index, row in enumerate(rows)
            for column, number in enumerate(row)
        }

    def draw(self, moment: int) -> Picture:
        """Return the map; visited rooms are blue, the one at hand is yellow."""
        picture = blank(*self._size)
        visited, here = self._rooms[moment], self._room[moment]
        title = f"rooms visited: {len(visited)} of {len(self._boxes)}"
        write(picture, title, MARGIN, 16, self._size[1] - 2 * MARGIN)
        for number, (x, y, across, down) in self._boxes.items():
            fill = ACCENT if number == here else VISITED if number in visited else None
            edge = GRID if fill is None else fill
            thickness = 1 if fill is None else cv2.FILLED
            cv2.rectangle(picture, (x, y, across, down), edge, thickness)
            ink = GROUND if number == here else INK if number in visited else FAINT
            centre = (x + across // 2, y + down // 2 + 5)
            write(picture, str(number), *centre, across, colour=ink, align="centre")
        return picture


class StateMap:
    """Where training has been in the first two dimensions of the state, and where the episode goes.

    Args:
        coverage: the visits of training.
        states: [T + 1, D], of this episode.
        axes: what the two dimensions are called.
        height, width: in pixels.
    """

    def __init__(
        self,
        coverage: Coverage,
        states: NDArray[np.float32],
        axes: tuple[str, str],
        height: int,
        width: int,
    ) -> None:
        self._base = blank(height, width)
        title = "states visited in training; line: this game"
        write(self._base, title, MARGIN, 16, width - 2 * MARGIN)
        top, bottom, left, right = HEADING + 4, height - 24, MARGIN + 20, width - MARGIN
        across, down = right - left, bottom - top
        most = max(2, int(coverage.counts.max()))
        heat = heat_map(coverage, most, unvisited=GRID[::-1])[..., ::-1]
        self._base[top:bottom, left:right] = cv2.resize(
            heat, (across, down), interpolation=cv2.INTER_NEAREST
        )
        middle = left + across // 2
        write(self._base, axes[0], middle, height - 8, across, FAINT, align="centre")
        sideways = blank(20, down)
        write(sideways, axes[1], down // 2, 14, down, colour=FAINT, align="centre")
        self._base[top:bottom, MARGIN - 4 : MARGIN + 16] = cv2.rotate(
            sideways, cv2.ROTATE_90_COUNTERCLOCKWISE
        )
        shares = np.clip((states[:, :2] - coverage.low) / (coverage.high - coverage.low), 0, 1)
        corner, span = np.array([left, bottom - 1]), np.array([across - 1, 1 - down])
        self._points = (corner + shares * span).round().astype(np.int32)

    def draw(self, moment: int) -> Picture:
        """Return the map with the way until `moment`."""
        picture = self._base.copy()
        way = self._points[: moment + 1]
        cv2.polylines(picture, [way], isClosed=False, color=INK, lineType=cv2.LINE_AA)
        x, y = (int(number) for number in way[-1])
        cv2.circle(picture, (x, y), 5, GROUND, cv2.FILLED, cv2.LINE_AA)
        cv2.circle(picture, (x, y), 4, ACCENT, cv2.FILLED, cv2.LINE_AA)
        return picture
