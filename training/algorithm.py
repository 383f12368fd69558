"""What differs between the agents that a run may train; launch.py does all else."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from training.checkpoints.continuation import Start
from training.checkpoints.storage import Payload
from training.loop.trainer import Outcome
from training.parts import Parts
from workers.environment_pool import EnvironmentPool

Train = Callable[[], Outcome]
"""Trains to the end of the run, or until a stop."""


@dataclass(frozen=True)
class Algorithm:
    """How one kind of agent is trained (key Agent).

    Attributes:
        look: looks at what a run needs beside its recipe, before anything of an older run is
            replaced (a collective); returns the parts with what was read.
        follow: what a run that goes on takes from its checkpoint in the place of its recipe.
        open_pool: starts this rank's environments, given the env steps of the checkpoint.
        assemble: builds all parts, lays out what is continued, and puts them together.
    """

    look: Callable[[Parts, Start], Parts]
    follow: Callable[[Parts, Start, Payload], Parts]
    open_pool: Callable[[Parts, int], EnvironmentPool]
    assemble: Callable[[Parts, Payload | None, EnvironmentPool, ExitStack], Train]
