"""What a key may hold: numbers within sensible bounds, lists of them, names, paths, JSON."""

import json
import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo
from pydantic_core import PydanticCustomError

Auto = Literal["auto"]


def split_numbers(value: Any) -> Any:
    """Turn "32, 64, 64" or "[32, 64]" into a tuple of its parts; leave anything else alone."""
    if isinstance(value, str):
        bare = value.strip().removeprefix("[").removesuffix("]")
        return tuple(part.strip() for part in bare.split(",") if part.strip())
    return value


# Beyond these a number is a slip of the hand, or would not fit where it is handed on to.
MOST = 1_000_000  # of what is counted or sized
MOST_STEPS = 10**12
MOST_SECONDS = 1_000_000
MOST_THREADS = 1024

PositiveInt = Annotated[int, Field(ge=1, le=MOST)]
IntTuple = Annotated[tuple[PositiveInt, ...], BeforeValidator(split_numbers)]


def _one_json_object(value: Any) -> Any:
    """Return a JSON object in one spelling; refuse any other text."""
    if not isinstance(value, str):
        return value
    try:
        found = json.loads(value, object_pairs_hook=_without_twins)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise PydanticCustomError("json_object", "no JSON object")
    # What stands behind these signs would be a comment in a .conf file.
    return json.dumps(found, sort_keys=True).replace("#", "\\u0023").replace(";", "\\u003b")


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key is there twice")
    return dict(pairs)


JsonObject = Annotated[
    str, BeforeValidator(_one_json_object), Field(json_schema_extra={"format": "json-object"})
]

# In a .conf file a comment would begin there, or a new line.
_UNWRITABLE = re.compile(r"(^|\s)[#;]|[\r\n]")


STORED = "stored"  # context: a checkpoint's own value, which was taken before it was refused


def _writable(value: Any, info: ValidationInfo) -> Any:
    """Refuse a path that would be another one when it is read back from a .conf file."""
    if info.context == STORED:
        return value
    if isinstance(value, str) and (not value.strip() or _UNWRITABLE.search(value)):
        raise PydanticCustomError("path", "no path")
    return value


def _encoder_place(value: Any, info: ValidationInfo) -> Any:
    """Refuse anything but encoder:PATH."""
    if isinstance(value, str):
        kind, _, path = value.partition(":")
        if kind != "encoder" or not path or path != path.strip():
            raise PydanticCustomError("encoder_place", "no encoder")
        _writable(path, info)
    return value


# What may be written, in words, is looked up by the format (configs/options.py).
FolderPath = Annotated[
    str, BeforeValidator(_writable), Field(json_schema_extra={"format": "folder"})
]
EncoderPlace = Annotated[
    str, BeforeValidator(_encoder_place), Field(json_schema_extra={"format": "encoder"})
]
ModuleName = Annotated[
    str, Field(pattern=r"^[A-Za-z_]\w*$", json_schema_extra={"format": "module"})
]
ModelName = Annotated[
    str, Field(pattern=r"^[A-Za-z][\w.-]*$", json_schema_extra={"format": "model"})
]
EnvironmentId = Annotated[str, Field(pattern=r"^[\w./:-]+$", json_schema_extra={"format": "id"})]
