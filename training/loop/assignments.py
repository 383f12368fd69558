"""Which environment plays which episode, and which one next."""

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from workers.shared.protocol import NO_SEED


class Assignments:
    """Hands the numbers of episodes to N environments.

    An environment is reset within the step that ends its episode, so the next one is settled
    beforehand. Without a next number it plays on for nobody.

    Attributes:
        current: [N], the number of the episode under way; None where nobody wants it.
    """

    def __init__(self, numbers: Sequence[int], num_environments: int) -> None:
        self._waiting = deque(numbers)
        self.current: list[int | None] = [self._take() for _ in range(num_environments)]
        self._next = [self._take() for _ in range(num_environments)]

    @property
    def is_done(self) -> bool:
        """Whether no episode is under way or to come."""
        return not self._waiting and not any(
            number is not None for number in (*self.current, *self._next)
        )

    @property
    def wanted(self) -> NDArray[np.bool_]:
        """[N], whose episode under way is to be kept."""
        return np.array([number is not None for number in self.current])

    def end(self, row: int, *, lost: bool) -> int | None:
        """Let environment `row` go on with its next episode; return the number of the last one.

        One that was lost with its worker is played again, and its number is not returned.
        """
        number, self.current[row] = self.current[row], self._next[row]
        if lost and number is not None:
            self._waiting.appendleft(number)
        self._next[row] = self._take()
        for other, following in enumerate(self._next):  # they had none left, and now there is one
            if following is None and self._waiting:
                self._next[other] = self._take()
        return None if lost else number

    def seeds(self, seed_of: Callable[[int], int]) -> NDArray[np.int64]:
        """Return the seeds [N] of the resets that come next."""
        return _seeds(self._next, seed_of)

    def first_seeds(self, seed_of: Callable[[int], int]) -> NDArray[np.int64]:
        """Return the seeds [N] of the resets before the first step."""
        return _seeds(self.current, seed_of)

    def _take(self) -> int | None:
        return self._waiting.popleft() if self._waiting else None


def _seeds(numbers: Sequence[int | None], seed_of: Callable[[int], int]) -> NDArray[np.int64]:
    return np.array(
        [NO_SEED if number is None else seed_of(number) for number in numbers], np.int64
    )
