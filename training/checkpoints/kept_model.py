"""A model inside an agent: read from a folder for a new run, then kept in the run's checkpoints.

Its weights lie among the agent's. Beside them a checkpoint tells, as text, what builds it anew.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from torch import nn

from agents.ranks import Ranks
from configs.errors import CheckpointError
from training.checkpoints.offline import told
from training.checkpoints.storage import Payload, pack, unpack
from training.ranks.agreement import on_first_rank

M = TypeVar("M", bound=nn.Module)
# From a description, and where it was read, to a model whose weights are still to be laid out.
Build = Callable[[Mapping[str, Any], Path], M]


@dataclass(frozen=True)
class KeptModel(Generic[M]):
    """A model, and what a checkpoint of the agent tells of it.

    Attributes:
        module: on the CPU, in evaluation mode; as it was trained, or still to be laid out.
        facts: JSON: what builds the module anew, its digest, what it was trained on.
    """

    module: M
    facts: str


def handed_over(module: nn.Module, facts: Mapping[str, Any]) -> Payload:
    """Return a model that was read, as rank 0 hands it to the others."""
    return {"facts": json.dumps(facts, sort_keys=True), "weights": module.state_dict()}


def read_for_all(
    ranks: Ranks, read: Callable[[], Payload], build: Build[M], path: Path
) -> KeptModel[M]:
    """Read a model on rank 0 and give it to all ranks (a collective).

    Args:
        ranks: all processes.
        read: returns what is `handed_over`.
        build: makes the model of its description.
        path: where it is read.

    Raises:
        ScoutError: what `read` raises on rank 0, on all of them.
    """
    data = on_first_rank(ranks, lambda: pack(read()))
    payload = unpack(ranks.broadcast_bytes(data or b""))
    module = build(told(payload["facts"], path), path)
    module.load_state_dict(payload["weights"])
    return KeptModel(module.eval(), payload["facts"])


def kept_in(
    facts: Mapping[str, Any], name: str, build: Build[M], path: Path, missing: str
) -> KeptModel[M]:
    """Return the model that a checkpoint or an export tells of; its weights lie in the agent.

    Args:
        facts: what it tells.
        name: under which it tells of the model.
        build: makes the model of its description.
        path: where the facts were read.
        missing: what is wrong where it tells of none, in words.

    Raises:
        CheckpointError: it does not tell of the model, or tells of one that is not known here.
    """
    text = facts.get(name)
    if not isinstance(text, str):
        raise CheckpointError(f"{path}: {missing}")
    return KeptModel(build(told(text, path), path).eval(), text)
