"""The names of encoders and objectives, and how a checkpoint's description becomes a module."""

import difflib
from typing import Any

from agents.encoders.barlow_twins import BarlowTwins
from agents.encoders.byol import BYOL
from agents.encoders.contrastive import SimCLR
from agents.encoders.conv_autoencoder import ConvAutoencoder, PooledEncoder
from agents.encoders.convolutional import ConvolutionEncoder
from agents.encoders.encoder import Encoder, StateEncoder
from agents.encoders.frame_decoder import FrameDecoder
from agents.encoders.objective import Objective
from agents.encoders.preprocessing import build_preprocessing
from agents.encoders.reward_induced import RecurrentEncoder, RewardInduced
from agents.encoders.state_autoencoder import StateAutoencoder, VectorEncoder
from agents.encoders.state_decoder import StateDecoder
from agents.encoders.temporal_barlow import TemporalBarlow
from agents.encoders.transition import Transition
from agents.encoders.vae import VAE, VAEEncoder
from configs.errors import ConfigurationError

ENCODERS: dict[str, type[Encoder]] = {
    each.kind: each
    for each in (
        VAEEncoder,
        ConvolutionEncoder,
        PooledEncoder,
        RecurrentEncoder,
        StateEncoder,
        VectorEncoder,
    )
}
OBJECTIVES: dict[str, type[Objective]] = {
    each.kind: each
    for each in (
        VAE,
        SimCLR,
        BYOL,
        BarlowTwins,
        TemporalBarlow,
        ConvAutoencoder,
        StateDecoder,
        StateAutoencoder,
        RewardInduced,
        FrameDecoder,
        Transition,
    )
}


class UnknownKindError(ConfigurationError, ValueError):
    """A name that no encoder or objective has."""


def objective_named(name: str) -> type[Objective]:
    """Return the objective of a name: its kind, or as `module.Class`, whatever the case.

    Raises:
        UnknownKindError: there is none.
    """
    folded = name.casefold()
    names = {kind: kind for kind in OBJECTIVES}
    names |= {
        f"{_file(each)}.{each.__name__}".casefold(): kind for kind, each in OBJECTIVES.items()
    }
    if folded not in names:
        near = difflib.get_close_matches(folded, names, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UnknownKindError(
            f"there is no objective {name!r}; there are {', '.join(OBJECTIVES)}{hint}"
        )
    return OBJECTIVES[names[folded]]


def build_encoder(facts: dict[str, Any]) -> Encoder:
    """Return the encoder that `facts` describe; its weights and statistics are still to be loaded.

    Raises:
        UnknownKindError: of a kind that is not there, or with settings that it does not have.
        ValueError: settings that fit no network.
    """
    kind = facts.get("kind")
    if kind not in ENCODERS:
        raise UnknownKindError(f"there is no encoder {kind!r}; there are {', '.join(ENCODERS)}")
    preprocessing = build_preprocessing(facts["preprocessing"])
    made: Encoder = _made(ENCODERS[kind], preprocessing, facts)
    return made


def build_objective(facts: dict[str, Any]) -> Objective:
    """Return the objective that `facts` describe; its weights and statistics are to be loaded.

    Raises:
        UnknownKindError: of a kind that is not there, or with settings that it does not have.
        ValueError: settings that fit no network.
    """
    made: Objective = _made(
        objective_named(str(facts.get("kind"))), build_encoder(facts["encoder"]), facts
    )
    return made


def _made(cls: Any, part: Any, facts: dict[str, Any]) -> Any:
    try:
        return cls(part, **facts["settings"])
    except (KeyError, TypeError) as error:
        raise UnknownKindError(f"{facts['kind']} cannot be built of {facts}: {error}") from error


def _file(objective: type[Objective]) -> str:
    return objective.__module__.rpartition(".")[2]
