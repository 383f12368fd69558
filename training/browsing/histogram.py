"""A histogram, as SVG."""

import numpy as np

from training.reports.markup import Markup, element
from training.reports.numbers import number_text, short_text
from trajectories.episode import Array

WIDTH, HEIGHT, BELOW = 320.0, 110.0, 18.0
MOST_BARS = 40


def histogram(name: str, values: Array) -> Markup:
    """Return a figure with how often values [n] occur; a few whole numbers have a bar each."""
    numbers = np.asarray(values, np.float64)
    numbers = numbers[np.isfinite(numbers)]
    caption = [element("b", name)]
    if not len(numbers):
        return element("figure", element("figcaption", *caption), element("p", "no values"))
    counts, edges = _bars(numbers)
    mean, spread = (number_text(float(value)) for value in (numbers.mean(), numbers.std()))
    caption.append(element("span", f"mean {mean}, deviation {spread}", class_="hint"))
    drawn = element(
        "svg",
        *_drawn(counts),
        *_axis(edges, int(counts.max())),
        viewBox=f"0 0 {WIDTH:g} {HEIGHT + BELOW:g}",
        role="img",
        aria_label=f"Histogram of {name}: {len(numbers):,} values from {number_text(edges[0])} to "
        f"{number_text(edges[-1])}, mean {mean}",
    )
    return element("figure", element("figcaption", *caption), drawn)


def _bars(numbers: Array) -> tuple[Array, list[float]]:
    """Return the counts of bars [n] and the edges of the axis."""
    distinct = np.unique(numbers)
    if len(distinct) <= MOST_BARS and np.all(distinct == distinct.round()):
        low, high = int(distinct[0]), int(distinct[-1])
        if high - low < MOST_BARS:
            counts = np.bincount((numbers - low).astype(np.int64), minlength=high - low + 1)
            return counts, [float(low), float(high)]
    counts, edges = np.histogram(numbers, MOST_BARS)
    return counts, [float(edges[0]), float(edges[-1])]


def _drawn(counts: Array) -> list[Markup]:
    width = WIDTH / len(counts)
    heights = counts / counts.max() * (HEIGHT - 14)
    return [
        element(
            "rect",
            element("title", f"{int(count):,}"),
            x=place * width,
            y=HEIGHT - float(height),
            width=max(width - 1, 0.5),
            height=float(height),
            class_="part p0",
        )
        for place, (count, height) in enumerate(zip(counts, heights, strict=True))
        if count
    ]


def _axis(edges: list[float], most: int) -> list[Markup]:
    line = element("line", x1=0, x2=WIDTH, y1=HEIGHT, y2=HEIGHT, class_="tick")
    low, high = (short_text(edge) for edge in (edges[0], edges[-1]))
    return [
        line,
        element("text", low, x=0, y=HEIGHT + 13, class_="axis"),
        element("text", high, x=WIDTH, y=HEIGHT + 13, text_anchor="end", class_="axis"),
        element("text", f"{most:,}", x=0, y=10, class_="axis"),
    ]
