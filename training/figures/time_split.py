"""Where the time of an interval went, in shares."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Self

# "act" is the part of "collect" that the policy takes.
PARTS = ("collect", "act", "learn", "sync", "save")


@dataclass(frozen=True)
class TimeSplit:
    """Shares of the wall-clock time.

    Attributes:
        collect: filling rollouts; `act` is a part of it.
        act: the policy's answers, until the actions are there.
        learn: bonuses, targets, gradient steps.
        sync: waiting for other ranks between the two.
        save: writing checkpoints, rows and curves.
    """

    collect: float
    act: float
    learn: float
    sync: float
    save: float

    @classmethod
    def of(cls, values: Mapping[str, float]) -> Self:
        """Return the split that a row of figures holds."""
        return cls(*(values[f"time/fraction_{part}"] for part in PARTS))

    @classmethod
    def mean(cls, splits: Iterable[tuple[float, "TimeSplit"]]) -> Self:
        """Return the mean of (weight, split) pairs; there must be one."""
        pairs = list(splits)
        total = sum(weight for weight, _ in pairs)
        return cls(
            *(
                sum(weight * float(getattr(split, part.name)) for weight, split in pairs) / total
                for part in fields(cls)
            )
        )

    @property
    def step(self) -> float:
        """Waiting for the environments, and storing what they return."""
        return max(0.0, self.collect - self.act)

    @property
    def rest(self) -> float:
        """What no part accounts for, such as the snapshot for an exact stop."""
        return max(0.0, 1 - self.collect - self.learn - self.sync - self.save)

    def __str__(self) -> str:
        return (
            f"collect {self.collect:.0%} (act {self.act:.0%}), learn {self.learn:.0%}, "
            f"synchronise {self.sync:.0%}, write {self.save:.0%}, rest {self.rest:.0%}"
        )
