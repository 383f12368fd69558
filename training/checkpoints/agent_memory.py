"""The model of sequences whose memory an agent sees: read for a new run, kept in checkpoints."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agents.dynamics.dynamics import Dynamics
from agents.dynamics.registry import build_dynamics
from agents.ranks import Ranks
from configs.errors import CheckpointError, ConfigurationError
from configs.schema import Config
from training.checkpoints.continuation import Start
from training.checkpoints.dynamics import TrainedDynamics, check_pair, load_dynamics
from training.checkpoints.encoder import load_encoder
from training.checkpoints.kept_model import KeptModel, handed_over, kept_in, read_for_all
from training.checkpoints.storage import Payload

FACT = "memory"  # among a checkpoint's facts
_LOG = logging.getLogger(__name__)
NONE = "none"  # of MemoryModel


def choose_memory(ranks: Ranks, start: Start, config: Config) -> KeptModel[Dynamics] | None:
    """Read the model of a new run on rank 0 and give it to all ranks (a collective).

    A run that is continued has its own in its checkpoint.

    Raises:
        CheckpointError: it cannot be read, or is of another encoder.
    """
    path = Path(config.evolution.memory_model)
    if config.evolution.memory_model == NONE or start.source is not None:
        return None
    return read_for_all(ranks, lambda: _read(path, config), _built, path)


def kept_memory(facts: Mapping[str, Any], config: Config, path: Path) -> KeptModel[Dynamics] | None:
    """Return the model that a checkpoint tells of; its weights lie in the agent.

    Raises:
        CheckpointError: its configuration asks for one that it does not tell of.
    """
    if config.evolution.memory_model == NONE:
        return None
    missing = (
        f"its MemoryModel = {config.evolution.memory_model}, but it does not tell of that model"
    )
    return kept_in(facts, FACT, _built, path, missing)


def _built(described: Mapping[str, Any], path: Path) -> Dynamics:
    try:
        module = build_dynamics(described["dynamics"])
    except (ConfigurationError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path}: its model of sequences cannot be built here ({error}); it was saved by "
            "another version of this program"
        ) from error
    return module.requires_grad_(False)


def _read(path: Path, config: Config) -> Payload:
    """Return description and weights of the model in a folder."""
    trained = load_dynamics(path)
    _check(trained, config)
    facts = {
        "dynamics": trained.dynamics.facts,
        "digest": trained.digest,
        "steps": trained.steps,
        "path": str(trained.path),
        "environment": dict(trained.environment),
    }
    return handed_over(trained.dynamics, facts)


def _check(trained: TrainedDynamics, config: Config) -> None:
    """Refuse a model of other latents than the agent's; say if it learnt other steps."""
    if config.encoder_path is not None:
        check_pair(load_encoder(Path(config.encoder_path)), trained)
    elif trained.encoder_digest is not None:
        raise CheckpointError(
            f"{trained.path}: learnt the latents of an encoder, and VisionModel = none; name that "
            "encoder"
        )
    repeat = int(trained.environment.get("ActionRepeat", 1))
    if repeat != config.environment.action_repeat:
        _LOG.warning(
            "%s learnt steps of ActionRepeat = %d, and this run's are of ActionRepeat = %d, which "
            "it does not know; collect with the same, and train anew",
            trained.path,
            repeat,
            config.environment.action_repeat,
        )
