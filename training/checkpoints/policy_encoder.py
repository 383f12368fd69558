"""The encoder that a policy looks through: read for a new run, kept in the policy's checkpoints."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agents.encoders.encoder import Encoder
from agents.encoders.preprocessing import FramePreprocessing
from agents.ranks import Ranks
from configs.errors import ConfigurationError
from configs.schema import Config
from training.checkpoints.continuation import Start
from training.checkpoints.encoder import TrainedEncoder, built_encoder, load_encoder
from training.checkpoints.kept_model import KeptModel, handed_over, kept_in, read_for_all
from training.checkpoints.storage import Payload

FACT = "encoder"  # among a checkpoint's facts, and in an export's configuration
_LOG = logging.getLogger(__name__)


def choose_encoder(ranks: Ranks, start: Start, config: Config) -> KeptModel[Encoder] | None:
    """Read the encoder of a new run on rank 0 and give it to all ranks (a collective).

    A run that is continued has its own in its checkpoint.

    Raises:
        CheckpointError: it cannot be read.
        ConfigurationError: it does not fit the environment.
    """
    if config.encoder_path is None or start.source is not None:
        return None
    path = Path(config.encoder_path)
    return read_for_all(ranks, lambda: _read(path, config), built_encoder, path)


def kept_encoder(facts: Mapping[str, Any], config: Config, path: Path) -> KeptModel[Encoder] | None:
    """Return the encoder that a checkpoint or an export tells of; its weights lie in the policy.

    Args:
        facts: what it tells.
        config: its own configuration.
        path: where it was read.

    Raises:
        CheckpointError: its configuration asks for one that it does not tell of.
    """
    if config.encoder_path is None:
        return None
    missing = (
        f"its agent looks through the encoder {config.encoder_path}, but it does not tell of that "
        "encoder"
    )
    return kept_in(facts, FACT, built_encoder, path, missing)


def module_of(encoder: KeptModel[Encoder] | None) -> Encoder | None:
    """Return its module, if there is an encoder."""
    return None if encoder is None else encoder.module


def check_encoder(trained: TrainedEncoder, config: Config) -> None:
    """Refuse an encoder that was trained on other frames than the environment's.

    Raises:
        ConfigurationError: with everything in which they differ.
    """
    environment, preprocessing = config.environment, trained.encoder.preprocessing
    shown = {
        "EnvType": environment.env_type,
        "height": environment.frame_height,
        "width": environment.frame_width,
        "channels": 1 if environment.frame_colour == "grey" else 3,
        "dtype": "uint8",
    }
    of_frames = isinstance(preprocessing, FramePreprocessing)
    if of_frames != config.observes_pixels and config.run.agent == "TD3":
        raise ConfigurationError(
            f"{trained.path}: this encoder sees {_kind(of_frames)}, and the run shows "
            f"{_kind(config.observes_pixels)}; choose another ObservationType, or another encoder"
        )
    if config.run.agent == "TD3" and not of_frames:
        return  # the size of its vectors is known when the environments are
    if not isinstance(preprocessing, FramePreprocessing):
        raise ConfigurationError(
            f"{trained.path}: this encoder sees vectors, and an agent's encoder sees frames; for "
            "the state itself set ObservationType = state, and Backbone = own with Representation "
            "= oracle, or VisionModel = none"
        )
    facts = preprocessing.facts
    looked_at = {name: facts[name] for name in shown if name in facts}
    family = trained.environment.get("EnvType", environment.env_type)  # of foreign data: unknown
    differing = [
        f"  {name}: trained on {value}, this run shows {shown[name]}"
        for name, value in {"EnvType": family, **looked_at}.items()
        if value != shown[name]
    ]
    if differing:
        raise ConfigurationError(
            f"{trained.path}: the encoder does not fit this environment's frames:\n"
            + "\n".join(differing)
            + "\nchange EnvType, PreProcHeight, PreProcWidth or FrameColour, or train an encoder "
            "on rollouts of this environment"
        )


def _kind(of_frames: bool) -> str:  # noqa: FBT001 - a word for each
    return "frames" if of_frames else "state vectors"


def _read(path: Path, config: Config) -> Payload:
    """Return description and weights of the encoder in a model's folder."""
    trained = load_encoder(path)
    check_encoder(trained, config)
    if trained.environment_id != config.environment.env_id:
        _LOG.warning(
            "the encoder was trained on %s and looks at %s here",
            trained.environment_id,
            config.environment.env_id,
        )
    facts = {
        "encoder": trained.encoder.facts,
        "digest": trained.digest,
        "model": trained.model,
        "steps": trained.steps,
        "path": str(trained.path),
        "environment": dict(trained.environment),
    }
    return handed_over(trained.encoder, facts)
