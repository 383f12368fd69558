"""What a checkpoint of CMA-ES holds of its controller, and of what that looks through.

learner["mean"]         the parameters [N] that are evaluated: the mean of the next population
learner["encoder.*"]    the weights of the encoder, if there is one
optimizer["strategy"]   CMA-ES, all of it
facts["controller"]     what the controller is
facts["encoder"]        what the encoder is
"""

from pathlib import Path

from torch import Tensor

from agents.controllers.cma_es import CMAES
from agents.controllers.controller import Controller, build_controller
from agents.encoders.encoder import Encoder
from configs.errors import CheckpointError
from configs.schema import Config
from training.checkpoints.offline import told
from training.checkpoints.payload_form import laid_out
from training.checkpoints.policy_encoder import PolicyEncoder, kept_encoder
from training.checkpoints.storage import Payload

FACT = "controller"
MEAN = "mean"
ENCODER = "encoder."
STRATEGY = "strategy"


def model_weights(encoder: Encoder | None) -> dict[str, Tensor]:
    """Return the weights of what controllers look through, as a checkpoint keeps them."""
    if encoder is None:
        return {}
    return {name: value.cpu() for name, value in encoder.state_dict(prefix=ENCODER).items()}


def whole_encoder(payload: Payload, config: Config, path: Path) -> PolicyEncoder | None:
    """Return the encoder of a checkpoint with its weights; None where it has none.

    Raises:
        CheckpointError: it cannot be laid out.
    """
    encoder = kept_encoder(payload["facts"], config, path)
    if encoder is not None:
        weights = {
            name.removeprefix(ENCODER): value
            for name, value in payload["learner"].items()
            if name.startswith(ENCODER)
        }
        with laid_out("encoder", path):
            encoder.module.load_state_dict(weights)
    return encoder


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


def kept_strategy(payload: Payload, controller: Controller, path: Path) -> CMAES:
    """Return the strategy of a checkpoint.

    Raises:
        CheckpointError: it cannot be used, or is of another controller.
    """
    with laid_out("strategy", path):
        strategy = CMAES.from_bytes(payload["optimizer"][STRATEGY].numpy().tobytes())
    if strategy.num_parameters != controller.num_parameters:
        raise CheckpointError(
            f"{path}: its controller has {strategy.num_parameters} parameters, that of this "
            f"configuration {controller.num_parameters}"
        )
    return strategy
