"""Gymnasium's Box2D simulators: CarRacing and LunarLander, with exact snapshots by replay."""

import math
import os
from typing import Any, Literal

import gymnasium
import numpy as np
from numpy.typing import NDArray

from configs.errors import ConfigurationError
from configs.schema import EnvironmentSection
from workers.environments.base import Environment, Observation
from workers.environments.parts.actions import action_map, policy_space
from workers.environments.parts.replay import EpisodeRecord
from workers.environments.parts.spaces import legal_action, spec_of

CAR_RACING = "CarRacing-v3"
LUNAR_LANDERS = ("LunarLander-v3", "LunarLanderContinuous-v3")
Drawing = Literal["fast", "stock", "none"]


class Box2DEnvironment(Environment):
    """What CarRacing and LunarLander share: actions, limits, frames, snapshots by replay.

    FrameSkip and StickyAction do not apply; ActionRepeat does. Continuous actions are laid out
    between their bounds, and clipped to them, here.

    Attributes:
        simulator: Gymnasium's own environment, without its wrappers.
    """

    state_names: tuple[str, ...]

    def __init__(self, section: EnvironmentSection, simulator: Any, max_steps: int) -> None:
        """Take a `simulator`; `max_steps` is its registered limit."""
        self.simulator = simulator
        cap = section.max_episode_steps
        self._repeat = section.action_repeat
        self._limit = max_steps if cap == "auto" else cap * self._repeat  # of the simulator's steps
        self._size = (section.frame_height, section.frame_width)
        self._colour = section.frame_colour
        self._sees_pixels = section.observes_pixels
        acted = simulator.action_space
        self._reach = action_map(acted, section.action_mapping)
        self.action_space = (
            policy_space(acted, self._reach) if isinstance(acted, gymnasium.spaces.Box) else acted
        )
        self.observation_space = self._observed_space()
        self.environment_spec = spec_of(
            section.env_id,
            self.observation_space,
            acted,
            can_snapshot=True,
            reach=self._reach,
            frame_skip=self._repeat,
            max_episode_steps=math.ceil(self._limit / self._repeat),
            state_names=self.state_names,
        )
        self._record = EpisodeRecord(section.env_id)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; see `gymnasium.Env.reset`."""
        super().reset(seed=seed)
        if seed is not None:
            self.simulator.np_random = np.random.default_rng(seed)  # as gymnasium seeds it
        self._record.begin(self.simulator.np_random)
        return self._observation(self.simulator.reset()[0]), {}

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Apply a choice (int) or a continuous action (float32 [A]), ActionRepeat times.

        The reward is the sum. What the last time shows is observed; the others are not drawn.
        """
        legal = legal_action(self.simulator.action_space, action, self._reach)
        times = max(1, min(self._repeat, self._limit - self._record.num_steps))
        total, ended = 0.0, False
        while times > 0 and not ended:
            times -= 1
            self._record.add(legal)
            take = self._undrawn_step if times else self.simulator.step
            seen, reward, ended, _, _ = take(legal)
            total += float(reward)
        truncated = self._record.num_steps >= self._limit and not ended
        return self._observation(seen), total, bool(ended), truncated, {}

    def snapshot(self) -> bytes:
        """Return the random stream at the episode's start and its actions; see replay.py."""
        return self._record.pack()

    def restore(self, snapshot: bytes) -> None:
        """Play the episode of `snapshot` again, in this or in another process."""
        actions = self._record.unpack(snapshot, self.simulator.np_random)
        self._record.begin(self.simulator.np_random)
        self._replay_reset()
        for action in actions:
            self._record.add(action)
            self._undrawn_step(action)

    def close(self) -> None:
        """Close the simulator; again is allowed."""
        self.simulator.close()

    def _observed_space(self) -> gymnasium.spaces.Box:
        if not self._sees_pixels:
            space: gymnasium.spaces.Box = self.simulator.observation_space
            return space
        channels = 3 if self._colour == "rgb" else 1
        return gymnasium.spaces.Box(0, 255, (channels, *self._size), np.uint8)

    def _observation(self, seen: Any) -> Observation:
        raise NotImplementedError

    def _replay_reset(self) -> None:
        raise NotImplementedError

    def _undrawn_step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Step the simulator without drawing what nobody sees; the last observation is whole."""
        raise NotImplementedError


def make_box2d(section: EnvironmentSection) -> Box2DEnvironment:
    """Build the environment that `section.env_id` names.

    Raises:
        ConfigurationError: no such id, or Box2D or pygame is missing.
    """
    # pygame, which draws, would greet on standard output and look for a display.
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    env_id = section.env_id
    if env_id not in (CAR_RACING, *LUNAR_LANDERS):
        raise ConfigurationError(
            f"EnvID = {env_id} is not of EnvType = box2d; there are {CAR_RACING}, "
            f"{', '.join(LUNAR_LANDERS)}; any other registered id needs EnvType = gymnasium"
        )
    try:
        if env_id == CAR_RACING:
            from workers.environments.box2d.car_racing import CarRacingEnvironment  # noqa: PLC0415

            return CarRacingEnvironment(section)
        from workers.environments.box2d.lunar_lander import LunarLanderEnvironment  # noqa: PLC0415

        return LunarLanderEnvironment(section)
    except (gymnasium.error.DependencyNotInstalled, ModuleNotFoundError) as error:
        raise ConfigurationError(
            f"EnvID = {env_id} needs Box2D and pygame: pip install box2d pygame-ce ({error})"
        ) from error


def is_continuous(section: EnvironmentSection, *, of_the_id: bool) -> bool:
    """Return whether actions are continuous: as ActionSpace says, or as the id does."""
    if section.action_space == "auto":
        return of_the_id
    return section.action_space == "continuous"


def registered_limit(env_id: str) -> int:
    """Return after how many steps Gymnasium truncates an episode."""
    limit = gymnasium.spec(env_id).max_episode_steps
    assert limit is not None  # those of this family have one
    return limit


def rgb_picture(drawn: Any) -> NDArray[np.uint8]:
    """Return what a simulator drew, uint8 [h, w, 3], in memory of its own."""
    return np.ascontiguousarray(drawn, np.uint8)
