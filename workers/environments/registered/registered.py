"""Any environment registered with Gymnasium: vectors or images, choices or continuous actions."""

import functools
import importlib
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import (
    find_highest_version,
    get_env_id,
    load_env_creator,
    parse_env_id,
)
from numpy.typing import NDArray

from configs.errors import ConfigurationError
from configs.schema import EnvironmentSection
from workers.environments.base import Environment, Observation
from workers.environments.families import family_by_name
from workers.environments.parts.actions import ActionMap, action_map, policy_space
from workers.environments.parts.hints import check_is_space
from workers.environments.parts.spaces import legal_action, spec_of
from workers.environments.registered.answers import (
    OLD_INTERFACE,
    ask_reset,
    read_image,
    read_step,
    read_vector,
)
from workers.environments.registered.global_streams import GlobalStreams, layers_of, spaces_of
from workers.environments.registered.images import as_bytes, is_image
from workers.environments.registered.observed import box_of, notes_on, observed_space
from workers.environments.registered.pictures import as_picture
from workers.environments.registered.render_modes import PICTURES, render_modes, render_option
from workers.environments.states import NOTHING, Vector, as_vector, label_source, state_source

ONE_ALONE = "register one environment, of which NumEnv makes as many as you want, not a vector"


class RegisteredEnvironment(Environment):
    """An id of Gymnasium's registry, or module:id to import the module that registers it.

    Observations are a Box: a vector, flattened to float32 [D], or with ObservationType = pixels
    an image ([h, w], [h, w, 1 or 3] or [1 or 3, h, w], bytes or floats; or RGBA), as a frame: grey
    uint8 [1, H, W], or with FrameColour = rgb [3, H, W].
    Actions are Discrete or a Box of floats, which is flattened to [A], laid out between its bounds
    and clipped to them.
    FrameSkip and StickyAction do not apply; snapshots cannot be had from an unknown simulator.
    """

    def __init__(
        self, section: EnvironmentSection, simulator: gymnasium.Env[Any, Any] | None = None
    ) -> None:
        """Build the environment that `section.env_id` names, or take the `simulator` given.

        Raises:
            ConfigurationError: an unknown id, a missing package, or spaces no agent can use.
        """
        self._streams = GlobalStreams.in_place or GlobalStreams(0)  # until a reset has a seed
        with self._streams:
            self._simulator = _make(section) if simulator is None else simulator
        self._draws_globally = _draws_globally(self._simulator)
        for kind in ("observation_space", "action_space"):
            check_is_space(section.env_id, getattr(self._simulator, kind, None), kind)
        space = self._simulator.observation_space
        self._observed_shape = space.shape or ()
        self._sees_pixels = section.observation_type == "pixels"
        self._colour = section.frame_colour
        self._height, self._width = section.frame_height, section.frame_width
        self._seen = box_of(section, space)
        self.observation_space = observed_space(section, self._seen)
        acted = self._simulator.action_space
        self._reach = action_map(acted, section.action_mapping)
        spec = spec_of(
            section.env_id,
            self.observation_space,
            acted,
            can_snapshot=False,
            reach=self._reach,
            max_episode_steps=_episode_limit(self._simulator),
        )
        self._has_state = state_source(self._simulator)
        self._has_labels = label_source(self._simulator)
        self.environment_spec = replace(
            spec,
            notes=notes_on(section, self._seen),
            state_names=() if self._has_state is None else tuple(self._has_state.state_names),
            label_names=() if self._has_labels is None else tuple(self._has_labels.label_names),
        )
        self.action_space = _acted_space(acted, self._reach)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; see `gymnasium.Env.reset`."""
        super().reset(seed=seed)
        if seed is not None:
            self._streams = GlobalStreams(seed, spaces=spaces_of(self._simulator))
            with suppress(
                AttributeError
            ):  # for those that do not hand the seed on; some own theirs
                self._simulator.unwrapped.np_random = np.random.default_rng(seed)
        with self._streams:
            observation = ask_reset(self._simulator, seed, options)
        return self._observation(observation), {}

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Apply a choice (int) or a continuous action (float32 [A])."""
        legal = legal_action(self._simulator.action_space, action, self._reach)
        if self._draws_globally:
            with self._streams:
                answer = self._simulator.step(legal)
        else:
            answer = self._simulator.step(legal)
        observation, reward, terminated, truncated = read_step(answer)
        truncated = truncated and not terminated  # a limit met at an end cuts nothing
        return self._observation(observation), reward, terminated, truncated, {}

    def render(self) -> NDArray[np.uint8]:
        """Return the environment's picture, uint8 [h, w, 3].

        Raises:
            ConfigurationError: it draws none.
        """
        env_id = self.environment_spec.env_id
        if self._simulator.render_mode != PICTURES:
            raise ConfigurationError(f"{env_id} draws no pictures (no render mode {PICTURES})")
        try:
            drawn: Any = self._simulator.render()
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise ConfigurationError(
                f"{env_id} draws no pictures (render() raised {reason})"
            ) from error
        try:
            return as_picture(drawn)
        except ValueError as error:
            raise ConfigurationError(
                f"{env_id} draws no pictures (render() returned {error})"
            ) from error

    def state(self) -> Vector:
        """Return the simulator's own state, where a layer of it tells one; see states.py."""
        return NOTHING if self._has_state is None else as_vector(self._has_state.state())

    def labels(self) -> Vector:
        """Return the simulator's own labels, where a layer of it tells some."""
        return NOTHING if self._has_labels is None else as_vector(self._has_labels.labels())

    def close(self) -> None:
        """Close the simulator."""
        self._simulator.close()

    def _observation(self, observation: Any) -> Observation:
        if not self._sees_pixels:
            return read_vector(observation, self._observed_shape)
        # OpenCV is loaded only by those who see pixels.
        from workers.environments.parts.preprocessing import grey_frame, picture_frame  # noqa: PLC0415

        image = as_bytes(read_image(observation, self._seen), self._seen)
        if self._colour == "rgb":
            picture = as_picture(image)
            return picture_frame(picture, self._height, self._width, colour=self._colour)
        return grey_frame(image, self._height, self._width)


def adapted(simulator: gymnasium.Env[Any, Any]) -> RegisteredEnvironment:
    """Return an environment that was made elsewhere as one of ours; see RegisteredEnvironment.

    An image is shown as a frame of the default size.

    Raises:
        ConfigurationError: spaces no agent can use.
    """
    space = simulator.observation_space
    shows_images = isinstance(space, gymnasium.spaces.Box) and is_image(space)
    section = EnvironmentSection(
        env_type="gymnasium",
        env_id=type(simulator.unwrapped).__name__,
        observation_type="pixels" if shows_images else "state",
    )
    return RegisteredEnvironment(section, simulator)


def _make(section: EnvironmentSection) -> gymnasium.Env[Any, Any]:
    """Make the simulator with the configured episode cap and, where it can draw, pictures."""
    module, _, env_id = section.env_id.rpartition(":")
    options: dict[str, Any] = {}
    if section.max_episode_steps != "auto":
        options["max_episode_steps"] = section.max_episode_steps
    try:
        if module:
            _look_in_current_folder()
            importlib.import_module(module)
        registered = gymnasium.spec(env_id)
        creator = _creator(registered)
        modes = render_modes(creator)
        if modes is None:  # gymnasium would refuse it; pictures are all that it lacks
            without_metadata = functools.partial(creator)
            registered = replace(registered, entry_point=without_metadata)
            return gymnasium.make(registered, disable_env_checker=True, **options)
        drawing: dict[str, Any] = render_option(registered, creator, modes)
        if None in drawing.values():
            with suppress(AssertionError, ValueError):  # a few take no None, and draw
                return gymnasium.make(env_id, disable_env_checker=True, **options, **drawing)
            drawing = {}
        return gymnasium.make(env_id, disable_env_checker=True, **options, **drawing)
    except gymnasium.error.DependencyNotInstalled as error:
        raise ConfigurationError(f"EnvID = {section.env_id} needs a package: {error}") from error
    except (gymnasium.error.Error, ImportError) as error:
        if isinstance(error, ModuleNotFoundError) and not _is_around(error.name or "", module):
            raise ConfigurationError(
                f"EnvID = {section.env_id} needs a package: {error}"
            ) from error
        reason = str(error).rstrip(".")
        raise ConfigurationError(
            f"EnvID = {section.env_id} cannot be made ({reason}); {_advice(module, env_id)}"
        ) from error
    except TypeError as error:
        if "gymnasium.Env" not in str(error):  # else said by gymnasium.make of the class
            raise
        reason = ONE_ALONE if "VectorEnv" in str(error) else OLD_INTERFACE
        raise ConfigurationError(
            f"EnvID = {section.env_id} is no environment of Gymnasium's ({error}): {reason}"
        ) from error


def _advice(module: str, env_id: str) -> str:
    """Say how an id that cannot be made is mended.

    It may be there in another version, be registered for what is not there, be one of another
    family, or not be registered by its module.
    """
    with suppress(gymnasium.error.Error):
        namespace, name, version = parse_env_id(env_id)
        newest = find_highest_version(namespace, name)
        if newest is not None and newest != version:
            prefix = f"{module}:" if module else ""
            newest_id = get_env_id(namespace, name, newest)
            return f"the newest version is EnvID = {prefix}{newest_id}"
    if env_id in gymnasium.registry:
        return "it is registered, and what its entry point imports must be there"
    family = family_by_name(env_id)
    if family is not None and not module:
        return f"it is an id of EnvType = {family}"
    if module in sys.modules:
        place = getattr(sys.modules[module], "__file__", None) or module
        return (
            f"{place} was imported and registers no such id: it must call gymnasium.register at "
            "its top level, not in a function or below __name__"
        )
    return (
        "an id that a package of yours registers is written module:id, with the module in the "
        f"current folder ({Path.cwd()}) or in one that PYTHONPATH names"
    )


def _is_around(missing: str, module: str) -> bool:
    """Tell whether the module that is not there is the one named before the id, or around it."""
    return f"{module}.".startswith(f"{missing}.")


def _look_in_current_folder() -> None:
    """Let modules in the current folder be found, after all others, wherever the program lies."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)


def _episode_limit(simulator: gymnasium.Env[Any, Any]) -> int | None:
    """Return after how many steps Gymnasium's wrappers truncate an episode, None if none does."""
    limits = [
        layer._max_episode_steps
        for layer in layers_of(simulator)
        if isinstance(layer, gymnasium.wrappers.TimeLimit)
    ]
    return min(limits, default=None)


def _draws_globally(simulator: gymnasium.Env[Any, Any]) -> bool:
    """Tell whether a step may draw from a process's one stream: Gymnasium's own never do.

    Those of other environments are put in place at every step, for tens of microseconds.
    """
    return any(
        type(layer).__module__.split(".")[0] != "gymnasium" for layer in layers_of(simulator)
    )


def _creator(registered: gymnasium.envs.registration.EnvSpec) -> Any:
    """Return what makes the environment.

    Raises:
        ImportError: there is nothing of that name.
        ConfigurationError: it makes vectors of environments alone.
    """
    entry_point = registered.entry_point
    if entry_point is None:
        raise ConfigurationError(
            f"EnvID = {registered.id} is no environment of Gymnasium's (it has a "
            f"vector_entry_point alone): {ONE_ALONE}"
        )
    if not isinstance(entry_point, str):
        return entry_point
    try:
        return load_env_creator(entry_point)
    except AttributeError as error:
        raise ImportError(f"its entry point is {entry_point}: {error}") from error


def _acted_space(space: gymnasium.Space[Any], reach: ActionMap) -> gymnasium.Space[Any]:
    """Return the space of what the agent does: choices from 0, or one row of floats."""
    if isinstance(space, gymnasium.spaces.Discrete):
        return gymnasium.spaces.Discrete(int(space.n))
    assert isinstance(space, gymnasium.spaces.Box)  # spec_of refuses anything else
    return policy_space(space, reach)
