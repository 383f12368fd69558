"""Random streams that a process has once, given to each environment anew.

Simulators written by hand draw from Python's `random`, from `numpy.random`, or from a space that
all environments of a class share. A worker holds several environments, so without more the numbers
that one of them sees would depend on how many others are in its process.
"""

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, ClassVar, Self

import gymnasium
import numpy as np
from numpy.random.mtrand import get_bit_generator, set_bit_generator


class GlobalStreams:
    """The streams of one environment, in the place of the process's own within a `with` block.

    They stay in place after the block, until those of another environment take it: putting back
    Python's stream costs many times what all the rest does.

    Attributes:
        in_place: the streams that were put in place last in this process.
    """

    in_place: ClassVar["GlobalStreams | None"] = None

    def __init__(self, *key: int, spaces: Iterable[gymnasium.Space[Any]] = ()) -> None:
        """Seed all streams.

        Args:
            key: whole numbers, at least 0, that the streams follow from.
            spaces: Gymnasium's spaces, which `spaces_of` finds.
        """
        self._python: tuple[Any, ...] = random.Random(repr(key)).getstate()
        self._numpy = np.random.MT19937(key)
        self._spaces = [
            (space, np.random.default_rng((*key, number))) for number, space in enumerate(spaces)
        ]

    def __enter__(self) -> Self:
        # Always, and not only in turns with others: it drops the second of a pair of normal draws,
        # which must not depend on whether there are others.
        set_bit_generator(self._numpy)
        before = GlobalStreams.in_place
        if before is not self:
            if before is not None:
                before._python = random.getstate()
            random.setstate(self._python)
            GlobalStreams.in_place = self
        for space, generator in self._spaces:
            space._np_random = generator  # a space has no public way to be given one
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._spaces = [(space, space.np_random) for space, _ in self._spaces]  # may be seeded anew


@contextmanager
def own_streams_put_back() -> Iterator[None]:
    """Give this process its own streams back after a block in which environments had theirs."""
    python, numpy_ = random.getstate(), get_bit_generator()
    try:
        yield
    finally:
        if GlobalStreams.in_place is not None:
            GlobalStreams.in_place._python = random.getstate()
            GlobalStreams.in_place = None
        random.setstate(python)
        set_bit_generator(numpy_)


def spaces_of(environment: gymnasium.Env[Any, Any]) -> list[gymnasium.Space[Any]]:
    """Return every space of an environment and of all that it wraps, those within others too."""
    found: dict[int, gymnasium.Space[Any]] = {}
    for layer in layers_of(environment):
        for name in ("observation_space", "action_space"):
            for space in _with_parts(getattr(layer, name, None)):
                found.setdefault(id(space), space)
    return list(found.values())


def layers_of(environment: gymnasium.Env[Any, Any]) -> Iterator[gymnasium.Env[Any, Any]]:
    """Yield an environment and what it wraps, from the outside in."""
    while isinstance(environment, gymnasium.Wrapper):
        yield environment
        environment = environment.env
    yield environment


def _with_parts(value: Any) -> Iterator[gymnasium.Space[Any]]:
    """Yield the spaces in a value: itself, or those that a space or a collection holds."""
    if isinstance(value, gymnasium.Space):
        yield value
        value = list(vars(value).values())
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for part in value:
            yield from _with_parts(part)
