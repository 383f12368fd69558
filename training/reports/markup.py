"""HTML and SVG as text: what is not markup already is escaped, so no run can write into a page."""

import html
from collections.abc import Iterable

_WITHOUT_END = {"br", "img", "meta", "source"}


class Markup(str):
    """Text that is HTML or SVG and goes into a page as it is."""

    __slots__ = ()


def element(tag: str, *children: str, **attributes: str | float | None) -> Markup:
    """Return an element with its children.

    Args:
        tag: its name.
        children: Markup as it is, other text escaped.
        attributes: by name; `class_` is class, `stroke_width` is stroke-width; None is left out,
            an empty text is an attribute without a value, a number is rounded to a tenth.
    """
    given = "".join(
        f" {name.rstrip('_').replace('_', '-')}{_value(value)}"
        for name, value in attributes.items()
        if value is not None
    )
    if tag in _WITHOUT_END:
        return Markup(f"<{tag}{given}>")
    return Markup(f"<{tag}{given}>{join(children)}</{tag}>")


def join(parts: Iterable[str]) -> Markup:
    """Return parts one after the other, escaping those that are no Markup."""
    return Markup(
        "".join(part if isinstance(part, Markup) else html.escape(part) for part in parts)
    )


def _value(value: str | float) -> str:
    if value == "":
        return ""
    text = value if isinstance(value, str) else coordinate(value)
    return f'="{html.escape(text)}"'


def coordinate(value: float) -> str:
    """Return a number of pixels to a tenth, without needless digits."""
    return f"{round(value, 1) + 0.0:g}"
