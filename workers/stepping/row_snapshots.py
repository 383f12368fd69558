"""A row's snapshot: its game's running score and length and what was seen last, then the rest.

The rest is the environment's own snapshot. What was seen last is the final observation of a game
whose worker is lost before its first step.
"""

import struct
from typing import NamedTuple

_HEAD = struct.Struct("<8sdqI")  # mark, score, length, bytes of the observation
_MARK = b"seen: \xff\xff"  # in the place of an older snapshot's score, where it would be no number
_OLD_HEAD = struct.Struct("<dq")


class RowSnapshot(NamedTuple):
    """The state of one row of a pool.

    Attributes:
        score, length: of the game so far.
        observation: the newest one's bytes; empty in checkpoints from before it was kept.
        environment: the environment's own snapshot.
    """

    score: float
    length: int
    observation: bytes
    environment: bytes

    def pack(self) -> bytes:
        """Return it as bytes for `unpack`."""
        head = _HEAD.pack(_MARK, self.score, self.length, len(self.observation))
        return head + self.observation + self.environment

    @classmethod
    def unpack(cls, snapshot: bytes) -> "RowSnapshot":
        """Return what was packed, also before the newest observation was.

        Raises:
            struct.error: the bytes are too few.
        """
        if not snapshot.startswith(_MARK):
            score, length = _OLD_HEAD.unpack_from(snapshot)
            return cls(score, length, b"", snapshot[_OLD_HEAD.size :])
        _, score, length, num_bytes = _HEAD.unpack_from(snapshot)
        end = _HEAD.size + num_bytes
        return cls(score, length, snapshot[_HEAD.size : end], snapshot[end:])
