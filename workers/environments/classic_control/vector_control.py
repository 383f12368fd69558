"""CartPoles and MountainCars stepped at once, to the last bit as Gymnasium steps each of them.

The equations are Gymnasium's, on vectors and in the same order. Episodes begin, are saved and are
restored by the environments themselves, so their random draws are the same ones.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from gymnasium.envs.classic_control import CartPoleEnv, MountainCarEnv
from numpy.typing import NDArray

from workers.environments.base import Batch, BatchStep
from workers.environments.classic_control.classic_control import ClassicControlEnvironment

CHECKED_STATES = 251  # an odd number: the last ones fill no whole vector register
NEVER = np.iinfo(np.int64).max

Reach = tuple[tuple[float, float], ...]
States = NDArray[np.float64]  # [D, n]
Choices = NDArray[np.int64]  # [n]


class Moved(NamedTuple):
    """What follows from a step of the physics: states [D, n], rewards [n], ends [n]."""

    states: States
    rewards: NDArray[np.float64]
    terminated: NDArray[np.bool_]


class Physics(Protocol):
    """The equations of one kind of simulator.

    Attributes:
        reach: D pairs of numbers that its states lie between, ends included.
        num_actions: A.
    """

    reach: Reach
    num_actions: int

    def step(self, states: States, actions: Choices) -> Moved:
        """Step n simulators."""

    def own_form(self, state: NDArray[np.float64]) -> Any:
        """Return one state [D] in the form in which a step leaves it in the simulator."""


class CartPoles:
    """`gymnasium.envs.classic_control.cartpole`."""

    reach: Reach = ((-2.6, 2.6), (-3.0, 3.0), (-0.25, 0.25), (-3.5, 3.5))
    num_actions = 2

    def __init__(self, simulator: Any) -> None:
        self._simulator = simulator

    def step(self, states: States, actions: Choices) -> Moved:
        """Move the carts by Euler's rule."""
        own = self._simulator
        x, x_dot, theta, theta_dot = states
        force = np.where(actions == 1, own.force_mag, -own.force_mag)
        cos, sin = np.cos(theta), np.sin(theta)
        temp = (force + own.polemass_length * np.square(theta_dot) * sin) / own.total_mass
        theta_acceleration = (own.gravity * sin - cos * temp) / (
            own.length * (4.0 / 3.0 - own.masspole * np.square(cos) / own.total_mass)
        )
        acceleration = temp - own.polemass_length * theta_acceleration * cos / own.total_mass
        moved = states + own.tau * np.stack((x_dot, acceleration, theta_dot, theta_acceleration))
        x, _, theta, _ = moved
        terminated = (np.abs(x) > own.x_threshold) | (np.abs(theta) > own.theta_threshold_radians)
        return Moved(moved, np.ones(len(x)), terminated)

    def own_form(self, state: NDArray[np.float64]) -> Any:
        """Return an array of its own."""
        return state.copy()


class MountainCars:
    """`gymnasium.envs.classic_control.mountain_car`."""

    reach: Reach = ((-1.2, 0.6), (-0.07, 0.07))
    num_actions = 3

    def __init__(self, simulator: Any) -> None:
        self._simulator = simulator

    def step(self, states: States, actions: Choices) -> Moved:
        """Move the cars; the slope is C's cosine, number by number, as it is there."""
        own = self._simulator
        position, velocity = states
        cosines = np.array([math.cos(angle) for angle in (3 * position).tolist()])
        velocity = velocity + ((actions - 1) * own.force + cosines * (-own.gravity))
        velocity = np.minimum(np.maximum(velocity, -own.max_speed), own.max_speed)
        position = position + velocity
        position = np.minimum(np.maximum(position, own.min_position), own.max_position)
        velocity[(position == own.min_position) & (velocity < 0)] = 0.0
        terminated = (position >= own.goal_position) & (velocity >= own.goal_velocity)
        return Moved(np.stack((position, velocity)), np.full(len(position), -1.0), terminated)

    def own_form(self, state: NDArray[np.float64]) -> Any:
        """Return a pair of numbers; a car that the wall has stopped has the velocity int 0."""
        position, velocity = state
        is_stopped = position == self._simulator.min_position and velocity == 0
        return position, 0 if is_stopped else velocity


MakePhysics = Callable[[Any], Physics]
KINDS: dict[type, MakePhysics] = {CartPoleEnv: CartPoles, MountainCarEnv: MountainCars}


class ControlBatch:
    """Environments of classic control whose states lie in one array; see `Batch`."""

    def __init__(self, environments: Sequence[ClassicControlEnvironment], physics: Physics) -> None:
        """Take environments of one kind; each must be loaded before the first step."""
        limit = environments[0].environment_spec.max_episode_steps
        self._environments = environments
        self._physics = physics
        self._limit = NEVER if limit is None else limit
        self._states = np.zeros((len(physics.reach), len(environments)))
        self._lengths = np.zeros(len(environments), np.int64)
        self._is_elsewhere = np.zeros(len(environments), np.bool_)  # than its environment

    def load(self, index: int) -> None:
        """Go on from where environment `index` is."""
        environment = self._environments[index]
        self._states[:, index] = environment.simulator.state
        self._lengths[index] = environment.num_steps
        self._is_elsewhere[index] = False

    def step(self, actions: NDArray[Any]) -> BatchStep:
        """Step all n environments.

        Raises:
            ValueError: an action that there is not.
        """
        if ((actions < 0) | (actions >= self._physics.num_actions)).any():
            raise ValueError(f"actions must lie in [0, {self._physics.num_actions}): {actions}")
        self._states, rewards, terminated = self._physics.step(self._states, actions)
        self._lengths += 1
        self._is_elsewhere[:] = True
        truncated = (self._lengths >= self._limit) & ~terminated
        observations = np.ascontiguousarray(self._states.T, np.float32)
        return BatchStep(observations, rewards, terminated, truncated)

    def store(self) -> None:
        """Bring the environments themselves to where they are here."""
        for index in np.flatnonzero(self._is_elsewhere).tolist():
            environment = self._environments[index]
            environment.simulator.state = self._physics.own_form(self._states[:, index])
            environment.num_steps = int(self._lengths[index])


def batch_of(environments: Sequence[ClassicControlEnvironment]) -> Batch | None:
    """Return what steps environments of one kind at once; None where that has no equations here.

    None also where this machine's or this Gymnasium's numbers are not the same to the last bit.
    """
    simulator = environments[0].simulator
    own: Callable[[], Any] = type(simulator)
    kind = KINDS.get(type(simulator))
    if kind is None or not is_exact(own, kind):
        return None
    return ControlBatch(environments, kind(simulator))


@functools.cache
def is_exact(own: Callable[[], Any], kind: MakePhysics) -> bool:
    """Whether a few hundred steps equal those of the simulator that `own` makes, each by itself.

    NumPy computes the cosine of a vector by other instructions than that of a number on some
    processors, and another Gymnasium may have other equations.
    """
    simulator = own()
    physics = kind(simulator)
    draw = np.random.default_rng(0)
    low, high = np.array(physics.reach).T[:, :, np.newaxis]
    states = draw.uniform(low, high, (len(physics.reach), CHECKED_STATES))
    actions = draw.integers(physics.num_actions, size=CHECKED_STATES)
    moved = physics.step(states, actions)
    simulator.reset(seed=0)
    for index, action in enumerate(actions.tolist()):
        simulator.state = states[:, index].copy()
        simulator.steps_beyond_terminated = None  # each is the first to end
        _, reward, terminated, _, _ = simulator.step(action)
        found = (moved.rewards[index], moved.terminated[index])
        state = np.array(simulator.state, np.float64)
        if state.tobytes() != moved.states[:, index].tobytes() or (reward, terminated) != found:
            return False
    return True
