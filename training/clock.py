"""How far a run is."""

from dataclasses import dataclass


@dataclass
class Clock:
    """Updates done, and env steps of all ranks (frames = env steps x frame skip)."""

    updates: int = 0
    env_steps: int = 0
