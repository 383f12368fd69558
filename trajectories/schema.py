"""Schema: what is in the rows of a dataset, in words that JSON holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from configs.errors import ConfigurationError
from trajectories.fields import Fields

OBSERVATION_DTYPES = (
    *("uint8", "uint16", "uint32", "int8", "int16", "int32", "int64", "bool"),
    *("float16", "float32", "float64"),
)
ACTION_KINDS = ("discrete", "multi_discrete", "multi_binary", "box")
LATENT_KINDS = ("point", "gaussian")
RESERVED = frozenset(
    {
        *("episode", "t", "observation", "latent", "latent_std", "action", "reward"),
        *("terminated", "truncated", "state"),
    }
)


@dataclass(frozen=True)
class ActionSpace:
    """Which actions there are.

    Attributes:
        kind: one of ACTION_KINDS.
        shape: of one action; () for a discrete one.
        dtype: of its numbers.
        sizes: how many values each number may take (discrete: one entry); () for the others.
        start: the smallest value of a discrete action.
        low, high: bounds of a box, one for each number in C order; () for the others. An infinite
            bound is a large float there: JSON has no infinity.
    """

    kind: str
    shape: tuple[int, ...]
    dtype: str
    sizes: tuple[int, ...] = ()
    start: int = 0
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()

    @property
    def num_values(self) -> int:
        """How many numbers one action has."""
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True)
class Schema:
    """The columns of a dataset.

    Attributes:
        observation_shape, observation_dtype: of one observation or latent.
        action: the space of actions.
        state: names of the numbers of the hand-crafted state; () where there is none.
        labels: names of the numbers that go with each observation.
        latent: None where observations are stored; "point" or "gaussian" where an encoder's
            latents are, the latter with their standard deviations.
    """

    observation_shape: tuple[int, ...]
    observation_dtype: str
    action: ActionSpace
    state: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    latent: str | None = None

    def __post_init__(self) -> None:
        """Refuse names that would be two columns.

        Raises:
            ConfigurationError: a label has the name of a column, or of another label.
        """
        taken = [name for name in self.labels if name in RESERVED or self.labels.count(name) > 1]
        if taken:
            raise ConfigurationError(f"label {taken[0]!r}: the dataset has a column of that name")

    @property
    def observation_column(self) -> str:
        """The name of the column with observations or latents."""
        return "observation" if self.latent is None else "latent"

    @property
    def bytes_per_observation(self) -> int:
        """How many bytes one observation takes when it is decoded."""
        size = int(np.prod(self.observation_shape, dtype=np.int64))
        return size * np.dtype(self.observation_dtype).itemsize

    def arrow(self) -> pa.Schema:
        """Return the columns as pyarrow names them."""
        observation = pa.binary(self.bytes_per_observation)
        columns: list[tuple[str, pa.DataType]] = [
            ("episode", pa.string()),
            ("t", pa.int32()),
            (self.observation_column, observation),
        ]
        if self.latent == "gaussian":
            columns.append(("latent_std", observation))
        columns += [
            ("action", self._arrow_action()),
            ("reward", pa.float64()),
            ("terminated", pa.bool_()),
            ("truncated", pa.bool_()),
        ]
        if self.state:
            columns.append(("state", pa.list_(pa.float32())))
        columns += [(name, pa.float64()) for name in self.labels]
        nullable = {"action", "reward", "terminated", "truncated"}  # unknown in the last row
        return pa.schema([pa.field(n, kind, nullable=n in nullable) for n, kind in columns])

    def _arrow_action(self) -> pa.DataType:
        number = pa.from_numpy_dtype(np.dtype(self.action.dtype))
        return number if self.action.shape == () else pa.list_(number)

    def as_json(self) -> dict[str, Any]:
        """Return the schema as JSON holds it."""
        action = self.action
        return {
            "observation": {
                "shape": list(self.observation_shape),
                "dtype": self.observation_dtype,
            },
            "action": {
                "kind": action.kind,
                "shape": list(action.shape),
                "dtype": action.dtype,
                "sizes": list(action.sizes),
                "start": action.start,
                "low": list(action.low),
                "high": list(action.high),
            },
            "state": list(self.state),
            "labels": list(self.labels),
            "latent": self.latent,
        }

    @classmethod
    def from_json(cls, fields: Fields) -> "Schema":
        """Return the schema that `as_json` gave.

        Raises:
            DatasetError: it is none.
        """
        observation, action = fields.within("observation"), fields.within("action")
        return cls(
            observation.sizes("shape"),
            observation.choice("dtype", OBSERVATION_DTYPES),
            ActionSpace(
                action.choice("kind", ACTION_KINDS),
                action.sizes("shape"),
                action.choice("dtype", OBSERVATION_DTYPES),
                action.sizes("sizes"),
                action.whole("start"),
                action.numbers("low"),
                action.numbers("high"),
            ),
            fields.texts("state"),
            fields.texts("labels"),
            None if fields.is_none("latent") else fields.choice("latent", LATENT_KINDS),
        )


def schema_of(
    observation_space: Any,
    action_space: Any,
    *,
    state: Sequence[str] = (),
    labels: Sequence[str] = (),
) -> Schema:
    """Return the schema of an environment's spaces, which are read and not imported.

    Args:
        observation_space: a Box of Gymnasium's, or what has the same attributes.
        action_space: Discrete, MultiDiscrete, MultiBinary or Box.
        state: names of the numbers of the hand-crafted state.
        labels: names of the numbers that go with each observation.

    Raises:
        ConfigurationError: the space is one that cannot be stored.
    """
    kind = _kind(observation_space)
    if kind != "Box":
        raise ConfigurationError(
            f"observations of a {kind} space cannot be stored, only those of a Box; wrap the "
            "environment in gymnasium.wrappers.FlattenObservation"
        )
    dtype = _dtype(observation_space, "observations")
    shape = tuple(int(size) for size in observation_space.shape)
    if 0 in shape:
        raise ConfigurationError(f"observations of shape {shape} hold nothing to store")
    return Schema(shape, dtype, _action_space(action_space), tuple(state), tuple(labels))


def _action_space(space: Any) -> ActionSpace:
    kind = _kind(space)
    if kind == "Discrete":
        return ActionSpace("discrete", (), "int64", (int(space.n),), int(space.start))
    shape = tuple(int(size) for size in space.shape or ())
    if 0 in shape:
        raise ConfigurationError(f"actions of shape {shape} hold nothing to store")
    if kind == "MultiDiscrete":
        if np.any(getattr(space, "start", 0)):
            raise ConfigurationError(
                "a MultiDiscrete action space that does not start at 0 cannot be stored"
            )
        sizes = tuple(int(size) for size in np.ravel(space.nvec))
        return ActionSpace("multi_discrete", shape, "int64", sizes)
    if kind == "MultiBinary":
        return ActionSpace("multi_binary", shape, "int8")
    if kind == "Box":
        dtype = _dtype(space, "actions")
        return ActionSpace(*("box", shape, dtype), low=_bounds(space.low), high=_bounds(space.high))
    raise ConfigurationError(
        f"actions of a {kind} space cannot be stored, only those of Discrete, MultiDiscrete, "
        "MultiBinary and Box; a wrapper can make one of these of it"
    )


def _bounds(values: Any) -> tuple[float, ...]:
    largest = np.finfo(np.float64).max
    numbers = np.clip(np.ravel(values).astype(np.float64), -largest, largest)
    return tuple(float(number) for number in numbers)


def _kind(space: Any) -> str:
    return type(space).__name__


def _dtype(space: Any, what: str) -> str:
    name = str(np.dtype(space.dtype).name)
    if name not in OBSERVATION_DTYPES:
        raise ConfigurationError(
            f"{what} of type {name} cannot be stored; known are {', '.join(OBSERVATION_DTYPES)}"
        )
    return name


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return the dotted names of the keys in which two JSON objects differ."""
    found = []
    for key in sorted({*ours, *theirs}):
        one, other = ours.get(key), theirs.get(key)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            found += differences(one, other, f"{prefix}{key}.")
        elif key not in ours or key not in theirs or one != other:
            found.append(f"{prefix}{key}")
    return found
