"""Super Mario Bros.: grey frames, seven actions, the classic reward, the distance walked."""

import re
from typing import Any, Literal, get_args

import gymnasium
import numpy as np
from numpy.typing import NDArray

from configs.errors import ConfigurationError
from configs.schema import EnvironmentSection
from configs.schema import Stage as StageName
from workers.environments.base import Environment, EnvironmentSpec, Observation
from workers.environments.mario.emulator import MarioEmulator
from workers.environments.parts.preprocessing import draw_repeats, grey, resize

RIGHT, LEFT, B, A = 0x80, 0x40, 0x02, 0x01
# The package's SIMPLE_MOVEMENT, in its order.
ACTIONS = (0, RIGHT, RIGHT | A, RIGHT | B, RIGHT | A | B, A, LEFT)
NOOP = ACTIONS[0]
MAX_FRAMES_PER_EPISODE = 108_000  # as in Atari; the game's own clock ends a life long before

_ID = re.compile(r"SuperMarioBros(?:-([1-8])-([1-4])|(RandomStages))?-v([0-3])")

Stage = tuple[int, int]


class MarioEnvironment(Environment):
    """SuperMarioBros-v0 (three lives, all stages), SuperMarioBros-1-1-v0 (one stage, one life).

    SuperMarioBrosRandomStages-v0 plays a stage drawn anew for every game, of all or of those that
    MarioStages names. -v1 to -v3 are other
    graphics. Observations are grey frames uint8 [1, H, W]: the max of the last two raw frames,
    resized by area. `info["metrics"]["distance"]` is the furthest x position of the episode.

    The actions are SIMPLE_MOVEMENT: nothing, right, right+A, right+B, right+A+B, A, left.
    Differs from jcwleo's port: that has the 12 actions of COMPLEX_MOVEMENT, five of which (four
    more leftward ones, down, up) lead away from the goal.

    Sticky actions, if on, are drawn once per raw frame and start from the no-op in every episode.
    Without them, and on fixed stages, the game is deterministic whatever the seed.
    """

    def __init__(self, section: EnvironmentSection) -> None:
        """Build the game that `section.env_id` names.

        Raises:
            ConfigurationError: an unknown id, state observations, or a package is missing.
        """
        if section.observation_type == "state":
            raise ConfigurationError("EnvType = mario has pixels only, not ObservationType = state")
        match = _ID.fullmatch(section.env_id)
        if match is None:
            raise ConfigurationError(
                f"EnvID = {section.env_id} is no game of EnvType = mario; there are "
                "SuperMarioBros-v0, its stages SuperMarioBros-1-1-v0 to SuperMarioBros-8-4-v0, "
                "and SuperMarioBrosRandomStages-v0"
            )
        world, stage, random_stages, rom_version = match.groups()
        self._rom_version = int(rom_version)
        self._draws_stages = random_stages is not None
        fixed = (int(world), int(stage)) if world else None
        self._stages = _stages(section.mario_stages)
        first = self._stages[0] if self._draws_stages else fixed
        self._emulator = MarioEmulator(self._rom_version, first)
        self._emulators: dict[Stage | None, MarioEmulator] = {first: self._emulator}

        self._frame_skip = section.frame_skip
        self._height, self._width = section.frame_height, section.frame_width
        self._sticky_probability = section.sticky_probability if section.sticky_actions else 0.0
        cap = section.max_episode_steps
        self._max_steps = MAX_FRAMES_PER_EPISODE // self._frame_skip if cap == "auto" else cap
        self._life_done = section.life_done
        self._life_was_lost = False
        self._last_action = NOOP
        self._num_steps = 0
        self._distance = 0

        shape = (1, self._height, self._width)
        self.observation_space = gymnasium.spaces.Box(0, 255, shape, np.uint8)
        self.action_space = gymnasium.spaces.Discrete(len(ACTIONS))
        self.environment_spec = EnvironmentSpec(
            env_id=section.env_id,
            observation_shape=shape,
            observation_dtype="uint8",
            discrete=True,
            num_actions=len(ACTIONS),
            frame_skip=self._frame_skip,
            max_episode_steps=self._max_steps,
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start a game; after a lost life that ended the episode, go on with the one at hand.

        Returns:
            The first frame uint8 [1, H, W], and `info` as in `Environment`.
        """
        super().reset(seed=seed)
        going_on = self._life_was_lost and seed is None
        self._life_was_lost = False
        if going_on:
            self._last_action = NOOP
            return resize(grey(self._emulator.screen), self._height, self._width), self._info()
        if self._draws_stages:
            self._draw_stage()
        self._emulator.reset()
        self._last_action = NOOP
        self._num_steps = 0
        self._distance = self._emulator.x_position
        return resize(grey(self._emulator.screen), self._height, self._width), self._info()

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Play an action (its index in ACTIONS) for FrameSkip raw frames.

        Returns:
            The frame uint8 [1, H, W], the classic reward summed over the raw frames, terminated,
            truncated, and `info`. Where a lost life ends the episode, the frame is the last of that
            life, though the emulator stands in the next one.
        """
        buttons = ACTIONS[action]
        emulator = self._emulator
        lives = emulator.lives
        repeats = draw_repeats(self.np_random, self._sticky_probability, self._frame_skip)
        final = self._frame_skip - 1
        reward = 0.0
        screen_before = None
        for index, repeat in enumerate(repeats):
            if not repeat:
                self._last_action = buttons
            frame_reward, game_over = emulator.advance(self._last_action)
            reward += frame_reward
            self._distance = max(self._distance, emulator.x_position)
            life_lost = self._life_done and emulator.lives < lives
            if game_over or life_lost:
                break
            if index == final - 1:
                screen_before = grey(emulator.screen)
        death_screen = emulator.death_screen if life_lost else None
        screen = grey(emulator.screen if death_screen is None else death_screen)
        if screen_before is not None:
            np.maximum(screen, screen_before, out=screen)
        self._num_steps += 1
        truncated = self._num_steps >= self._max_steps and not game_over
        frame = resize(screen, self._height, self._width)
        self._life_was_lost = life_lost and not (game_over or truncated)
        info = self._info()
        if self._life_was_lost:
            info["game_over"] = False
        return frame, reward, game_over or life_lost, truncated, info

    def render(self) -> NDArray[np.uint8]:
        """Return the emulator's screen, uint8 [240, 256, 3]."""
        return self._emulator.screen.copy()

    def close(self) -> None:
        """Switch all emulators off; again is allowed."""
        for emulator in self._emulators.values():
            emulator.close()

    def _draw_stage(self) -> None:
        """Go to one of the stages; each has its own emulator, built when first drawn."""
        stage = self._stages[int(self.np_random.integers(len(self._stages)))]
        if stage not in self._emulators:
            self._emulators[stage] = MarioEmulator(self._rom_version, stage)
        self._emulator = self._emulators[stage]

    def _info(self) -> dict[str, Any]:
        return {"metrics": {"distance": float(self._distance)}}


def _stages(names: Literal["all"] | tuple[StageName, ...]) -> list[Stage]:
    """Return the stages of these names, in the order of the game where all are meant."""
    named = get_args(StageName) if names == "all" else names
    return [(int(world), int(stage)) for world, stage in (name.split("-") for name in named)]
