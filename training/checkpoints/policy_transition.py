"""The model of transitions that critics look at: read for a new run, kept in its checkpoints."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agents.encoders.registry import build_objective
from agents.encoders.transition import Transition
from agents.ranks import Ranks
from configs.errors import CheckpointError, ConfigurationError
from configs.schema import Config
from training.checkpoints.continuation import Start
from training.checkpoints.encoder import load_model
from training.checkpoints.kept_model import KeptModel, handed_over, kept_in, read_for_all
from training.checkpoints.storage import Payload
from workers.environments.base import EnvironmentSpec

FACT = "transition"  # among a checkpoint's facts


def choose_transition(ranks: Ranks, start: Start, config: Config) -> KeptModel[Transition] | None:
    """Read the model of a new run on rank 0 and give it to all ranks (a collective).

    A run that is continued has its own in its checkpoint.

    Raises:
        CheckpointError: it cannot be read.
        ConfigurationError: it is no model of transitions.
    """
    if not _has_transition(config) or start.source is not None:
        return None
    path = Path(str(config.td3.transition_path))
    return read_for_all(ranks, lambda: _read(path), _built, path)


def kept_transition(
    facts: Mapping[str, Any], config: Config, path: Path
) -> KeptModel[Transition] | None:
    """Return the model that a checkpoint tells of; its weights lie among the critics'.

    Raises:
        CheckpointError: its configuration asks for one that it does not tell of.
    """
    if not _has_transition(config):
        return None
    missing = (
        f"its TransitionModel = {config.td3.transition_model}, but it does not tell of that model"
    )
    return kept_in(facts, FACT, _built, path, missing)


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


def _has_transition(config: Config) -> bool:
    return config.run.agent == "TD3" and config.td3.transition_path is not None


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
    return handed_over(model.objective, facts)


def _built(described: Mapping[str, Any], path: Path) -> Transition:
    """Return the model of a description, whose weights are still to be laid out."""
    try:
        objective = build_objective(described["objective"])
    except (ConfigurationError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path}: its model of transitions cannot be built here ({error}); it was saved by "
            "another version of this program"
        ) from error
    if not isinstance(objective, Transition):
        raise CheckpointError(f"{path}: tells of a model that is none of transitions")
    return objective
