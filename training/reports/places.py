"""Where the agents have been: cells of the state space, rooms of Montezuma's Revenge."""

import base64
from collections.abc import Collection

import cv2
import numpy as np

from training.figures.coverage import Coverage, heat_map
from training.reports.markup import Markup, element
from training.reports.numbers import percent_text, short_text
from training.reports.scale import Scale
from workers.environments.atari.games import MONTEZUMA_ROOM_ROWS

ROOM_WIDTH, ROOM_HEIGHT = 46.0, 34.0

WIDTH, HEIGHT = 420.0, 330.0
LEFT, RIGHT, TOP, BOTTOM = 62.0, 404.0, 8.0, 284.0


def draw_coverage(name: str, coverage: Coverage, most: int, axes: tuple[str, str]) -> Markup:
    """Return the map of visited cells; `most` visits have the brightest colour, 2 or more."""
    across = Scale(float(coverage.low[0]), float(coverage.high[0]), LEFT, RIGHT)
    up = Scale(float(coverage.low[1]), float(coverage.high[1]), BOTTOM, TOP)
    marks = []
    for value, x in across.marks():
        marks.append(element("text", short_text(value), x=x, y=BOTTOM + 16, text_anchor="middle"))
    for value, y in up.marks():
        marks.append(element("text", short_text(value), x=LEFT - 6, y=y + 4, text_anchor="end"))
    sideways = f"translate(12 {(TOP + BOTTOM) / 2:g}) rotate(-90)"
    frame = {"x": LEFT, "y": TOP, "width": RIGHT - LEFT, "height": BOTTOM - TOP}
    visits, share = int(coverage.counts.sum()), percent_text(coverage.fraction_visited)
    picture = element(
        "svg",
        element("rect", **frame, class_="unvisited"),
        element("image", **frame, href=_png(coverage, most), preserveAspectRatio="none"),
        element("rect", **frame, class_="frame"),
        *marks,
        element("text", axes[0], x=(LEFT + RIGHT) / 2, y=BOTTOM + 36, text_anchor="middle"),
        element("text", axes[1], transform=sideways, text_anchor="middle"),
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
        role="img",
        aria_label=f"Map of the states that {name} visited, {axes[0]} across and {axes[1]} up: "
        f"{share} of {coverage.counts.size:,} cells, {visits:,} visits.",
    )
    hint = element("span", f"{share} of cells visited", class_="hint")
    return element("figure", element("figcaption", element("b", name), hint), picture)


def _png(coverage: Coverage, most: int) -> str:
    """Return a picture of one pixel for each cell as a data address; what was not seen is clear."""
    heat = heat_map(coverage, most)
    seen = np.where(coverage.counts.T[::-1] > 0, 255, 0).astype(np.uint8)
    encoded = cv2.imencode(".png", np.dstack([heat, seen]))[1].tobytes()
    return f"data:image/png;base64,{base64.b64encode(encoded).decode()}"


def draw_rooms(name: str, entered: Collection[int]) -> Markup:
    """Return the pyramid of Montezuma's Revenge, the rooms that were entered filled."""
    cells = []
    for level, rooms in enumerate(MONTEZUMA_ROOM_ROWS):
        left = (WIDTH - ROOM_WIDTH * len(rooms)) / 2
        for place, room in enumerate(rooms):
            x, y = left + place * ROOM_WIDTH, level * ROOM_HEIGHT
            style = "entered" if room in entered else "closed"
            box = {"x": x + 1, "y": y + 1, "width": ROOM_WIDTH - 2, "height": ROOM_HEIGHT - 2}
            label = {"x": x + ROOM_WIDTH / 2, "y": y + ROOM_HEIGHT / 2 + 4}
            cells.append(element("rect", **box, class_=style))
            cells.append(element("text", str(room), **label, text_anchor="middle", class_=style))
    listed, count = ", ".join(map(str, sorted(entered))), sum(map(len, MONTEZUMA_ROOM_ROWS))
    picture = element(
        "svg",
        *cells,
        viewBox=f"0 0 {WIDTH:g} {ROOM_HEIGHT * len(MONTEZUMA_ROOM_ROWS):g}",
        role="img",
        aria_label=f"Map of the {count} rooms: {name} entered {listed}.",
    )
    hint = element("span", f"{len(entered)} rooms: {listed}", class_="hint")
    return element("figure", element("figcaption", element("b", name), hint), picture)
