"""Snapshots of simulators that cannot give their state: the start of the episode and its actions.

Box2D keeps what it has solved inside: contacts, impulses, the order of bodies. None of it can be
read or written. But an episode that starts from the same random stream and meets the same actions
goes the same way to the last bit, so the stream at its start and the actions since are its state.
Restoring plays the episode again, which takes as long as its steps do.
"""

from typing import Any

import numpy as np

from workers.environments.parts.snapshots import (
    decode,
    encode,
    generator_state,
    pack,
    restore_generator,
    unpack,
)


class EpisodeRecord:
    """The random stream at the start of an episode, and what was done since."""

    def __init__(self, env_id: str) -> None:
        """`env_id` is whose snapshots these are."""
        self._env_id = env_id
        self._start: dict[str, Any] = {}
        self._actions: list[Any] = []

    def begin(self, generator: np.random.Generator) -> None:
        """Note the stream that the coming reset draws from."""
        self._start = generator_state(generator)
        self._actions = []

    def add(self, action: Any) -> None:
        """Note an action of the simulator's: an int, or float32 [A]."""
        self._actions.append(action)

    @property
    def num_steps(self) -> int:
        """Steps of the simulator in the episode."""
        return len(self._actions)

    def pack(self) -> bytes:
        """Return the episode as a snapshot."""
        state = {"start": self._start, "actions": encode(np.array(self._actions))}
        return pack(self._env_id, state)

    def unpack(self, snapshot: bytes, generator: np.random.Generator) -> list[Any]:
        """Set `generator` to where the episode began; return its actions, to be played again.

        Raises:
            CheckpointError: the bytes are no snapshot, or one of another environment.
        """
        state = unpack(self._env_id, snapshot)
        restore_generator(generator, state["start"])
        return list(decode(state["actions"]))
