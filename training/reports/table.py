"""A table."""

from collections.abc import Sequence

from training.reports.markup import Markup, element


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: bool = True) -> Markup:
    """Return a table that scrolls sideways where it is wide; the first column names a row.

    Args:
        head: of the columns.
        rows: cells as text or Markup.
        numbers: the cells after the first are numbers, set to the right.
    """
    lines = [
        element(
            "tr", element("th", row[0], scope="row"), *(element("td", cell) for cell in row[1:])
        )
        for row in rows
    ]
    top = element("thead", element("tr", *(element("th", text, scope="col") for text in head)))
    whole = element(
        "table", top, element("tbody", *lines), class_="numbers" if numbers else "words"
    )
    return element("div", whole, class_="wide", tabindex="0")
