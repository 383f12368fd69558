"""A row's snapshot, and one from before the newest observation was in it."""

import math
import struct

from workers.stepping.row_snapshots import RowSnapshot


def test_what_was_packed_comes_back() -> None:
    for observation in (b"", b"\x00seen\xff"):
        row = RowSnapshot(-2.5, 7, observation, b'{"env_id": "one"}')
        assert RowSnapshot.unpack(row.pack()) == row


def test_an_older_snapshot_has_no_observation() -> None:
    for score in (0.0, -1.5, 1e300, math.inf):
        older = struct.pack("<dq", score, 7) + b"{}"
        assert RowSnapshot.unpack(older) == RowSnapshot(score, 7, b"", b"{}")


def test_what_marks_a_newer_snapshot_is_the_score_of_no_game() -> None:
    [as_a_score] = struct.unpack_from("<d", RowSnapshot(0.0, 0, b"", b"").pack())
    assert math.isnan(as_a_score)
