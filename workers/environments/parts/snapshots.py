"""Snapshots of environments: JSON bytes that hold numbers and strings, never code.

A value keeps its exact type and bits: float32 and float64, scalars and arrays, are told apart,
because a simulator computes on with whatever type it left behind.
"""

import base64
import json
from typing import Any

import numpy as np

from configs.errors import CheckpointError


def pack(env_id: str, state: dict[str, Any]) -> bytes:
    """Return `state` (whatever JSON can hold, arrays through `encode`) as bytes for `unpack`."""
    return json.dumps({"env_id": env_id, "state": state}).encode()


def unpack(env_id: str, snapshot: bytes) -> dict[str, Any]:
    """Return the state that `pack` was given.

    Raises:
        CheckpointError: the bytes are no snapshot, or one of another environment.
    """
    try:
        content = json.loads(snapshot)
        found, state = content["env_id"], content["state"]
    except (ValueError, TypeError, KeyError) as error:
        raise CheckpointError(f"the snapshot of {env_id} is damaged: {error}") from error
    if found != env_id:
        raise CheckpointError(f"the snapshot is one of {found}, wanted one of {env_id}")
    if not isinstance(state, dict):
        raise CheckpointError(f"the snapshot of {env_id} is damaged: it holds no state")
    return state


def encode(value: Any) -> Any:
    """Return a JSON form of a number, bytes, NumPy scalar or array, tuple of these, or None."""
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, tuple):
        return {"tuple": [encode(item) for item in value]}
    if isinstance(value, np.generic | np.ndarray):
        return {
            "dtype": value.dtype.str,
            "shape": list(value.shape),
            "scalar": isinstance(value, np.generic),
            "data": base64.b64encode(value.tobytes()).decode(),
        }
    if isinstance(value, float):
        return {"float": value.hex()}
    raise TypeError(f"a snapshot cannot hold a {type(value).__name__}")


def decode(form: Any) -> Any:
    """Return the value that `encode` was given, of the same type and the same bits."""
    if not isinstance(form, dict):
        return form
    if "bytes" in form:
        return base64.b64decode(form["bytes"])
    if "tuple" in form:
        return tuple(decode(item) for item in form["tuple"])
    if "float" in form:
        return float.fromhex(form["float"])
    dtype = np.dtype(form["dtype"])
    array = np.frombuffer(base64.b64decode(form["data"]), dtype).reshape(form["shape"]).copy()
    return array[()] if form["scalar"] else array


def generator_state(generator: np.random.Generator) -> dict[str, Any]:
    """Return the state of a random stream, in a form that `pack` takes."""
    return dict(generator.bit_generator.state)


def restore_generator(generator: np.random.Generator, state: dict[str, Any]) -> None:
    """Continue the random stream whose `generator_state` is given."""
    generator.bit_generator.state = state
