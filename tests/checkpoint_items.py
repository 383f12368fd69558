"""The items of state in a checkpoint, found in the file itself, and a file without one of them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from agents.ranks import bytes_tensor
from training.checkpoints.storage import Payload, Saver, load_payload, pack, unpack
from workers.stepping.row_snapshots import RowSnapshot

Place = tuple[Any, ...]


def open_checkpoint(path: Path) -> Payload:
    """Return all state in a checkpoint, ranks and environments unpacked too."""
    payload = load_payload(path)
    payload["ranks"] = [unpack(part.numpy().tobytes()) for part in payload["ranks"]]
    for part in payload["ranks"]:
        part["environments"] = [_open_snapshot(each) for each in part["environments"]]
    return payload


def items_of(opened: Payload) -> dict[str, list[Place]]:
    """Return the places of each item of state, by its name; what is only told of a run is none."""
    items: dict[str, list[Place]] = {}
    for place in _places({name: part for name, part in opened.items() if name != "facts"}):
        items.setdefault(_name(place), []).append(place)
    return items


def write_without(path: Path, item: str) -> None:
    """Write the checkpoint anew with the item as it would be at a start, or another one's."""
    opened, found = open_checkpoint(path), open_checkpoint(path)
    for place in items_of(found)[item]:
        _at(opened, place[:-1])[place[-1]] = _other(found, place)
    for part in opened["ranks"]:
        part["environments"] = [_close_snapshot(each) for each in part["environments"]]
    opened["ranks"] = [bytes_tensor(pack(part)) for part in opened["ranks"]]
    path.unlink()
    Saver(path).save(opened, is_best=False)


def _at(opened: Payload, place: Place) -> Any:
    value: Any = opened
    for key in place:
        value = value[key]
    return value


def _open_snapshot(snapshot: torch.Tensor) -> dict[str, Any]:
    row = RowSnapshot.unpack(snapshot.numpy().tobytes())
    content = json.loads(row.environment)
    of_the_row = {"score": row.score, "length": row.length, "observation": row.observation}
    return {**of_the_row, **content["state"], "env_id": content["env_id"]}


def _close_snapshot(state: dict[str, Any]) -> torch.Tensor:
    state = dict(state)
    of_the_row = {name: state.pop(name) for name in ("score", "length", "observation")}
    content = {"env_id": state.pop("env_id"), "state": state}
    row = RowSnapshot(**of_the_row, environment=json.dumps(content).encode())
    return bytes_tensor(row.pack())


def _places(value: Any, place: Place = ()) -> Iterator[Place]:
    is_of_an_environment = len(place) == 5 and place[2] == "environments"
    if isinstance(value, dict | list) and not is_of_an_environment:
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in parts:
            yield from _places(part, (*place, key))
    elif place[-1] != "env_id" and not (isinstance(value, torch.Tensor) and value.numel() == 0):
        yield place


def _name(place: Place) -> str:
    match place:
        case ("learner", name):
            return re.sub(r"\.(weight|bias)$", "", str(name))
        case ("optimizer", "state", _, kind):
            return f"optimizer {kind}"
        case ("optimizer", "param_groups", *_):
            return "optimizer param_groups"
        case ("ranks", rank, "environments", _, kind):
            return f"rank {rank} environments {kind}"
        case ("ranks", rank, *names):
            return " ".join(map(str, ("rank", rank, *names)))
    return str(place[0])


def _other(found: Payload, place: Place) -> Any:
    """Return what takes the place of a value; it differs from it."""
    value = _at(found, place)
    match place:
        case ("ranks", rank, "environments", index, name):
            neighbours = found["ranks"][rank]["environments"]
            return _of_another_game(name, value, neighbours[index - 1][name])
        case (*_, "generator" | "acting_generator"):
            return torch.Generator().get_state()
        case (*before, "episodes"):
            return "[]" if before else "[[], [], 0]"
        case ("optimizer", "param_groups", _, name, *_):
            return 0.5 * value if name in ("lr", "eps") else value
    if isinstance(value, torch.Tensor):
        return torch.zeros_like(value) if value.any() else torch.ones_like(value)
    return type(value)(not value)  # 1 or 0


def _of_another_game(name: str, value: Any, neighbours: Any) -> Any:
    if value != neighbours:
        return neighbours
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case []:
            return [99]
        case bytes():
            return bytes(len(value))
        case list():
            return [_of_another_game(name, each, each) for each in value]
    raise AssertionError(f"{name} is the same in both environments: {value}")
