"""What a checkpoint must hold before anything is made of it; its digest says nothing of that."""

import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from configs.errors import CheckpointError
from configs.reading import printable
from training.checkpoints.storage import Payload
from training.ranks.distributed import PEER_ERROR

PARTS: Mapping[str, type] = {
    "facts": dict,
    "updates": int,
    "env_steps": int,
    "best_score": float,
    "episodes": str,
    "learner": dict,
    "optimizer": dict,
    "ranks": list,
}
FACTS: Mapping[str, type] = {
    "log_name": str,
    "config": dict,
    "spec": str,
    "threads": int,
    "versions": dict,
}
WORDS = {
    dict: "a table",
    list: "a list",
    str: "text",
    int: "a whole number",
    float: "a number",
    Tensor: "a tensor",
}

# What laying out a state raises that is not of this agent.
_UNFIT = (
    *(KeyError, IndexError, TypeError, ValueError, AttributeError, RuntimeError, AssertionError),
    *(ArithmeticError, EOFError, pickle.UnpicklingError),
)


def check_form(payload: Payload, path: Path) -> None:
    """Refuse a payload whose parts are not what `RunState` writes.

    Raises:
        CheckpointError: with each part that is missing or of another kind, wanted and found.
    """
    problems = list(wrong_parts("", payload, PARTS))
    if not problems:
        problems += wrong_parts("facts.", payload["facts"], FACTS)
        problems += _wrong_values("learner.", payload["learner"], Tensor)
        problems += _wrong_values("ranks.", dict(enumerate(payload["ranks"])), Tensor)
    if not problems:
        problems += _wrong_values("facts.config.", payload["facts"]["config"], str)
        problems += _wrong_values("facts.versions.", payload["facts"]["versions"], str)
    if problems:
        raise CheckpointError(f"{path}: not a checkpoint of a run:\n" + "\n".join(problems))


def check_facts(payload: Payload, path: Path) -> dict[str, Any]:
    """Return what a payload tells of its run, of which its name must be there.

    Raises:
        CheckpointError: it tells none.
    """
    problems = list(wrong_parts("", payload, {"facts": dict}))
    problems = problems or list(wrong_parts("facts.", payload["facts"], {"log_name": str}))
    if problems:
        raise CheckpointError(f"{path}: not a checkpoint of a run:\n" + "\n".join(problems))
    facts: dict[str, Any] = payload["facts"]
    return facts


@contextmanager
def laid_out(what: str, path: Path) -> Iterator[None]:
    """Turn what is raised by a state that does not fit into a refusal of the file at `path`."""
    try:
        yield
    except CheckpointError as error:  # of an environment, which does not know the file
        raise CheckpointError(f"{path}: {error}") from error
    except _UNFIT as error:
        if isinstance(error, RuntimeError) and PEER_ERROR.search(str(error)):
            raise  # it has nothing to do with the file
        reason = printable(str(error).strip().partition("\n")[0]) or type(error).__name__
        raise CheckpointError(
            f"{path}: its {what} cannot be laid out ({reason}); it belongs to another agent, or "
            "was changed"
        ) from error


def wrong_parts(place: str, found: Any, wanted: Mapping[str, type]) -> Iterator[str]:
    """Yield in words what is missing in a table of named parts, or is of another kind."""
    if not isinstance(found, dict):
        yield f"  {place or 'the payload'}: wanted a table, found {_kind(found)}"
        return
    for name, kind in wanted.items():
        if name not in found:
            yield f"  {place}{name}: wanted {WORDS[kind]}, found nothing"
        elif not _is(found[name], kind):
            yield f"  {place}{name}: wanted {WORDS[kind]}, found {_kind(found[name])}"


def _wrong_values(place: str, found: Mapping[Any, Any], wanted: type) -> Iterator[str]:
    for name, value in found.items():
        if not _is(value, wanted):
            shown = printable(str(name))
            yield f"  {place}{shown}: wanted {WORDS[wanted]}, found {_kind(value)}"


def _is(value: Any, kind: type) -> bool:
    if kind is float:
        return isinstance(value, int | float)
    return isinstance(value, kind)


def _kind(value: Any) -> str:
    named = (word for kind, word in WORDS.items() if isinstance(value, kind))
    return next(named, type(value).__name__)
