"""Fields: a JSON object read strictly, so that what is no field of ours is one message."""

import math
from collections.abc import Collection, Iterator
from typing import Any

from configs.errors import DatasetError
from configs.reading import printable

LARGEST = 2**63 - 1


class Fields:
    """The fields of a JSON object.

    Each method returns the field of a name as what it should be.

    Raises:
        DatasetError: there is none of that name, or it is something else.
    """

    def __init__(self, content: Any, place: str) -> None:
        """Take an object.

        Args:
            content: what JSON gave.
            place: of it, for messages: the file, then the names on the way.
        """
        if not isinstance(content, dict):
            raise DatasetError(f"{place}: is no JSON object")
        self._content = content
        self.place = place

    def _take(self, name: str) -> Any:
        if name not in self._content:
            raise DatasetError(f"{self.place}: has no {name!r}")
        return self._content[name]

    def _refused(self, name: str, wanted: str) -> DatasetError:
        found = printable(repr(self._content[name]))
        return DatasetError(f"{self.place}: {name!r} is {found}, not {wanted}")

    def is_none(self, name: str) -> bool:
        """Return whether the field is null."""
        return self._take(name) is None

    def text(self, name: str) -> str:
        """Return a text."""
        value = self._take(name)
        if not isinstance(value, str):
            raise self._refused(name, "a text")
        return value

    def choice(self, name: str, choices: Collection[str]) -> str:
        """Return one of some texts."""
        value = self._take(name)
        if not isinstance(value, str) or value not in choices:
            raise self._refused(name, f"one of {', '.join(choices)}")
        return value

    def whole(self, name: str) -> int:
        """Return a whole number."""
        value = self._take(name)
        if not _is_whole(value):
            raise self._refused(name, "a whole number")
        return int(value)

    def count(self, name: str) -> int:
        """Return a whole number of 0 or more."""
        value = self._take(name)
        if not _is_whole(value) or value < 0:
            raise self._refused(name, "a whole number of 0 or more")
        return int(value)

    def number(self, name: str) -> float:
        """Return a finite number."""
        value = self._take(name)
        if not _is_number(value):
            raise self._refused(name, "a number")
        return float(value)

    def sizes(self, name: str) -> tuple[int, ...]:
        """Return whole numbers of 1 or more."""
        values = self._list(name)
        if not all(_is_whole(value) and value > 0 for value in values):
            raise self._refused(name, "a list of whole numbers of 1 or more")
        return tuple(values)

    def numbers(self, name: str) -> tuple[float, ...]:
        """Return finite numbers."""
        values = self._list(name)
        if not all(_is_number(value) for value in values):
            raise self._refused(name, "a list of numbers")
        return tuple(float(value) for value in values)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return texts."""
        values = self._list(name)
        if not all(isinstance(value, str) for value in values):
            raise self._refused(name, "a list of texts")
        return tuple(values)

    def mapping(self, name: str) -> dict[str, Any]:
        """Return an object, whatever is in it."""
        value = self._take(name)
        if not isinstance(value, dict):
            raise self._refused(name, "an object")
        return value

    def within(self, name: str, place: str | None = None) -> "Fields":
        """Return an object's fields; `place` names it in messages (default: ours and its name)."""
        return Fields(self._take(name), place or f"{self.place}: {name}")

    def each(self, name: str) -> Iterator["Fields"]:
        """Yield the fields of each object of a list."""
        for index, value in enumerate(self._list(name)):
            yield Fields(value, f"{self.place}: {name}[{index}]")

    def pairs(self, name: str) -> list[list[Any]]:
        """Return lists of two values."""
        values = self._list(name)
        if not all(isinstance(value, list) and len(value) == 2 for value in values):
            raise self._refused(name, "a list of pairs")
        return values

    def _list(self, name: str) -> list[Any]:
        value = self._take(name)
        if not isinstance(value, list):
            raise self._refused(name, "a list")
        return value


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST


def _is_number(value: Any) -> bool:
    return _is_whole(value) or (isinstance(value, float) and math.isfinite(value))
