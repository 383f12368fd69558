"""Says in words that a representation has collapsed."""

from collections.abc import Mapping

LEAST_SPREAD = 0.05  # about 1 where embeddings are spread evenly, 0 where all are the same
LEAST_RANK = 1.5  # directions that the embeddings fill


class CollapseWatch:
    """Looks at the figures of each log row; warns once, and again after a recovery."""

    def __init__(self) -> None:
        self._collapsed = False

    def look(self, values: Mapping[str, float]) -> str | None:
        """Return a warning if the embedding has collapsed since the last look."""
        spread = values.get("representation/feature_std")
        rank = values.get("representation/effective_rank")
        if spread is None or rank is None:
            return None
        before, self._collapsed = self._collapsed, spread < LEAST_SPREAD or rank < LEAST_RANK
        if before or not self._collapsed:
            return None
        return (
            f"the representation has collapsed: its embeddings fill {rank:.1f} directions with a "
            f"spread of {spread:.3f} (1 = even); lower RepresentationCoef, or choose another "
            "Augmentation"
        )
