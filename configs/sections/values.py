"""What a key may hold: numbers within sensible bounds, lists of them, JSON."""

import json
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
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


JsonObject = Annotated[str, BeforeValidator(_one_json_object)]
