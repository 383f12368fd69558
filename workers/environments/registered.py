"""Any environment registered with Gymnasium: vectors or images, choices or continuous actions."""

import importlib
import inspect
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import load_env_creator
from numpy.typing import NDArray

from configs.errors import ConfigurationError
from configs.schema import EnvironmentSection
from workers.environments.base import Environment, Observation
from workers.environments.spaces import legal_action, spec_of

RENDER_MODE = "rgb_array"
CHANNEL_COUNTS = frozenset({1, 3})


class RegisteredEnvironment(Environment):
    """An id of Gymnasium's registry, or module:id to import the module that registers it.

    Observations are a Box: a vector, flattened to float32 [D], or with ObservationType = pixels
    an image uint8 ([h, w], [h, w, 1 or 3] or [1 or 3, h, w]), as a grey frame uint8 [1, H, W].
    Actions are Discrete or a Box of floats, which is flattened to [A] and clipped to its bounds.
    FrameSkip and StickyAction do not apply; snapshots cannot be had from an unknown simulator.
    """

    def __init__(self, section: EnvironmentSection) -> None:
        """Build the environment that `section.env_id` names.

        Raises:
            ConfigurationError: an unknown id, a missing package, or spaces no agent can use.
        """
        self._simulator = _make(section)
        space = self._simulator.observation_space
        self._sees_pixels = section.observation_type == "pixels"
        self._height, self._width = section.frame_height, section.frame_width
        self.observation_space = _observed_space(section, space)
        self.environment_spec = spec_of(
            section.env_id, self.observation_space, self._simulator.action_space, can_snapshot=False
        )
        self.action_space = _acted_space(self._simulator.action_space)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; see `gymnasium.Env.reset`."""
        super().reset(seed=seed)
        observation, _ = self._simulator.reset(seed=seed, options=options)
        return self._observation(observation), {}

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Apply a choice (int) or a continuous action (float32 [A])."""
        observation, reward, terminated, truncated, _ = self._simulator.step(
            legal_action(self._simulator.action_space, action)
        )
        return self._observation(observation), float(reward), bool(terminated), bool(truncated), {}

    def render(self) -> NDArray[np.uint8]:
        """Return the environment's picture, uint8 [h, w, 3].

        Raises:
            ConfigurationError: it draws none.
        """
        if self._simulator.render_mode != RENDER_MODE:
            raise ConfigurationError(
                f"{self.environment_spec.env_id} draws no pictures (no render mode {RENDER_MODE})"
            )
        picture: Any = self._simulator.render()
        return np.asarray(picture, np.uint8)

    def close(self) -> None:
        """Close the simulator."""
        self._simulator.close()

    def _observation(self, observation: Any) -> Observation:
        if not self._sees_pixels:
            return np.array(observation, np.float32).reshape(-1)
        # OpenCV is loaded only by those who see pixels.
        from workers.environments.preprocessing import grey_frame  # noqa: PLC0415

        return grey_frame(np.asarray(observation), self._height, self._width)


def _make(section: EnvironmentSection) -> gymnasium.Env[Any, Any]:
    """Make the simulator with the configured episode cap and, where it can draw, pictures."""
    module, _, env_id = section.env_id.rpartition(":")
    options: dict[str, Any] = {}
    if section.max_episode_steps != "auto":
        options["max_episode_steps"] = section.max_episode_steps
    try:
        if module:
            importlib.import_module(module)
        if _can_draw(env_id):
            options["render_mode"] = RENDER_MODE
        return gymnasium.make(env_id, disable_env_checker=True, **options)
    except gymnasium.error.DependencyNotInstalled as error:
        raise ConfigurationError(f"EnvID = {section.env_id} needs a package: {error}") from error
    except (gymnasium.error.Error, ImportError) as error:
        raise ConfigurationError(
            f"EnvID = {section.env_id} cannot be made ({error}); an id that a package of yours "
            "registers is written module:id"
        ) from error


def _can_draw(env_id: str) -> bool:
    """Tell whether an environment knows the render mode rgb_array."""
    registered = gymnasium.spec(env_id)
    entry_point = registered.entry_point
    creator: Any = load_env_creator(entry_point) if isinstance(entry_point, str) else entry_point
    modes = getattr(creator, "metadata", {}).get("render_modes", ())
    return RENDER_MODE in modes and "render_mode" in inspect.signature(creator).parameters


def _observed_space(
    section: EnvironmentSection, space: gymnasium.Space[Any]
) -> gymnasium.spaces.Box:
    """Return the space of what the agent sees, or say why it cannot see this."""
    env_id = section.env_id
    if not isinstance(space, gymnasium.spaces.Box):
        raise ConfigurationError(
            f"{env_id} has observations of the kind {type(space).__name__}; the agent sees one "
            "Box: wrap the environment, for instance in gymnasium.wrappers.FlattenObservation, "
            "and register that under an id of your own"
        )
    if section.observation_type == "pixels":
        if not _is_image(space):
            raise ConfigurationError(
                f"{env_id} observes {space}, which is no image: set ObservationType = state, or "
                "wrap it in gymnasium.wrappers.AddRenderObservation and register that"
            )
        shape = (1, section.frame_height, section.frame_width)
        return gymnasium.spaces.Box(0, 255, shape, np.uint8)
    if _is_image(space):
        raise ConfigurationError(f"{env_id} observes images: set ObservationType = pixels")
    with np.errstate(over="ignore"):  # a bound beyond float32 is no bound
        low, high = space.low.ravel().astype(np.float32), space.high.ravel().astype(np.float32)
    return gymnasium.spaces.Box(low, high, dtype=np.float32)


def _is_image(space: gymnasium.spaces.Box) -> bool:
    """Tell whether observations are uint8 [h, w], or [h, w] with 1 or 3 channels at either end."""
    shape = space.shape
    has_channels = len(shape) == 3 and not CHANNEL_COUNTS.isdisjoint((shape[0], shape[-1]))
    return space.dtype == np.uint8 and (len(shape) == 2 or has_channels)


def _acted_space(space: gymnasium.Space[Any]) -> gymnasium.Space[Any]:
    """Return the space of what the agent does: choices from 0, or one row of floats."""
    if isinstance(space, gymnasium.spaces.Discrete):
        return gymnasium.spaces.Discrete(int(space.n))
    return gymnasium.spaces.flatten_space(space)
