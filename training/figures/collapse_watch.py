"""Says in words that a representation has collapsed."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Floor:
    """What a live representation stays above.

    Attributes:
        name: of what is watched, in words.
        rank, spread: the figures' names: directions that the vectors fill, and how far apart they
            point (1 where they are spread evenly, 0 where all are the same).
        least_spread: rectified features all point into one corner, embeddings do not.
    """

    name: str
    rank: str
    spread: str
    least_spread: float


LEAST_RANK = 1.5
FLOORS = (
    Floor(
        "the policy's backbone",
        "representation/backbone_rank",
        "representation/backbone_std",
        least_spread=0.02,
    ),
    Floor(
        "the head's embedding",
        "representation/effective_rank",
        "representation/feature_std",
        least_spread=0.05,
    ),
)


REMEDY = "lower RepresentationCoef or LearningRate, or choose another Augmentation"


class CollapseWatch:
    """Looks at the figures of each log row; warns once, and again after a recovery.

    Args:
        floors: what is watched.
        remedy: what to do, in words.
    """

    def __init__(self, floors: tuple[Floor, ...] = FLOORS, remedy: str = REMEDY) -> None:
        self._floors = floors
        self._remedy = remedy
        self._collapsed: set[str] = set()

    def look(self, values: Mapping[str, float]) -> str | None:
        """Return a warning if something has collapsed since the last look."""
        now = {floor.name: _judge(floor, values) for floor in self._floors if floor.rank in values}
        collapsed = {name for name, text in now.items() if text is not None}
        new = [text for name, text in now.items() if text and name not in self._collapsed]
        self._collapsed = collapsed
        if not new:
            return None
        return f"the representation has collapsed: {'; '.join(new)}; {self._remedy}"


def _judge(floor: Floor, values: Mapping[str, float]) -> str | None:
    """Return in words what is below the floor, or None."""
    rank, spread = values[floor.rank], values[floor.spread]
    if rank >= LEAST_RANK and spread >= floor.least_spread:
        return None
    return f"{floor.name} fills {rank:.1f} directions with a spread of {spread:.3f}"
