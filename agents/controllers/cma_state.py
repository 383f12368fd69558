"""The state of a strategy of the package `cma` as plain numbers, and back.

The package can be pickled, but whoever reads a pickle runs what is in it, and a checkpoint must run
nothing. So all numbers and arrays are taken from the strategy and the objects that it is made of,
by the path of their names, and laid into a strategy that was made anew with the same arguments.
"""

import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.errors import CheckpointError

DOCUMENT = "document"
# What nothing depends on later: clocks, what is drawn or logged, and the population before.
LEFT_OUT = frozenset({"timer", "logger", "best", "pop", "pop_sorted", "ary"})

Arrays = dict[str, NDArray[Any]]

_UNREADABLE = (
    *(OSError, EOFError, ValueError, LookupError, TypeError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)


class _Form:
    """Values in JSON's types and arrays beside; an array that is met twice stays one."""

    def __init__(self) -> None:
        self.arrays: Arrays = {}
        self._names: dict[int, str] = {}

    def of(self, value: Any) -> Any:
        if type(value) in (list, tuple):
            return {type(value).__name__: [self.of(each) for each in value]}
        if isinstance(value, np.ndarray | np.generic):
            name = self._names.setdefault(id(value), f"array{len(self._names)}")
            self.arrays[name] = np.asarray(value)
            return {"array" if isinstance(value, np.ndarray) else "scalar": name}
        return value


def packed(strategy: object, facts: dict[str, Any]) -> bytes:
    """Return the numbers of a strategy, and facts in JSON's types, as bytes."""
    form = _Form()
    numbers = {
        path: {name: form.of(value) for name, value in _values(owner)}
        for path, owner in _owners(strategy).items()
    }
    document = json.dumps({"facts": facts, "numbers": numbers}).encode()
    buffer = io.BytesIO()
    named: dict[str, Any] = {DOCUMENT: np.frombuffer(document, np.uint8), **form.arrays}
    np.savez(buffer, **named)
    return buffer.getvalue()


def unpacked(data: bytes) -> tuple[dict[str, Any], dict[str, Any], Arrays]:
    """Return the facts, the numbers and their arrays that `packed` was given; runs no code.

    Raises:
        CheckpointError: they are none.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        document = json.loads(arrays.pop(DOCUMENT).tobytes())
        return dict(document["facts"]), dict(document["numbers"]), arrays
    except _UNREADABLE as error:
        raise CheckpointError(f"the state of CMA-ES cannot be read: {error}") from error


def lay_out(numbers: dict[str, Any], arrays: Arrays, strategy: object) -> None:
    """Lay the numbers into a strategy that was made with the same arguments.

    Raises:
        CheckpointError: one has no place in it, or a place has no number.
    """
    owners = _owners(strategy)
    strange = sorted(set(numbers) ^ set(owners))
    for path in sorted(set(numbers) & set(owners)):
        owner, found = owners[path], dict(numbers[path])
        strange += [f"{path}.{name}" for name, _ in _values(owner) if name not in found]
        for name, form in found.items():
            value, before = _value(form, arrays), getattr(owner, name, None)
            if not _is_number(before) or _size(before) not in (None, _size(value)):
                strange.append(f"{path}.{name}")
            else:
                setattr(owner, name, value)
    if strange:
        raise CheckpointError(
            f"the state of CMA-ES does not fit here ({', '.join(strange[:3])}): it is damaged, or "
            "of another release of the package cma; install that which the run was saved with"
        )


def _owners(strategy: object) -> dict[str, object]:
    """Return a strategy and the package's objects in it that hold numbers, by their paths."""
    found: dict[str, object] = {}
    known: set[int] = set()

    def visit(owner: object, path: str) -> None:
        known.add(id(owner))
        found[path] = owner
        for name, value in sorted(vars(owner).items()):
            is_part = type(value).__module__.startswith("cma.") and hasattr(value, "__dict__")
            is_other = isinstance(value, dict) or id(value) in known or name in LEFT_OUT
            if is_part and not is_other:
                visit(value, f"{path}.{name}")

    visit(strategy, "strategy")
    return found


def _values(owner: object) -> Iterator[tuple[str, Any]]:
    """Yield the names and values of what an object holds of numbers."""
    for name, value in sorted(vars(owner).items()):
        if name not in LEFT_OUT and _is_number(value):
            yield name, value


def _is_number(value: Any) -> bool:
    """Whether it is a number, an array of them, a list of either, or None."""
    if type(value) in (list, tuple):  # not the package's own lists
        return all(_is_number(each) for each in value)
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype.kind in "biuf"
    return value is None or isinstance(value, bool | int | float)


def _value(form: Any, arrays: Arrays) -> Any:
    """Return the value of a form.

    Raises:
        CheckpointError: there is no such form.
    """
    if not isinstance(form, dict):
        return form
    try:
        ((kind, content),) = form.items()
        if kind in ("list", "tuple"):
            values = [_value(each, arrays) for each in content]
            return values if kind == "list" else tuple(values)
        array = arrays[content]
        return array[()] if kind == "scalar" else array
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"the state of CMA-ES cannot be read: {error}") from error


def _size(value: object) -> tuple[int, ...] | None:
    return value.shape if isinstance(value, np.ndarray) else None
