"""What a configuration means: a controller, and what it looks through."""

from agents.controllers.actions import ActionMap, BoxActions, CarRacingActions, DiscreteActions
from agents.controllers.controller import Controller, ControllerInputs
from agents.encoders.encoder import Encoder
from configs.schema import Config
from workers.environments.actions import NO_BOUND
from workers.environments.base import EnvironmentSpec

CAR_RACING = "CarRacing"  # what the ids of cars begin with, whose brake has a map of its own


def make_controller(config: Config, spec: EnvironmentSpec, encoder: Encoder | None) -> Controller:
    """Return the controller of an environment, which sees an encoder's features or its vectors."""
    section = config.evolution
    size = spec.observation_shape[0] if encoder is None else encoder.feature_size
    inputs = ControllerInputs(size, with_change=section.inputs == "latent_and_change")
    return Controller(inputs, _actions(spec), section.hidden_units)


def _actions(spec: EnvironmentSpec) -> ActionMap:
    if spec.discrete:
        return DiscreteActions(spec.num_actions)
    if spec.env_id.startswith(CAR_RACING):
        return CarRacingActions()
    return BoxActions(_bounds(spec.action_low), _bounds(spec.action_high))


def _bounds(side: tuple[float, ...]) -> list[float | None]:
    return [bound if abs(bound) < NO_BOUND else None for bound in side]
