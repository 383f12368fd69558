"""A page that holds all it shows: style, pictures and videos lie within, and nothing is loaded."""

import base64
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from training.reports.markup import Markup, element, join

LARGEST_VIDEOS = 20_000_000  # bytes of a page; what is beyond them is a link
# Nothing from elsewhere, whatever stands in a run's files.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:"


@dataclass(frozen=True)
class Section:
    """A part of a page: its heading, and what stands below it."""

    heading: str
    parts: tuple[Markup, ...]

    @property
    def anchor(self) -> str:
        """The name that links lead to."""
        return "".join(letter if letter.isalnum() else "-" for letter in self.heading.lower())


def render_page(
    title: str,
    lead: Sequence[Markup],
    sections: Sequence[Section],
    made_by: str = "main.py --report",
) -> str:
    """Return the page as HTML.

    Args:
        title: its heading.
        lead: what stands below the heading.
        sections: in their order; one without parts is left out.
        made_by: the command.
    """
    shown = [section for section in sections if section.parts]
    links = [element("a", section.heading, href=f"#{section.anchor}") for section in shown]
    blocks = [
        element("section", element("h2", section.heading, id=section.anchor), *section.parts)
        for section in shown
    ]
    made = f"Made by {made_by}, {time.strftime('%Y-%m-%d %H:%M %Z')}."
    body = element(
        "main",
        element("h1", title),
        *lead,
        element("nav", *links, aria_label="parts of this page"),
        *blocks,
        element("p", made, class_="note"),
    )
    head = join(
        [
            element("meta", charset="utf-8"),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", http_equiv="Content-Security-Policy", content=POLICY),
            element("title", title),
            element("style", Markup(Path(__file__).with_name("page.css").read_text("utf-8"))),
        ]
    )
    page = element("html", element("head", head), element("body", body), lang="en")
    return f"<!doctype html>\n{page}\n"


def paragraph(text: str, kind: str = "note") -> Markup:
    """Return a line of text of a kind that the style knows."""
    return element("p", text, class_=kind)


def folded(summary: str, *content: Markup) -> Markup:
    """Return content that is opened by a click."""
    return element("details", element("summary", summary), *content)


def video_figures(videos: Sequence[tuple[str, Path]], page: Path) -> list[Markup]:
    """Return videos that lie within the page as long as all of them are not too large, then links.

    Args:
        videos: what each shows, and its file.
        page: where the page will lie.
    """
    figures, room = [], LARGEST_VIDEOS
    for name, path in videos:
        size = path.stat().st_size
        hint = element("span", path.name, class_="hint")
        shown = _embedded(name, path) if size <= room else _linked(path, size, page)
        room -= size if size <= room else 0
        caption = element("figcaption", element("b", name), hint)
        figures.append(element("figure", caption, shown, class_="narrow"))
    return figures


def picture_figure(name: str, path: Path) -> Markup:
    """Return a PNG that lies within the page, with its caption."""
    source = f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"
    picture = element("img", src=source, alt=name, style="width: 100%")
    return element("figure", element("figcaption", element("b", name)), picture)


def _embedded(name: str, path: Path) -> Markup:
    data = base64.b64encode(path.read_bytes()).decode()
    source = f"data:video/{path.suffix.removeprefix('.')};base64,{data}"
    words = f"Video of an evaluation episode of {name}: {path.name}"
    return element("video", src=source, controls="", preload="auto", aria_label=words)


def _linked(path: Path, size: int, page: Path) -> Markup:
    way = os.path.relpath(path.resolve(), page.resolve().parent)
    text = f"{path.name} ({size / 1e6:,.0f} MB, not within this page)"
    return element("p", element("a", text, href=quote(way)))
