"""The names of models of sequences, and how a checkpoint's description becomes one."""

import difflib
from typing import Any

from agents.dynamics.causal_transformer import CausalTransformerDynamics
from agents.dynamics.dynamics import Dynamics
from agents.dynamics.latents import LatentEncoder
from agents.dynamics.mdn_rnn import MDNRNN
from agents.dynamics.prediction import SequenceTask
from agents.encoders.preprocessing import build_preprocessing
from agents.encoders.registry import UnknownKindError

DYNAMICS: dict[str, type[Dynamics]] = {
    each.kind: each for each in (MDNRNN, CausalTransformerDynamics)
}


def dynamics_named(name: str) -> type[Dynamics]:
    """Return the model of a name, whatever its case.

    Raises:
        UnknownKindError: there is none.
    """
    folded = name.casefold()
    if folded not in DYNAMICS:
        near = difflib.get_close_matches(folded, DYNAMICS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UnknownKindError(
            f"there is no model of sequences {name!r}; there are {', '.join(DYNAMICS)}{hint}"
        )
    return DYNAMICS[folded]


def build_dynamics(facts: dict[str, Any]) -> Dynamics:
    """Return the model that `facts` describe; its weights and statistics are to be loaded.

    Raises:
        UnknownKindError: of a kind that is not there, or with settings that it does not have.
        ValueError: settings that fit no network.
    """
    kind: Any = dynamics_named(str(facts.get("kind")))
    try:
        encoder = LatentEncoder(build_preprocessing(facts["encoder"]["preprocessing"]))
        settings = facts["settings"]
        model: Dynamics = kind(encoder, SequenceTask(**settings["task"]), **settings["network"])
    except (KeyError, TypeError) as error:
        raise UnknownKindError(f"{kind.kind} cannot be built of {facts}: {error}") from error
    return model
