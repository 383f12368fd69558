"""What a checkpoint of CMA-ES holds of its controller, and of what that looks through.

learner["mean"]         the parameters [N] that are evaluated: the mean of the next population
learner["encoder.*"]    the weights of the encoder, if there is one
optimizer["strategy"]   CMA-ES, all of it
facts["controller"]     what the controller is
facts["encoder"]        what the encoder is
"""

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from agents.controllers.controller import Controller, build_controller
from agents.dynamics.dynamics import Dynamics
from agents.encoders.encoder import Encoder
from configs.errors import CheckpointError
from configs.schema import Config
from training.checkpoints.agent_memory import FACT as MEMORY_FACT
from training.checkpoints.agent_memory import kept_memory
from training.checkpoints.kept_model import KeptModel
from training.checkpoints.offline import told
from training.checkpoints.payload_form import laid_out
from training.checkpoints.policy_encoder import FACT as ENCODER_FACT
from training.checkpoints.policy_encoder import kept_encoder
from training.checkpoints.storage import Payload

FACT = "controller"
MEAN = "mean"
ENCODER, MEMORY = "encoder.", "memory."
STRATEGY = "strategy"


@dataclass(frozen=True)
class Models:
    """What a controller looks through: an encoder, a model of sequences, either or none."""

    encoder: KeptModel[Encoder] | None = None
    memory: KeptModel[Dynamics] | None = None

    @property
    def encoder_module(self) -> Encoder | None:
        """The encoder."""
        return None if self.encoder is None else self.encoder.module

    @property
    def memory_module(self) -> Dynamics | None:
        """The model of sequences."""
        return None if self.memory is None else self.memory.module

    @property
    def facts(self) -> dict[str, str]:
        """What a checkpoint tells of them."""
        facts = {} if self.encoder is None else {ENCODER_FACT: self.encoder.facts}
        return facts if self.memory is None else {**facts, MEMORY_FACT: self.memory.facts}

    @property
    def weights(self) -> dict[str, Tensor]:
        """Their weights, as a checkpoint keeps them."""
        modules = ((ENCODER, self.encoder_module), (MEMORY, self.memory_module))
        return {
            name: value.cpu()
            for prefix, module in modules
            if module is not None
            for name, value in module.state_dict(prefix=prefix).items()
        }


def kept_models(payload: Payload, config: Config, path: Path) -> Models:
    """Return the models of a checkpoint with their weights.

    Raises:
        CheckpointError: they cannot be laid out.
    """
    facts = payload["facts"]
    models = Models(kept_encoder(facts, config, path), kept_memory(facts, config, path))
    with laid_out("models", path):
        for prefix, module in ((ENCODER, models.encoder_module), (MEMORY, models.memory_module)):
            if module is not None:
                module.load_state_dict(_named(payload["learner"], prefix))
    return models


def _named(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in weights.items()
        if name.startswith(prefix)
    }


def kept_controller(payload: Payload, path: Path) -> tuple[Controller, Tensor]:
    """Return the controller of a checkpoint and its parameters [N].

    Raises:
        CheckpointError: it describes none, or one of other parameters.
    """
    with laid_out("controller", path):
        controller = build_controller(told(payload["facts"][FACT], path))
        mean: Tensor = payload["learner"][MEAN]
    if mean.shape != (controller.num_parameters,):
        raise CheckpointError(
            f"{path}: holds {tuple(mean.shape)} parameters of a controller that has "
            f"{controller.num_parameters}"
        )
    return controller, mean
