"""Atari games, played on the Arcade Learning Environment without wrappers.

Frames follow Machado et al. 2018 (arXiv 1709.06009) and gymnasium's AtariPreprocessing: the
emulator's own grey screen, the max of the last two raw frames of a step, one resize by area.
"""

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from configs.errors import ConfigurationError
from configs.schema import EnvironmentSection
from workers.environments.atari.games import (
    MONTEZUMA_REVENGE,
    MONTEZUMA_ROOM_ROWS,
    load_ale_py,
    rom_of,
)
from workers.environments.base import Environment, EnvironmentSpec, Observation
from workers.environments.parts.preprocessing import Frame, draw_repeats, resize
from workers.environments.parts.snapshots import (
    decode,
    encode,
    generator_state,
    pack,
    restore_generator,
    unpack,
)
from workers.environments.states import Vector, as_vector

MAX_FRAMES_PER_EPISODE = 108_000  # 30 minutes of play, as in the ids that gymnasium registers
MONTEZUMA_ROOM_ADDRESS = 3  # the RAM byte that holds the room's number
RAM_SIZE = 128  # bytes
NOOP = 0


class AtariEnvironment(Environment):
    """One Atari game: grey frames uint8 [1, H, W], full games, the game's minimal set of actions.

    Frame skip and sticky actions come from the configuration alone. What an id stands for
    elsewhere (ALE/Pong-v5: skip 4 and sticky 0.25; Pong-v4: a random skip) is ignored, so that
    each is done in exactly one place. There are no no-op starts.

    Sticky actions are drawn here, once per emulator frame, and start from the no-op in every
    episode. The emulator's own `repeat_action_probability` does the same, but `cloneState` does
    not hold the action it would repeat, so that an episode could not be continued exactly.

    `reset(seed=...)` seeds that one random stream, later resets continue it. The emulator itself
    draws nothing. Some games carry memory over from one game to the next: a seeded reset of an
    emulator that has been played therefore loads the ROM anew; no other reset loads it.

    Differs from gymnasium's AtariPreprocessing: where a game ends inside the skip, the final
    observation is the last raw frame, not what was left in the buffers by the step before.
    """

    def __init__(self, section: EnvironmentSection) -> None:
        """Build the game that `section.env_id` names.

        Raises:
            ConfigurationError: an unknown game, state observations, or ale-py is missing.
        """
        if section.observation_type == "state":
            raise ConfigurationError("EnvType = atari has pixels only, not ObservationType = state")
        self._rom = rom_of(section.env_id)
        self._frame_skip = section.frame_skip
        self._height, self._width = section.frame_height, section.frame_width
        self._sticky_probability = section.sticky_probability if section.sticky_actions else 0.0
        self._life_done = section.life_done
        cap = section.max_episode_steps
        self._max_steps = MAX_FRAMES_PER_EPISODE // self._frame_skip if cap == "auto" else cap

        self._ale_py = load_ale_py()
        self._ale = self._ale_py.ALEInterface()
        self._ale.setInt("random_seed", 0)
        self._ale.setFloat("repeat_action_probability", 0.0)
        self._has_been_played = False
        self._load()
        self._screen = np.empty(self._ale.getScreenDims(), np.uint8)
        self._screen_before = np.empty_like(self._screen)
        self._actions = [action.value for action in self._ale.getMinimalActionSet()]
        self._last_action = NOOP
        self._num_steps = 0
        self._lives = 0
        self._life_was_lost = False
        self._rooms: tuple[int, ...] = ()
        if self._rom == MONTEZUMA_REVENGE:
            self.room_rows = MONTEZUMA_ROOM_ROWS

        shape = (1, self._height, self._width)
        self.observation_space = gymnasium.spaces.Box(0, 255, shape, np.uint8)
        self.action_space = gymnasium.spaces.Discrete(len(self._actions))
        self.environment_spec = EnvironmentSpec(
            env_id=section.env_id,
            observation_shape=shape,
            observation_dtype="uint8",
            discrete=True,
            num_actions=len(self._actions),
            frame_skip=self._frame_skip,
            can_snapshot=True,
            max_episode_steps=self._max_steps,
            state_names=tuple(f"ram_{address}" for address in range(RAM_SIZE)),
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start a game; after a lost life that ended the episode, go on with the one at hand.

        Differs from baselines' EpisodicLifeEnv, which plays a no-op first: a game that ended in it
        would be counted as one with the next.

        Returns:
            The first frame uint8 [1, H, W], and `info` as in `Environment`.
        """
        super().reset(seed=seed)
        if seed is not None and self._has_been_played:
            self._load()
        elif self._life_was_lost:
            self._last_action = NOOP
            self._life_was_lost = False
            self._ale.getScreenGrayscale(self._screen)
            return self._frame(), self._info()
        self._ale.reset_game()
        self._has_been_played = True
        self._last_action = NOOP
        self._num_steps = 0
        self._lives = self._ale.lives()
        self._life_was_lost = False
        self._rooms = ()
        self._ale.getScreenGrayscale(self._screen)
        return self._frame(), self._info()

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Play an action (its index in the minimal set) for FrameSkip emulator frames.

        Returns:
            The frame uint8 [1, H, W], the raw reward, terminated, truncated, and `info`.
        """
        return self._advance(self._actions[action])

    def render(self) -> NDArray[np.uint8]:
        """Return the emulator's screen, uint8 [h, w, 3]: 210 x 160 in most games."""
        return np.asarray(self._ale.getScreenRGB(), np.uint8)

    def state(self) -> Vector:
        """Return the console's memory, a byte a number."""
        return as_vector(self._ale.getRAM())

    def snapshot(self) -> bytes:
        """Return the emulator's state, the random stream and our own counters."""
        state = {
            "emulator": encode(self._ale.cloneState(include_rng=True).serialize()),
            "random": generator_state(self.np_random),
            "last_action": self._last_action,
            "num_steps": self._num_steps,
            "lives": self._lives,
            "life_was_lost": self._life_was_lost,
            "rooms": list(self._rooms),
        }
        return pack(self.environment_spec.env_id, state)

    def restore(self, snapshot: bytes) -> None:
        """Continue exactly from `snapshot`, in this or in another process."""
        state = unpack(self.environment_spec.env_id, snapshot)
        emulator_state = self._ale_py.ALEState(decode(state["emulator"]))
        self._last_action = state["last_action"]
        # A frame is played between two restores: the state lacks what a freshly loaded machine
        # has only after its first frame, and Q*bert and Tetris went on differently without it.
        self._ale.restoreState(emulator_state)
        self._ale.act(self._last_action)
        self._ale.restoreState(emulator_state)
        self._has_been_played = True
        restore_generator(self.np_random, state["random"])
        self._num_steps = state["num_steps"]
        self._lives = state["lives"]
        self._life_was_lost = state["life_was_lost"]
        self._rooms = tuple(state["rooms"])

    def _load(self) -> None:
        self._ale.loadROM(self._ale_py.roms.get_rom_path(self._rom))
        self._has_been_played = False

    def _advance(self, action: int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        reward, game_over = self._play(action)
        self._num_steps += 1
        truncated = self._num_steps >= self._max_steps and not game_over
        lives = self._ale.lives()
        life_lost = self._life_done and lives < self._lives
        self._lives = lives
        self._life_was_lost = life_lost and not (game_over or truncated)
        info = self._info()
        if self._life_was_lost:
            info["game_over"] = False
        return self._frame(), reward, game_over or life_lost, truncated, info

    def _play(self, action: int) -> tuple[float, bool]:
        """Play FrameSkip frames; return their reward and whether the game ended among them.

        Leaves the max of the last two frames in `_screen`, or the last one if the game ended
        before the skip did.
        """
        ale = self._ale
        final = self._frame_skip - 1
        repeats = draw_repeats(self.np_random, self._sticky_probability, self._frame_skip)
        reward = 0.0
        for index, repeat in enumerate(repeats):
            if not repeat:
                self._last_action = action
            reward += ale.act(self._last_action)
            game_over = ale.game_over(with_truncation=False)
            if game_over:
                break
            if index == final - 1:
                ale.getScreenGrayscale(self._screen_before)
        ale.getScreenGrayscale(self._screen)
        if index == final > 0:
            np.maximum(self._screen, self._screen_before, out=self._screen)
        return reward, game_over

    def _frame(self) -> Frame:
        return resize(self._screen, self._height, self._width)

    def _info(self) -> dict[str, Any]:
        if self._rom != MONTEZUMA_REVENGE:
            return {}
        room = int(self._ale.getRAM()[MONTEZUMA_ROOM_ADDRESS])
        if room not in self._rooms:
            self._rooms = tuple(sorted((*self._rooms, room)))
        return {"rooms": self._rooms, "room": room}
