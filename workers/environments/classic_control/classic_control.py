"""Gymnasium's classic control: state vectors or rendered frames, with exact snapshots."""

import os
from collections.abc import Sequence
from copy import copy
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.classic_control import AcrobotEnv, PendulumEnv
from numpy.typing import NDArray

from configs.errors import ConfigurationError
from configs.schema import EnvironmentSection
from workers.environments.base import Batch, Environment, Observation, TakeSnapshot
from workers.environments.parts.actions import action_map, policy_space
from workers.environments.parts.snapshots import (
    decode,
    encode,
    generator_state,
    pack,
    restore_generator,
    unpack,
)
from workers.environments.parts.spaces import legal_action, spec_of
from workers.environments.states import Vector, as_vector

ENTRY_POINT = "gymnasium.envs.classic_control"
# Everything that a simulator of this family changes while it runs, its random stream apart.
PHYSICAL_STATE = ("state", "steps_beyond_terminated", "last_u")
# What ObservationType = state shows, by the first word of the id.
STATE_NAMES = {
    "CartPole": ("position", "velocity", "angle", "angular_velocity"),
    "MountainCar": ("position", "velocity"),
    "MountainCarContinuous": ("position", "velocity"),
    "Acrobot": ("cos_1", "sin_1", "cos_2", "sin_2", "angular_velocity_1", "angular_velocity_2"),
    "Pendulum": ("cos", "sin", "angular_velocity"),
}


class ClassicControlEnvironment(Environment):
    """CartPole, MountainCar (also continuous), Acrobot, Pendulum.

    Observations are the state as float32 [D], or with ObservationType = pixels the rendered
    picture as a frame: grey uint8 [1, H, W], or with FrameColour = rgb [3, H, W]. There is no
    emulator, hence no frame skip and no sticky action: FrameSkip and StickyAction do not apply, one
    step is one step of the physics.
    Continuous actions are laid out between their bounds, and clipped to them, here.

    Attributes:
        simulator: Gymnasium's own environment, without its wrappers.
        num_steps: of this episode.
    """

    def __init__(self, section: EnvironmentSection) -> None:
        """Build the simulator that `section.env_id` names.

        Raises:
            ConfigurationError: no such id, or the package that draws is missing.
        """
        # pygame, which draws, would greet on standard output and look for a display.
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
        registered = _registration(section.env_id)
        made: Any = gymnasium.make(registered, render_mode="rgb_array", disable_env_checker=True)
        self.simulator = made.unwrapped
        cap = section.max_episode_steps
        self._max_steps = registered.max_episode_steps if cap == "auto" else cap
        self._sees_pixels = section.observes_pixels
        self._colour = section.frame_colour
        self._height, self._width = section.frame_height, section.frame_width
        self.num_steps = 0

        acted = self.simulator.action_space
        self._reach = action_map(acted, section.action_mapping)
        self.action_space = (
            policy_space(acted, self._reach) if isinstance(acted, gymnasium.spaces.Box) else acted
        )
        space: gymnasium.spaces.Box = self.simulator.observation_space
        if self._sees_pixels:
            channels = 3 if self._colour == "rgb" else 1
            space = gymnasium.spaces.Box(0, 255, (channels, self._height, self._width), np.uint8)
        self.observation_space = space
        self.environment_spec = spec_of(
            section.env_id,
            space,
            acted,
            can_snapshot=True,
            reach=self._reach,
            max_episode_steps=self._max_steps,
            state_names=STATE_NAMES[section.env_id.split("-")[0]],
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; see `gymnasium.Env.reset`."""
        super().reset(seed=seed)
        state, _ = self.simulator.reset(seed=seed)
        self.num_steps = 0
        return self._observation(state), {}

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Apply a choice (int) or a continuous action (float32 [A]) for one step of the physics."""
        if not self.environment_spec.discrete:
            action = legal_action(self.simulator.action_space, action, self._reach)
        state, reward, terminated, _, _ = self.simulator.step(action)
        self.num_steps += 1
        truncated = self._max_steps is not None and self.num_steps >= self._max_steps
        truncated = truncated and not terminated
        return self._observation(state), float(reward), bool(terminated), truncated, {}

    def render(self) -> NDArray[np.uint8]:
        """Draw the present state, uint8 [h, w, 3].

        Raises:
            ConfigurationError: the package that draws is missing.
        """
        try:
            return np.asarray(self.simulator.render(), np.uint8)
        except gymnasium.error.DependencyNotInstalled as error:
            raise ConfigurationError(
                f"pictures of {self.environment_spec.env_id} need pygame: "
                "pip install 'gymnasium[classic-control]'"
            ) from error

    def state(self) -> Vector:
        """Return what ObservationType = state shows, also where pixels are observed."""
        simulator = self.simulator
        if type(simulator) is AcrobotEnv:
            return as_vector(simulator._get_ob())  # type: ignore[no-untyped-call]
        if type(simulator) is PendulumEnv:
            return as_vector(simulator._get_obs())  # type: ignore[no-untyped-call]
        return as_vector(simulator.state)

    def snapshot(self) -> bytes:
        """Return the physical state, the random stream and the step count."""
        return self.capture()()

    def capture(self) -> TakeSnapshot:
        """Copy the state, and make bytes of it when they are wanted."""
        physical = {
            name: copy(getattr(self.simulator, name))
            for name in PHYSICAL_STATE
            if hasattr(self.simulator, name)
        }
        random, num_steps = generator_state(self.simulator.np_random), self.num_steps

        def packed() -> bytes:
            encoded = {name: encode(value) for name, value in physical.items()}
            state = {"physical": encoded, "random": random, "num_steps": num_steps}
            return pack(self.environment_spec.env_id, state)

        return packed

    def restore(self, snapshot: bytes) -> None:
        """Continue exactly from `snapshot`, in this or in another process."""
        state = unpack(self.environment_spec.env_id, snapshot)
        for name, form in state["physical"].items():
            setattr(self.simulator, name, decode(form))
        restore_generator(self.simulator.np_random, state["random"])
        self.num_steps = state["num_steps"]

    def together(self, environments: Sequence[Environment]) -> Batch | None:
        """Return what steps CartPoles or MountainCars at once, where states are observed."""
        if self._sees_pixels:
            return None
        # Only for those who need it: a worker's environments are stepped one after the other.
        from workers.environments.classic_control.vector_control import batch_of  # noqa: PLC0415

        return batch_of([each for each in environments if isinstance(each, type(self))])

    def close(self) -> None:
        """Close the simulator; again is allowed."""
        self.simulator.close()

    def _observation(self, state: NDArray[Any]) -> Observation:
        if not self._sees_pixels:
            return np.asarray(state, np.float32)
        # OpenCV is loaded only by those who see pixels: it takes more memory than the simulator.
        from workers.environments.parts.preprocessing import picture_frame  # noqa: PLC0415

        return picture_frame(self.render(), self._height, self._width, colour=self._colour)


def _registration(env_id: str) -> gymnasium.envs.registration.EnvSpec:
    """Return gymnasium's registration of a classic-control id."""
    family = {
        name: registered
        for name, registered in gymnasium.registry.items()
        if str(registered.entry_point).startswith(ENTRY_POINT)
    }
    if env_id not in family:
        raise ConfigurationError(
            f"EnvID = {env_id} is not of EnvType = classic_control; there are "
            f"{', '.join(sorted(family))}; any other registered id needs EnvType = gymnasium"
        )
    return family[env_id]
