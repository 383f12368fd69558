import json
from types import SimpleNamespace

import numpy as np
import pytest
from gymnasium import spaces

from configs.errors import ConfigurationError
from trajectories.fields import Fields
from trajectories.schema import Schema, schema_of

FRAME = spaces.Box(0, 255, (4, 5, 3), np.uint8)
ACTIONS = [
    spaces.Discrete(5, start=-2),
    spaces.MultiDiscrete([3, 4]),
    spaces.MultiBinary(4),
    spaces.Box(-np.inf, 1, (2,), np.float32),
]


@pytest.mark.parametrize("actions", ACTIONS, ids=lambda space: type(space).__name__)
def test_a_schema_comes_back_from_json_as_it_was(actions: spaces.Space[object]) -> None:
    schema = schema_of(FRAME, actions, state=["x"], labels=["target"])
    content = json.loads(json.dumps(schema.as_json(), allow_nan=False))
    assert Schema.from_json(Fields(content, "here")) == schema


def test_bounds_and_sizes_are_those_of_the_space() -> None:
    discrete, multi, binary, box = (schema_of(FRAME, space).action for space in ACTIONS)
    assert (discrete.shape, discrete.sizes, discrete.start) == ((), (5,), -2)
    assert (multi.shape, multi.sizes) == ((2,), (3, 4))
    assert (binary.shape, binary.dtype) == ((4,), "int8")
    assert box.low == (-np.finfo(np.float64).max,) * 2
    assert box.high == (1.0, 1.0)


@pytest.mark.parametrize(
    ("observations", "actions", "told"),
    [
        (spaces.Dict(a=FRAME), ACTIONS[0], "observations of a Dict space cannot be stored"),
        (spaces.Discrete(3), ACTIONS[0], "observations of a Discrete space cannot be stored"),
        (FRAME, spaces.Text(3), "actions of a Text space cannot be stored"),
        (FRAME, spaces.Tuple([FRAME]), "actions of a Tuple space cannot be stored"),
        (spaces.Box(0, 1, (0,)), ACTIONS[0], "observations of shape (0,) hold nothing"),
        (FRAME, spaces.Box(0, 1, (0,)), "actions of shape (0,) hold nothing to store"),
    ],
)
def test_a_space_that_cannot_be_stored_is_refused_in_words(
    observations: object, actions: object, told: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        schema_of(observations, actions)
    assert told in str(caught.value)


def test_a_type_that_cannot_be_stored_is_refused_in_words() -> None:
    class Box(SimpleNamespace):
        """As a space looks to one who does not import it."""

    space = Box(shape=(2,), dtype=np.complex64)
    with pytest.raises(ConfigurationError, match="of type complex64 cannot be stored"):
        schema_of(space, ACTIONS[0])


@pytest.mark.parametrize("labels", [["reward"], ["a", "a"]])
def test_a_label_must_not_be_another_column(labels: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="has a column of that name"):
        schema_of(FRAME, ACTIONS[0], labels=labels)
