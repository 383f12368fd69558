"""Gymnasium's MuJoCo simulators, such as Hopper: joint states or frames, with exact snapshots."""

import ctypes.util
import logging
import os
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from configs.errors import ConfigurationError
from configs.schema import EnvironmentSection
from workers.environments.base import Environment, Observation
from workers.environments.parts.actions import action_map, policy_space
from workers.environments.parts.preprocessing import picture_frame
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

ENTRY_POINT = "gymnasium.envs.mujoco"
VERSION = "-v5"  # older ones need packages that are no longer made
PICTURES = "rgb_array"
SCREEN_SIDE = 240  # pixels of a picture where states are observed
# Ant and Humanoid reward a move since what was derived a step ago, which MuJoCo's state lacks.
WITH_SNAPSHOTS = (
    "HalfCheetah-v5",
    "Hopper-v5",
    "HumanoidStandup-v5",
    "InvertedDoublePendulum-v5",
    "InvertedPendulum-v5",
    "Pusher-v5",
    "Reacher-v5",
    "Swimmer-v5",
    "Walker2d-v5",
)
GL_LIBRARIES = {"egl": "EGL", "osmesa": "OSMesa"}  # value of MUJOCO_GL -> the library behind it
_LOG = logging.getLogger(__name__)
INSTALL_GL = "apt-get install libegl1 libgl1-mesa-dri, or set MUJOCO_GL=osmesa with libosmesa6"


class MujocoEnvironment(Environment):
    """Hopper-v5 and its relatives.

    Observations are the state as float32 [D], or with ObservationType = pixels its picture, drawn
    at the frame's own size without shadows and reflections, which take most of a drawing's time:
    grey uint8 [1, H, W], or with FrameColour = rgb [3, H, W]. FrameSkip and StickyAction do not
    apply: the simulator's own frame_skip does. Actions are laid out between their bounds, and
    clipped to them, here.

    Attributes:
        num_steps: of this episode.
    """

    def __init__(self, section: EnvironmentSection) -> None:
        """Build the simulator that `section.env_id` names.

        Raises:
            ConfigurationError: no such id, or mujoco or what it draws with is missing.
        """
        self._sees_pixels = section.observes_pixels
        self._size = (section.frame_height, section.frame_width)
        self._colour = section.frame_colour
        drawn = self._size if self._sees_pixels else (SCREEN_SIDE, SCREEN_SIDE)
        registered = _registration(section.env_id)
        self._simulator: Any = _make(registered, *drawn)
        self._is_drawing = False
        cap = section.max_episode_steps
        self._limit = registered.max_episode_steps if cap == "auto" else cap
        self.num_steps = 0
        acted = self._simulator.action_space
        self._reach = action_map(acted, section.action_mapping)
        self.action_space = policy_space(acted, self._reach)
        self.observation_space = self._observed_space()
        self._state = np.zeros(self._simulator.observation_space.shape, np.float32)
        self.environment_spec = spec_of(
            section.env_id,
            self.observation_space,
            acted,
            can_snapshot=section.env_id in WITH_SNAPSHOTS,
            reach=self._reach,
            max_episode_steps=self._limit,
            state_names=_state_names(self._simulator),
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; see `gymnasium.Env.reset`."""
        super().reset(seed=seed)
        self.num_steps = 0
        return self._observation(self._simulator.reset(seed=seed)[0]), {}

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Apply a continuous action, float32 [A]."""
        legal = legal_action(self._simulator.action_space, action, self._reach)
        seen, reward, terminated, _, _ = self._simulator.step(legal)
        self.num_steps += 1
        truncated = self._limit is not None and self.num_steps >= self._limit and not terminated
        return self._observation(seen), float(reward), bool(terminated), truncated, {}

    def render(self) -> NDArray[np.uint8]:
        """Draw the present state, uint8 [h, w, 3].

        Raises:
            ConfigurationError: nothing draws here.
        """
        if not self._is_drawing:
            return self._first_picture()
        return np.ascontiguousarray(self._simulator.render(), np.uint8)

    def state(self) -> Vector:
        """Return the simulator's own observation, also where pixels are observed."""
        return self._state

    def snapshot(self) -> bytes:
        """Return what MuJoCo integrates from, the random stream and the step count."""
        import mujoco  # noqa: PLC0415 - optional

        model, data = self._simulator.model, self._simulator.data
        physics = np.zeros(mujoco.mj_stateSize(model, mujoco.mjtState.mjSTATE_INTEGRATION))
        mujoco.mj_getState(model, data, physics, mujoco.mjtState.mjSTATE_INTEGRATION)
        state = {
            "physics": encode(physics),
            "observed": encode(self._state),
            "random": generator_state(self._simulator.np_random),
            "num_steps": self.num_steps,
        }
        return pack(self.environment_spec.env_id, state)

    def restore(self, snapshot: bytes) -> None:
        """Continue exactly from `snapshot`, in this or in another process."""
        import mujoco  # noqa: PLC0415 - optional

        state = unpack(self.environment_spec.env_id, snapshot)
        model, data = self._simulator.model, self._simulator.data
        mujoco.mj_resetData(model, data)
        physics = decode(state["physics"])
        mujoco.mj_setState(model, data, physics, mujoco.mjtState.mjSTATE_INTEGRATION)
        self._state = decode(state["observed"])
        restore_generator(self._simulator.np_random, state["random"])
        self.num_steps = state["num_steps"]

    def close(self) -> None:
        """Close the simulator; again is allowed."""
        if self._is_drawing:
            self._simulator.close()
            self._is_drawing = False

    def _observed_space(self) -> gymnasium.spaces.Box:
        if self._sees_pixels:
            channels = 3 if self._colour == "rgb" else 1
            return gymnasium.spaces.Box(0, 255, (channels, *self._size), np.uint8)
        space: gymnasium.spaces.Box = self._simulator.observation_space
        return gymnasium.spaces.Box(
            space.low.astype(np.float32), space.high.astype(np.float32), dtype=np.float32
        )

    def _observation(self, seen: Any) -> Observation:
        self._state = as_vector(seen)
        if not self._sees_pixels:
            return self._state
        return picture_frame(self.render(), *self._size, colour=self._colour)

    def _first_picture(self) -> NDArray[np.uint8]:
        """Open what draws, and see that something is drawn: a broken one gives black pictures."""
        import mujoco  # noqa: PLC0415 - optional

        env_id = self.environment_spec.env_id
        try:
            viewer = self._simulator.mujoco_renderer._get_viewer(PICTURES)
            viewer.scn.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = 0
            viewer.scn.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
            picture = np.ascontiguousarray(self._simulator.render(), np.uint8)
        except Exception as error:
            raise ConfigurationError(
                f"{env_id} cannot be drawn here (MUJOCO_GL = {os.environ.get('MUJOCO_GL')}, "
                f"{type(error).__name__}: {error}): {INSTALL_GL}"
            ) from error
        if picture.min() == picture.max():
            raise ConfigurationError(
                f"{env_id} is drawn here as a picture of one colour alone (MUJOCO_GL = "
                f"{os.environ.get('MUJOCO_GL')}): {INSTALL_GL}"
            )
        self._is_drawing = True
        return picture


def _registration(env_id: str) -> gymnasium.envs.registration.EnvSpec:
    """Return gymnasium's registration of a MuJoCo id."""
    family = {
        name: registered
        for name, registered in gymnasium.registry.items()
        if str(registered.entry_point).startswith(ENTRY_POINT) and name.endswith(VERSION)
    }
    if env_id not in family:
        raise ConfigurationError(
            f"EnvID = {env_id} is not of EnvType = mujoco; there are {', '.join(sorted(family))}; "
            "any other registered id needs EnvType = gymnasium"
        )
    return family[env_id]


def _make(registered: gymnasium.envs.registration.EnvSpec, height: int, width: int) -> Any:
    """Make the simulator; it draws nothing yet."""
    # Without a choice of ours gymnasium would ask for a window first.
    os.environ.setdefault("MUJOCO_GL", _drawing_library())
    try:
        _keep_warnings()
        made = gymnasium.make(
            registered,
            render_mode=PICTURES,
            width=width,
            height=height,
            disable_env_checker=True,
        )
    except (gymnasium.error.DependencyNotInstalled, ModuleNotFoundError) as error:
        raise ConfigurationError(
            f"EnvID = {registered.id} needs mujoco: pip install -r requirements-mujoco.txt "
            f"({error})"
        ) from error
    simulator: Any = made.unwrapped
    # Read when the drawing context is made: shadows are nearly all of a picture's time on a CPU.
    simulator.model.vis.quality.shadowsize = 0
    return simulator


def _keep_warnings() -> None:
    """Let MuJoCo's warnings go to the log; by itself it leaves a file in the current folder."""
    import mujoco  # noqa: PLC0415 - optional

    mujoco.set_mju_user_warning(lambda text: _LOG.warning("MuJoCo: %s", text))


def _drawing_library() -> str:
    """Return the value of MUJOCO_GL that can draw without a window; EGL where none is found."""
    for name, library in GL_LIBRARIES.items():
        if ctypes.util.find_library(library):
            return name
    return "egl"


def _state_names(simulator: Any) -> tuple[str, ...]:
    """Name the numbers of an observation: by joints where they are positions and velocities."""
    size = int(np.prod(simulator.observation_space.shape))
    model = simulator.model
    joints = [model.joint(index).name for index in range(model.njnt)]
    names = [f"position_{joint}" for joint in joints] + [f"velocity_{joint}" for joint in joints]
    skipped = len(names) - size
    if model.nq == model.nv == model.njnt and _num_skipped(simulator) == skipped:
        return tuple(names[skipped:])
    return tuple(f"observation_{index}" for index in range(size))


def _num_skipped(simulator: Any) -> int:
    """Return how many of the first positions an observation leaves out."""
    structure: dict[str, int] = getattr(simulator, "observation_structure", {})
    return structure.get("skipped_qpos", 0)
