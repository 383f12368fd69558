"""A page as a test sees it: its elements, its text, its tables."""

import re
from html.parser import HTMLParser
from pathlib import Path

VOID = {"br", "img", "meta", "source"}
Attributes = dict[str, str | None]


class Page(HTMLParser):
    """Reads a page; every element must be ended in its place.

    Attributes:
        elements: (name, attributes, names of the elements around it).
        text: all text outside of the style, with single spaces.
        tables: for each table its rows of cells.
        captions: the words over each figure.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, Attributes, tuple[str, ...]]] = []
        self.tables: list[list[list[str]]] = []
        self.captions: list[str] = []
        self._open: list[str] = []
        self._words: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []
        self.text = re.sub(r"\s+", " ", " ".join(self._words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), tuple(self._open)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "figcaption":
            self.captions.append("")
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "style":
            return
        self._words.append(data)
        if "figcaption" in self._open:
            self.captions[-1] = f"{self.captions[-1]} {data}".strip()
        if self.tables and {"td", "th"} & set(self._open):
            self.tables[-1][-1][-1] += data

    def pictures(self) -> list[Attributes]:
        """Return the outermost drawings."""
        return [found for tag, found, around in self.elements if tag == "svg" and tag not in around]

    def figure(self, title: str) -> str:
        """Return the words over a chart: its title, its number, its hints."""
        return next(words for words in self.captions if words.startswith(title))

    def table(self, first: str) -> dict[str, dict[str, str]]:
        """Return the table whose first column has this name: {row: {column: cell}}."""
        head, *body = next(table for table in self.tables if table[0][0] == first)
        return {row[0]: dict(zip(head, row, strict=True)) for row in body}


def read_page(path: Path) -> Page:
    """Return the page in a file."""
    return Page(path.read_text(encoding="utf-8"))
