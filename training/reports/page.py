"""A page that holds all it shows: style, pictures and videos lie within, and nothing is loaded."""

import base64
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.reports.markup import Markup, element, join

LARGEST_VIDEO = 20_000_000  # bytes; a larger one is a link
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


def render_page(title: str, lead: Sequence[Markup], sections: Sequence[Section]) -> str:
    """Return the page as HTML.

    Args:
        title: its heading.
        lead: what stands below the heading.
        sections: in their order; one without parts is left out.
    """
    shown = [section for section in sections if section.parts]
    links = [element("a", section.heading, href=f"#{section.anchor}") for section in shown]
    blocks = [
        element("section", element("h2", section.heading, id=section.anchor), *section.parts)
        for section in shown
    ]
    made = f"Made by main.py --report, {time.strftime('%Y-%m-%d %H:%M %Z')}."
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


def video_figure(name: str, path: Path, page: Path) -> Markup:
    """Return a video that lies within the page, or a link from `page` to one that is too large."""
    size = path.stat().st_size
    caption = element("figcaption", element("b", name), element("span", path.name, class_="hint"))
    if size > LARGEST_VIDEO:
        way = os.path.relpath(path.resolve(), page.resolve().parent)
        link = element("a", f"{path.name} ({size / 1e6:,.0f} MB, beside this page)", href=way)
        return element("figure", caption, element("p", link))
    data = base64.b64encode(path.read_bytes()).decode()
    kind = path.suffix.removeprefix(".")
    words = f"Video of an evaluation episode of {name}: {path.name}"
    source = f"data:video/{kind};base64,{data}"
    video = element("video", src=source, controls="", preload="auto", aria_label=words)
    return element("figure", caption, video, class_="narrow")
