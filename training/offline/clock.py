"""How far training on a dataset is."""

from dataclasses import dataclass

from training.session import Clock


@dataclass
class StepClock(Clock):
    """Counts optimiser steps, as `updates`; no environment is stepped."""

    @property
    def in_words(self) -> str:
        """How far the run is."""
        return f"{self.updates:,} steps"
