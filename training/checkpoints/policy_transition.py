"""The model of transitions that critics look at: read for a new run, kept in its checkpoints."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.encoders.registry import build_objective
from agents.encoders.transition import Transition
from agents.ranks import Ranks
from configs.errors import CheckpointError, ConfigurationError
from configs.schema import Config
from training.checkpoints.continuation import Start
from training.checkpoints.encoder import load_model
from training.checkpoints.offline import told
from training.checkpoints.storage import Payload, pack, unpack
from training.ranks.agreement import on_first_rank
from workers.environments.base import EnvironmentSpec

FACT = "transition"  # among a checkpoint's facts


@dataclass(frozen=True)
class PolicyTransition:
    """A model of transitions, and what a checkpoint of the policy tells of it.

    Attributes:
        module: on the CPU, in evaluation mode; as it was trained, or still to be laid out.
        facts: JSON: what builds the module anew, and where it came from.
    """

    module: Transition
    facts: str


def choose_transition(ranks: Ranks, start: Start, config: Config) -> PolicyTransition | None:
    """Read the model of a new run on rank 0 and give it to all ranks (a collective).

    A run that is continued has its own in its checkpoint.

    Raises:
        CheckpointError: it cannot be read.
        ConfigurationError: it is no model of transitions.
    """
    path = config.td3.transition_path
    if config.run.agent != "TD3" or path is None or start.source is not None:
        return None
    data = on_first_rank(ranks, lambda: pack(_read(Path(path))))
    payload = unpack(ranks.broadcast_bytes(data or b""))
    module = _built(payload["facts"], Path(path))
    module.load_state_dict(payload["weights"])
    return PolicyTransition(module.eval(), payload["facts"])


def kept_transition(
    facts: Mapping[str, Any], config: Config, path: Path
) -> PolicyTransition | None:
    """Return the model that a checkpoint tells of; its weights lie among the critics'.

    Raises:
        CheckpointError: its configuration asks for one that it does not tell of.
    """
    if config.run.agent != "TD3" or config.td3.transition_path is None:
        return None
    text = facts.get(FACT)
    if not isinstance(text, str):
        raise CheckpointError(
            f"{path}: its TransitionModel = {config.td3.transition_model}, but it does not tell of "
            "that model"
        )
    return PolicyTransition(_built(text, path).eval(), text)


def check_transition(model: Transition, spec: EnvironmentSpec, size: int, path: str) -> None:
    """Refuse a model of other observations or actions than the run's.

    Args:
        model: of transitions.
        spec: the environment.
        size: numbers of an observation as it is remembered.
        path: where the model was read.

    Raises:
        ConfigurationError: with the numbers of both.
    """
    found = (*model.encoder.preprocessing.shape, model.action_size)
    wanted = (size, spec.num_actions)
    if found != wanted:
        raise ConfigurationError(
            f"TransitionModel = {path}: it foretells {found[0]} numbers under {found[-1]} of an "
            f"action, and the run has {wanted[0]} and {wanted[1]}; train one on rollouts of this "
            "environment"
        )


def _read(path: Path) -> Payload:
    """Return description and weights of the model in a folder."""
    model = load_model(path)
    if not isinstance(model.objective, Transition):
        raise ConfigurationError(
            f"TransitionModel = {path}: holds a {model.trained.model}, and the critics look at a "
            "transition; name the folder that --train_encoder --model transition wrote"
        )
    facts = {
        "objective": model.objective.facts,
        "digest": model.trained.digest,
        "steps": model.trained.steps,
        "path": str(model.trained.path),
    }
    return {"facts": json.dumps(facts, sort_keys=True), "weights": model.objective.state_dict()}


def _built(text: str, path: Path) -> Transition:
    """Return the model of a description, whose weights are still to be laid out."""
    try:
        objective = build_objective(told(text, path)["objective"])
    except (ConfigurationError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path}: its model of transitions cannot be built here ({error}); it was saved by "
            "another version of this program"
        ) from error
    if not isinstance(objective, Transition):
        raise CheckpointError(f"{path}: tells of a model that is none of transitions")
    return objective
