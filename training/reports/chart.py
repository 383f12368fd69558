"""A chart of curves over env steps as SVG: thin lines, a thick one, a band around it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from training.reports.markup import Markup, coordinate, element, join
from training.reports.numbers import number_text, short_text, steps_text
from training.reports.off_axis import marks_below, words_below
from training.reports.quantities import Quantity
from training.reports.rows import Curve, Values
from training.reports.scale import Scale, linear_scale, logarithmic_scale
from training.reports.smoothing import thinned

WIDTH, HEIGHT, ROW = 420.0, 220.0, 16.0  # a second row of numbers adds its height
LEFT, RIGHT, TOP, BOTTOM = 84.0, 400.0, 8.0, 176.0  # LEFT has room for "−0.000125"
STRIPS = 40  # across a chart, each with the values there as a hover text
MOST_POINTS = 300
PALETTE = 8


@dataclass(frozen=True)
class Line:
    """What is drawn of one run or group.

    Attributes:
        name: in legends and hover texts.
        colour: its number; from PALETTE on, colours are used again with dashes.
        curve: the thick line.
        band: low and high values around it, [n] each.
        faint: thin lines beneath.
        latest: the figure at its end as tables have it, not smoothed; None = not known.
    """

    name: str
    colour: int
    curve: Curve
    band: tuple[Values, Values] | None = None
    faint: tuple[Curve, ...] = ()
    latest: float | None = None

    @property
    def drawn(self) -> tuple[Curve, ...]:
        """The thin lines, or the thick one where there are none."""
        return self.faint or (self.curve,)

    @property
    def style(self) -> str:
        """The classes of its colour and dashes."""
        return f"c{self.colour % PALETTE}" + (" dashed" if self.colour >= PALETTE else "")


def draw_chart(
    quantity: Quantity, lines: Sequence[Line], last_step: float, frames_per_step: float
) -> Markup:
    """Return the chart with its heading.

    Args:
        quantity: what is shown.
        lines: at least one, each with a point.
        last_step: the right end of the chart; the left one is 0.
        frames_per_step: of the environment; 1 = no second row of numbers.
    """
    across = Scale(0.0, max(last_step, 1.0), LEFT, RIGHT)
    up = _vertical(quantity, lines)
    plot = element(
        "svg",
        *(part for line in lines for part in _behind(line, across, up)),
        *(_path(line.curve, across, up, f"line {line.style}") for line in lines),
        *(
            mark
            for line in lines
            for curve in line.drawn
            for mark in marks_below(curve, across, up, line.style)
        ),
        *_strips(lines, across, frames_per_step),
        # A picture within the picture cuts what lies outside of it.
        **{"x": LEFT, "y": TOP, "width": RIGHT - LEFT, "height": BOTTOM - TOP},
        viewBox=f"{LEFT:g} {TOP:g} {RIGHT - LEFT:g} {BOTTOM - TOP:g}",
    )
    picture = element(
        "svg",
        *_horizontal_marks(up),
        *_vertical_marks(across, frames_per_step),
        plot,
        viewBox=f"0 0 {WIDTH:g} {HEIGHT if frames_per_step == 1 else HEIGHT + ROW:g}",
        role="img",
        aria_label=_in_words(quantity, lines),
    )
    return element("figure", _heading(quantity, lines, up), picture)


def _heading(quantity: Quantity, lines: Sequence[Line], up: Scale) -> Markup:
    """Return the title, the last figure of a line that is alone, and how to read the chart."""
    latest = []
    if len(lines) == 1 and lines[0].latest is not None:
        text = number_text(lines[0].latest)
        latest = [element("span", text, class_=f"latest {lines[0].style}")]
    off = words_below([curve for line in lines for curve in line.drawn], up)
    hints = [element("span", text, class_="hint") for text in (quantity.hint, off) if text]
    return element("figcaption", element("b", quantity.title), *latest, *hints)


def _vertical(quantity: Quantity, lines: Sequence[Line]) -> Scale:
    """Return the scale that shows all lines and bands, within the quantity's limits."""
    shown = [curve[1] for line in lines for curve in (line.curve, *line.faint)]
    shown += [edge for line in lines if line.band is not None for edge in line.band]
    if quantity.limits is not None:
        shown = [np.clip(values, *quantity.limits) for values in shown]
    scale = logarithmic_scale if quantity.logarithmic else linear_scale
    return scale(shown, BOTTOM, TOP)


def _behind(line: Line, across: Scale, up: Scale) -> Iterator[Markup]:
    """Yield what lies beneath the thick line: the band, the thin lines."""
    if line.band is not None and len(line.curve[0]) > 1:
        low, high = line.band
        steps = np.concatenate([line.curve[0], line.curve[0][::-1]])
        edge = np.concatenate([high, low[::-1]])
        path = _points((steps, edge), across, up)
        yield element("path", d=f"M{path}Z", class_=f"band {line.style}")
    for curve in line.faint:
        yield _path(curve, across, up, f"faint {line.style}")


def _path(curve: Curve, across: Scale, up: Scale, style: str) -> Markup:
    """Return a line through the points of a curve; one point is a dot."""
    steps, values = thinned(curve, MOST_POINTS)
    if len(steps) == 1:
        x, y = across.place(steps)[0], up.place(values)[0]
        return element("circle", cx=float(x), cy=float(y), r=3, class_=f"dot {style}")
    return element("path", d=f"M{_points((steps, values), across, up)}", class_=style)


def _points(curve: Curve, across: Scale, up: Scale) -> str:
    # Far outside is as good as anywhere outside, and short to write.
    places = np.clip(up.place(curve[1]), -HEIGHT, 2 * HEIGHT)
    pairs = zip(across.place(curve[0]).tolist(), places.tolist(), strict=True)
    return " ".join(f"{coordinate(x)},{coordinate(y)}" for x, y in pairs)


def _horizontal_marks(up: Scale) -> Iterator[Markup]:
    for value, y in up.marks():
        yield element("line", x1=LEFT, x2=RIGHT, y1=y, y2=y, class_="grid")
        yield element("text", short_text(value), x=LEFT - 6, y=y + 4, text_anchor="end")


def _vertical_marks(across: Scale, frames_per_step: float) -> Iterator[Markup]:
    """Yield env steps below the chart and, where they differ, frames below these."""
    rows = [(1.0, BOTTOM + ROW, "env steps")]
    if frames_per_step != 1:
        rows.append((frames_per_step, BOTTOM + 2 * ROW, "frames"))
    for value, x in across.marks(4):
        yield element("line", x1=x, x2=x, y1=BOTTOM, y2=BOTTOM + 4, class_="tick")
        for factor, y, _ in rows:
            yield element("text", short_text(value * factor), x=x, y=y, text_anchor="middle")
    names = " / ".join(name for _, _, name in rows)
    y = rows[-1][1] + ROW
    yield element("text", names, x=(LEFT + RIGHT) / 2, y=y, text_anchor="middle", class_="axis")


def _strips(lines: Sequence[Line], across: Scale, frames_per_step: float) -> Iterator[Markup]:
    """Yield strips that cannot be seen, each with the lines' values there as its hover text."""
    edges = np.linspace(across.low, across.high, STRIPS + 1)
    for step, edge in zip((edges[:-1] + edges[1:]) / 2, edges, strict=False):
        texts = [
            f"{line.name}: {number_text(float(np.interp(step, *line.curve)))}"
            for line in lines
            if line.curve[0][0] <= step <= line.curve[0][-1]
        ]
        if texts:
            words = "\n".join([f"at {steps_text(float(step), frames_per_step)}", *texts])
            yield element(
                "rect",
                element("title", words),
                x=float(across.place(edge)),
                y=TOP,
                width=(RIGHT - LEFT) / STRIPS,
                height=BOTTOM - TOP,
                class_="strip",
            )


def _in_words(quantity: Quantity, lines: Sequence[Line]) -> str:
    """Return what the picture shows, for those who do not see it."""
    parts = []
    for line in lines:
        steps, values = line.curve
        first, last, low, high = map(
            number_text, (values[0], values[-1], values.min(), values.max())
        )
        parts.append(
            f"{line.name}: {first} at {steps[0]:,.0f} env steps, {last} at {steps[-1]:,.0f}, "
            f"between {low} and {high}"
        )
    return f"{quantity.title} over env steps. {'; '.join(parts)}."


def legend(lines: Sequence[tuple[str, str]]) -> Markup:
    """Return the names beside their colours; [(style, name)]."""
    entries = [element("li", element("i", class_=f"swatch {style}"), name) for style, name in lines]
    return element("ul", join(entries), class_="legend")
