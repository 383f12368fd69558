"""What a configuration means: a controller, and what it looks through."""

from agents.controllers.actions import ActionMap, BoxActions, CarRacingActions, DiscreteActions
from agents.controllers.controller import Controller, ControllerInputs
from agents.dynamics.dynamics import Dynamics
from configs.errors import ConfigurationError
from configs.schema import Config
from training.checkpoints.controller import Models
from workers.environments.base import EnvironmentSpec
from workers.environments.parts.actions import NO_BOUND

CAR_RACING = "CarRacing"  # what the ids of cars begin with, whose brake has a map of its own


def make_controller(config: Config, spec: EnvironmentSpec, models: Models) -> Controller:
    """Return the controller of an environment, which sees an encoder's features or its vectors.

    Raises:
        ConfigurationError: the model of sequences is of other latents or actions.
    """
    section, encoder, memory = config.evolution, models.encoder_module, models.memory_module
    size = spec.observation_shape[0] if encoder is None else encoder.feature_size
    if memory is not None:
        _check_memory(memory, spec, size)
    inputs = ControllerInputs(
        size,
        hidden_size=0 if memory is None else memory.feature_size,
        with_change=section.inputs == "latent_and_change",
    )
    return Controller(inputs, _actions(spec), section.hidden_units)


def _check_memory(memory: Dynamics, spec: EnvironmentSpec, latent_size: int) -> None:
    wanted = (latent_size, spec.num_actions, spec.discrete)
    task = memory.task
    found = (memory.encoder.feature_size, task.action_size, task.discrete_actions)
    if wanted != found:
        here, there = (
            f"{size} numbers and {num} {'choices' if discrete else 'numbers of an action'}"
            for size, num, discrete in (wanted, found)
        )
        raise ConfigurationError(
            f"MemoryModel: learnt latents of {there}, and here are {here}; train one on rollouts "
            f"of {spec.env_id}"
        )


def _actions(spec: EnvironmentSpec) -> ActionMap:
    if spec.discrete:
        return DiscreteActions(spec.num_actions)
    if spec.env_id.startswith(CAR_RACING):
        return CarRacingActions()
    return BoxActions(_bounds(spec.action_low), _bounds(spec.action_high))


def _bounds(side: tuple[float, ...]) -> list[float | None]:
    return [bound if abs(bound) < NO_BOUND else None for bound in side]
