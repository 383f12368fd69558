"""Correlations of features with true numbers as a picture, SVG."""

import numpy as np

from training.probing.ridge import Floats
from training.reports.markup import Markup, element

MOST_FEATURES = 96
WIDTH, ROW, LEFT, BELOW = 900.0, 20.0, 170.0, 18.0
WARM, COLD = (207, 82, 0), (11, 107, 181)


def heat_map(table: Floats, state: tuple[str, ...], name: str) -> Markup:
    """Return a figure with a row for each dimension and a column for each feature.

    Of many features, those with the largest correlations are shown, in their own order.

    Args:
        table: [D, S].
        state: names of the S dimensions.
        name: of the model.
    """
    strongest = np.argsort(-np.abs(table).max(axis=1), kind="stable")[:MOST_FEATURES]
    chosen = np.sort(strongest)
    width = (WIDTH - LEFT) / len(chosen)
    cells = [
        element(
            "rect",
            element("title", f"feature {feature}, {dimension}: {table[feature, row]:+.2f}"),
            x=LEFT + place * width,
            y=row * ROW,
            width=width,
            height=ROW - 1,
            fill=_colour(float(table[feature, row])),
        )
        for row, dimension in enumerate(state)
        for place, feature in enumerate(chosen.tolist())
    ]
    names = [
        element("text", dimension, x=LEFT - 6, y=row * ROW + 14, text_anchor="end")
        for row, dimension in enumerate(state)
    ]
    height = len(state) * ROW
    below = [
        element("text", f"feature {chosen[0]}", x=LEFT, y=height + 13, class_="axis"),
        element(
            "text",
            f"feature {chosen[-1]}",
            x=WIDTH,
            y=height + 13,
            text_anchor="end",
            class_="axis",
        ),
    ]
    told = f"{len(chosen)} of {len(table)} features; orange goes with it, blue against it"
    picture = element(
        "svg",
        *cells,
        *names,
        *below,
        viewBox=f"0 0 {WIDTH:g} {height + BELOW:g}",
        role="img",
        aria_label=f"Correlations of {name}'s features with the state: {told}.",
    )
    caption = element("figcaption", element("b", name), element("span", told, class_="hint"))
    return element("figure", caption, picture)


def _colour(value: float) -> str:
    """Return white at 0, and a colour at either end."""
    strength = min(abs(value), 1.0)
    mixed = (round(255 + (c - 255) * strength) for c in (WARM if value > 0 else COLD))
    return "#" + "".join(f"{part:02x}" for part in mixed)
