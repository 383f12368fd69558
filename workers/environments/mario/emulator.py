"""Super Mario Bros. on the NES emulator: one raw frame at a time, with the classic reward.

Two generations of gym-super-mario-bros are driven alike: 7.4 (Python below 3.13) and 9.1 or
newer. Version 9 changed the reward; the classic one is computed here, so that scores compare.
"""

import importlib
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.errors import ConfigurationError
from workers.environments.mario.legacy import load_legacy_game

REWARD_LIMIT = 15  # per raw frame, as in the package's reward_range
DEATH_PENALTY = 25
# Where a stage or a life begins, x jumps; Mario himself moves at most 3 pixels in a frame.
LARGEST_MOVE = 5
ROM_MODES = ("vanilla", "downsample", "pixel", "rectangle")  # of ids that end in -v0, -v1, ...
FIRST_MODERN_VERSION = 9
INSTALL = (
    "EnvType = mario needs, on Python 3.13 or newer: "
    "pip install 'gym-super-mario-bros>=9.1' 'nes-py>=9'; on an older Python, with a C++ compiler "
    "(g++): pip install --no-deps gym-super-mario-bros==7.4.0 nes-py==8.2.1"
)


class MarioEmulator:
    """One emulator with one game: the whole of it, or a single stage.

    Attributes:
        x_position: Mario's distance from the start of the stage at the last frame, in pixels.
        death_screen: the RGB screen uint8 [240, 256, 3] on which Mario died in the last frame; None
            where he did not.
    """

    def __init__(self, rom_version: int, stage: tuple[int, int] | None) -> None:
        """Switch the emulator on and skip the start screen.

        Args:
            rom_version: 0 to 3, the graphics: vanilla, downsample, pixel, rectangle.
            stage: (world, stage) of a single stage, or None for the whole game.

        Raises:
            ConfigurationError: a package is missing or does not have these graphics.
        """
        try:
            modern = int(version("nes-py").split(".")[0]) >= FIRST_MODERN_VERSION
            if modern:
                make_game = importlib.import_module("gym_super_mario_bros").SuperMarioBrosEnv
            else:
                make_game = load_legacy_game()
        except (PackageNotFoundError, ImportError, OSError) as error:
            raise ConfigurationError(f"{INSTALL} ({error})") from error
        if not modern:
            self._game: Any = make_game(rom_mode=ROM_MODES[rom_version], target=stage)
        elif rom_version == 0:
            self._game = make_game(target=stage)
        else:
            raise ConfigurationError(
                f"gym-super-mario-bros 9 has no graphics '{ROM_MODES[rom_version]}' "
                f"(-v{rom_version}): take the id that ends in -v0, or version 7.4.0 of the package"
            )
        self._is_closed = False
        self._time = 0
        self.x_position = 0
        self.death_screen: NDArray[np.uint8] | None = None

    @property
    def screen(self) -> NDArray[np.uint8]:
        """The RGB screen uint8 [240, 256, 3]: a live view, the next frame overwrites it."""
        return np.asarray(self._game.screen)

    @property
    def lives(self) -> int:
        """Lives that are left beside the present one."""
        return int(self._game._life)

    def reset(self) -> None:
        """Go back to the start of the game or of the stage."""
        self._game.reset()
        self.x_position = int(self._game._x_position)
        self._time = int(self._game._time)

    def advance(self, buttons: int) -> tuple[float, bool]:
        """Play one raw frame with the pressed `buttons` (a bit each).

        Returns:
            The classic reward, and whether the game (or the single stage) is over. After a lost
            life or a finished stage the emulator has been run on to the next moment of play;
            `death_screen` holds what was seen of the life last.
        """
        game = self._game
        game._frame_advance(buttons)
        reward = self._reward()
        over = bool(game._is_game_over)
        if game.is_single_stage_env:
            over = bool(game._is_dying or game._is_dead or game._flag_get)
        has_died = game._is_dying or game._is_dead
        self.death_screen = self.screen.copy() if has_died else None
        game._did_step(over)
        return reward, over

    def close(self) -> None:
        """Switch the emulator off; again is allowed."""
        if not self._is_closed:
            self._is_closed = True
            self._game.close()

    def _reward(self) -> float:
        """Return dx + dt - 25 at death, clipped to [-15, 15] (gym-super-mario-bros 7)."""
        game = self._game
        x_position, time = int(game._x_position), int(game._time)
        move = x_position - self.x_position
        tick = time - self._time
        self.x_position, self._time = x_position, time
        reward = move if abs(move) <= LARGEST_MOVE else 0
        reward += min(tick, 0)
        if game._is_dying or game._is_dead:
            reward -= DEATH_PENALTY
        return float(max(-REWARD_LIMIT, min(REWARD_LIMIT, reward)))
