"""From an episode to the columns of a table."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from configs.errors import ConfigurationError
from configs.reading import printable
from trajectories.episode import Array, Episode
from trajectories.schema import ActionSpace, Schema


def check_episode(episode: Episode, schema: Schema) -> None:
    """Refuse an episode that the schema does not describe.

    Raises:
        ConfigurationError: it says what was expected and what came.
    """
    name = episode.values.get("id")
    if not isinstance(name, str) or not name:
        raise ConfigurationError("an episode needs a text as values['id']")
    try:
        if not episode.length:
            raise ConfigurationError("it has no steps, so nothing says how it ended")
        _check_arrays(episode, schema)
        _check_actions(np.asarray(episode.actions), schema.action)
        _check_rewards(np.asarray(episode.rewards), episode)
    except ConfigurationError as error:
        raise ConfigurationError(f"episode {printable(name)}: {error}") from None


def _check_arrays(episode: Episode, schema: Schema) -> None:
    rows = episode.length + 1
    shape, dtype = schema.observation_shape, schema.observation_dtype
    _expect("observations", episode.observations, (rows, *shape), dtype)
    _expect("actions", episode.actions, (episode.length, *schema.action.shape), schema.action.dtype)
    if (episode.states is None) != (not schema.state):
        raise ConfigurationError(f"states are {_is_there(episode.states)}, unlike in its dataset")
    if episode.states is not None:
        _expect("states", episode.states, (rows, len(schema.state)), "float32")
    if (episode.latent_std is None) != (schema.latent != "gaussian"):
        raise ConfigurationError(
            f"latent_std is {_is_there(episode.latent_std)}, unlike in its dataset"
        )
    if episode.latent_std is not None:
        _expect("latent_std", episode.latent_std, (rows, *shape), dtype)
    if set(episode.labels) != set(schema.labels):
        raise ConfigurationError(
            f"labels are {_listed(episode.labels)}, those of its dataset {_listed(schema.labels)}"
        )
    for name, values in episode.labels.items():
        _expect(f"label {name!r}", values, (rows,), None)


def _is_there(array: Array | None) -> str:
    return "missing" if array is None else "given"


def _listed(names: Any) -> str:
    return ", ".join(sorted(names)) or "none"


def _expect(what: str, array: Array, shape: tuple[int, ...], dtype: str | None) -> None:
    """Refuse another shape, another kind of numbers, and those that the stored type lacks."""
    found = np.asarray(array)
    if found.shape != shape:
        raise ConfigurationError(f"{what} have shape {found.shape}, not {shape}")
    wanted = np.dtype(dtype or "float64")
    if not np.can_cast(found.dtype, wanted, "same_kind"):
        raise ConfigurationError(f"{what} are {found.dtype}, not {wanted}")
    if found.dtype != wanted:
        _check_held(what, found, wanted)


def _check_held(what: str, found: Array, wanted: np.dtype[Any]) -> None:
    """Refuse integers that the stored type does not hold exactly, and floats too large for it."""
    with np.errstate(over="ignore", invalid="ignore"):
        held = found.astype(wanted)
        if found.dtype.kind == "f":  # rounded
            lost = np.isfinite(found) & ~np.isfinite(held)
        else:  # each comparison alone misses some: in both types, numbers are rounded or wrap
            lost = (held != found) | (held.astype(found.dtype) != found)
    if lost.any():
        raise ConfigurationError(f"{what} hold {found[lost].flat[0]}, which {wanted} does not hold")


def _check_actions(actions: Array, space: ActionSpace) -> None:
    if space.kind in ("discrete", "multi_discrete"):
        sizes = np.asarray(space.sizes).reshape(space.shape)
        outside = (actions < space.start) | (actions >= space.start + sizes)
    elif space.kind == "multi_binary":
        outside = (actions != 0) & (actions != 1)
    else:  # an environment may be given what lies outside of its box: any number is kept
        outside = ~np.isfinite(actions)
    if outside.any():
        step = int(np.argwhere(outside.reshape(len(actions), -1).any(axis=1))[0, 0])
        raise ConfigurationError(
            f"action {printable(str(actions[step]))} of step {step} is none of its dataset's"
        )


def _check_rewards(rewards: NDArray[Any], episode: Episode) -> None:
    _expect("rewards", rewards, (episode.length,), "float64")
    if not np.isfinite(rewards).all():
        step = int(np.flatnonzero(~np.isfinite(rewards))[0])
        raise ConfigurationError(f"the reward of step {step} is {rewards[step]}")


def to_table(episode: Episode, schema: Schema) -> pa.Table:
    """Return an episode's T + 1 rows; the last one has an observation and no action."""
    steps, rows = episode.length, episode.length + 1
    last = np.zeros(rows, bool)
    last[-1] = True
    ended = np.zeros((2, rows), bool)
    ended[:, steps - 1] = episode.terminated, episode.truncated
    columns = {
        "episode": pa.repeat(pa.scalar(episode.id), rows),
        "t": pa.array(np.arange(rows, dtype=np.int32)),
        schema.observation_column: _packed(episode.observations, schema),
        "action": _actions(episode.actions, schema.action, last),
        "reward": pa.array(_with_a_row(episode.rewards, "float64"), mask=last),
        "terminated": pa.array(ended[0], mask=last),
        "truncated": pa.array(ended[1], mask=last),
        **{name: pa.array(np.asarray(x, np.float64)) for name, x in episode.labels.items()},
    }
    if episode.latent_std is not None:
        columns["latent_std"] = _packed(episode.latent_std, schema)
    if episode.states is not None:
        columns["state"] = _lists(np.asarray(episode.states, np.float32))
    arrow = schema.arrow()
    return pa.Table.from_arrays([columns[name] for name in arrow.names], schema=arrow)


def _with_a_row(values: Array, dtype: str) -> Array:
    """Return values with zeros after the last one, where nothing is known."""
    array = np.asarray(values, np.dtype(dtype))
    return np.concatenate([array, np.zeros((1, *array.shape[1:]), array.dtype)])


def _packed(values: Array, schema: Schema) -> pa.Array:
    """Return one block of bytes for each row, little-endian, without a copy where possible."""
    dtype = np.dtype(schema.observation_dtype).newbyteorder("<")
    block = np.ascontiguousarray(values, dtype)
    kind = pa.binary(schema.bytes_per_observation)
    return pa.FixedSizeBinaryArray.from_buffers(kind, len(block), [None, pa.py_buffer(block)])


def _actions(actions: Array, space: ActionSpace, last: NDArray[np.bool_]) -> pa.Array:
    values = _with_a_row(actions, space.dtype)
    if space.shape == ():
        return pa.array(values, mask=last)
    return _lists(values, mask=pa.array(last))


def _lists(values: Array, mask: pa.Array | None = None) -> pa.Array:
    """Return a list for each row; where `mask` is true it is null."""
    size = int(np.prod(values.shape[1:], dtype=np.int64))
    offsets = pa.array(np.arange(len(values) + 1, dtype=np.int32) * np.int32(size))
    return pa.ListArray.from_arrays(offsets, pa.array(values.reshape(-1)), mask=mask)
