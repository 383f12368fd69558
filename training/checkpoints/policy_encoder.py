"""The encoder that a policy looks through: read for a new run, kept in the policy's checkpoints."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.encoders.encoder import Encoder
from agents.encoders.preprocessing import FramePreprocessing
from agents.ranks import Ranks
from configs.errors import CheckpointError, ConfigurationError
from configs.schema import Config
from training.checkpoints.continuation import Start
from training.checkpoints.encoder import TrainedEncoder, built_encoder, load_encoder
from training.checkpoints.offline import told
from training.checkpoints.storage import Payload, pack, unpack
from training.ranks.agreement import on_first_rank

FACT = "encoder"  # among a checkpoint's facts, and in an export's configuration
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class PolicyEncoder:
    """An encoder for a policy, and what a checkpoint of the policy tells of it.

    Attributes:
        module: on the CPU, in evaluation mode; as it was trained, or still to be laid out.
        facts: JSON: what builds the module anew, its digest, what it was trained on.
    """

    module: Encoder
    facts: str


def choose_encoder(ranks: Ranks, start: Start, config: Config) -> PolicyEncoder | None:
    """Read the encoder of a new run on rank 0 and give it to all ranks (a collective).

    A run that is continued has its own in its checkpoint.

    Raises:
        CheckpointError: it cannot be read.
        ConfigurationError: it does not fit the environment.
    """
    path = config.ppo.encoder_path
    if path is None or start.source is not None:
        return None
    data = on_first_rank(ranks, lambda: pack(_read(Path(path), config)))
    payload = unpack(ranks.broadcast_bytes(data or b""))
    module = built_encoder(told(payload["facts"], Path(path)), Path(path))
    module.load_state_dict(payload["weights"])
    return PolicyEncoder(module.eval(), payload["facts"])


def kept_encoder(facts: Mapping[str, Any], config: Config, path: Path) -> PolicyEncoder | None:
    """Return the encoder that a checkpoint or an export tells of; its weights lie in the policy.

    Args:
        facts: what it tells.
        config: its own configuration.
        path: where it was read.

    Raises:
        CheckpointError: its configuration asks for one that it does not tell of.
    """
    if config.ppo.encoder_path is None:
        return None
    text = facts.get(FACT)
    if not isinstance(text, str):
        raise CheckpointError(
            f"{path}: its Backbone = {config.ppo.backbone}, but it does not tell of that encoder"
        )
    return PolicyEncoder(built_encoder(told(text, path), path).eval(), text)


def module_of(encoder: PolicyEncoder | None) -> Encoder | None:
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
    if not isinstance(preprocessing, FramePreprocessing):
        raise ConfigurationError(
            f"{trained.path}: this encoder sees vectors, and a policy's encoder sees frames; for "
            "the state itself set Backbone = own and Representation = oracle"
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
    return {"facts": json.dumps(facts, sort_keys=True), "weights": trained.encoder.state_dict()}
