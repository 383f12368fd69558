"""Snapshots keep every bit and every type, and refuse what they cannot read."""

import json
from typing import Any

import numpy as np
import pytest

from configs.errors import CheckpointError
from workers.environments.parts.snapshots import (
    decode,
    encode,
    generator_state,
    pack,
    restore_generator,
    unpack,
)

VALUES = [
    None,
    True,
    7,
    0.1 + 0.2,
    float("-inf"),
    "text",
    b"\x00\xff",
    np.float32(0.1),
    np.float64(0.1),
    np.int64(-3),
    (np.float64(1.5), 2, None),
    np.arange(6, dtype=np.float32).reshape(2, 3),
    np.array([np.nan, -0.0, 5e-324]),
    np.zeros((0, 2), np.uint8),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_comes_back_with_its_type_and_its_bits(value: Any) -> None:
    found = decode(unpack("an id", pack("an id", {"value": encode(value)}))["value"])
    assert type(found) is type(value)
    if isinstance(value, np.ndarray | np.generic):
        assert found.dtype == value.dtype
        assert found.shape == value.shape
        assert found.tobytes() == value.tobytes()
    else:
        assert found == value


def test_a_decoded_array_may_be_written_to() -> None:
    array = decode(encode(np.zeros(3)))
    array[0] = 1.0
    assert array[0] == 1.0


def test_a_snapshot_is_plain_json() -> None:
    snapshot = pack("an id", {"array": encode(np.ones(2))})
    assert json.loads(snapshot)["env_id"] == "an id"


def test_an_object_of_another_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="set"):
        encode({1, 2})


def test_a_random_stream_goes_on_where_it_was() -> None:
    generator = np.random.default_rng(3)
    generator.random(5)
    state = unpack("an id", pack("an id", generator_state(generator)))
    other = np.random.default_rng(99)
    restore_generator(other, state)
    assert np.array_equal(generator.random(10), other.random(10))


def test_a_snapshot_of_another_environment_is_refused_by_both_names() -> None:
    snapshot = pack("CartPole-v1", {})
    with pytest.raises(CheckpointError, match=r"CartPole-v1.*Pendulum-v1"):
        unpack("Pendulum-v1", snapshot)


@pytest.mark.parametrize("damaged", [b"", b"\xff\xfe", b"[]", b"{}", b'{"env_id": "an id"}', b"3"])
def test_damaged_bytes_are_refused(damaged: bytes) -> None:
    with pytest.raises(CheckpointError, match="damaged"):
        unpack("an id", damaged)
