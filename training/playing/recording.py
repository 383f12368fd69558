"""One game of an evaluation, kept whole: screens, values, and what it takes to judge it later."""

import logging
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from training.playing.curiosity import Lived, Step
from training.playing.player import Choice, GamePlayer
from workers.environments.base import Environment

Screen = NDArray[np.uint8]  # [H, W, 3], RGB
LONGEST = 108_000  # env steps of a film: the longest game of Atari, frame by frame
FAST = (cv2.IMWRITE_PNG_COMPRESSION, 1)
_LOG = logging.getLogger(__name__)


@dataclass
class Recording:
    """A full game of T env steps; a moment is a screen, of which there are T + 1.

    Attributes:
        lived: what a bonus looks at.
        values_extrinsic, values_intrinsic: [T], of what was seen at the moments 0 .. T-1; not a
            number where nothing is expected.
        scores: [T + 1], so far.
        rooms: [T + 1], those visited so far; empty where the game tells none.
        room: [T + 1], the one at hand, or None.
    """

    lived: Lived
    values_extrinsic: list[float] = field(default_factory=list)
    values_intrinsic: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    rooms: list[tuple[int, ...]] = field(default_factory=list)
    room: list[int | None] = field(default_factory=list)
    _screens: list[NDArray[np.uint8]] = field(default_factory=list)

    _size: tuple[int, int] = (0, 0)  # of the highest and of the widest screen

    @property
    def num_moments(self) -> int:
        """The number of screens, T + 1."""
        return len(self._screens)

    def screen(self, moment: int) -> Screen:
        """Return the screen of a moment, uint8 [H, W, 3], RGB, as it was.

        All have one size: where screens differ, black lies below and to the right.
        """
        screen = np.asarray(cv2.imdecode(self._screens[moment], cv2.IMREAD_COLOR), np.uint8)
        below, right = (most - side for most, side in zip(self._size, screen.shape, strict=False))
        return np.pad(screen, ((0, below), (0, right), (0, 0))) if below or right else screen

    def states(self) -> NDArray[np.float32]:
        """Return the state vectors of all moments, [T + 1, D]."""
        seen = [self.lived.first, *(step.final for step in self.lived.steps)]
        return torch.stack(seen).numpy()

    def add_moment(self, screen: Screen, score: float, info: dict[str, Any]) -> None:
        """Keep what is there to see; screens are packed without loss, to a fiftieth of the room."""
        self._screens.append(cv2.imencode(".png", screen, FAST)[1])
        self._size = (max(self._size[0], screen.shape[0]), max(self._size[1], screen.shape[1]))
        self.scores.append(score)
        self.rooms.append(tuple(info.get("rooms", ())))
        self.room.append(info.get("room"))

    def add_step(self, choice: Choice, step: Step) -> None:
        """Keep what was done and expected, and what came of it."""
        self.values_extrinsic.append(float(choice.value_extrinsic))
        self.values_intrinsic.append(float(choice.value_intrinsic))
        self.lived.steps.append(step)


@runtime_checkable
class Expecting(GamePlayer, Protocol):
    """A player that says what it expects."""

    def decide(self, memory: Any) -> Choice:
        """Return what is done in the face of what `memory` remembers, and what is expected."""


def record_game(
    environment: Environment, player: GamePlayer, seed: int, longest: int = LONGEST
) -> Recording:
    """Play one full game and record it; lost lives that end an episode do not end the game.

    Args:
        environment: played from a reset with `seed`.
        player: decides.
        seed: of the environment.
        longest: env steps after which the game is cut.
    """
    observation, info = environment.reset(seed=seed)
    first = torch.from_numpy(observation).clone()
    recording = Recording(Lived(first))
    recording.add_moment(environment.render(), 0.0, info)
    frames = player.remember(first.unsqueeze(0))
    over, score = False, 0.0
    while not over:
        choice = _decided(player, frames)
        seen, reward, terminated, truncated, info = environment.step(choice.actions[0].numpy())
        if len(recording.lived.steps) + 1 == longest and not terminated:
            _LOG.warning("the film is cut after %d env steps: its game has not ended", longest)
            truncated, info = True, {**info, "game_over": True}
        ended = terminated or truncated
        over = ended and info.get("game_over", True)
        score += float(reward)
        recording.add_moment(environment.render(), score, info)
        final = torch.from_numpy(seen).clone()
        if ended and not over:
            seen, _ = environment.reset()
        newest = torch.from_numpy(seen).clone()
        step = Step(choice.actions[0], newest, final, bool(terminated), bool(truncated))
        recording.add_step(choice, step)
        frames.push(
            newest.unsqueeze(0).to(player.device), torch.tensor([ended], device=player.device)
        )
    return recording


def _decided(player: GamePlayer, memory: Any) -> Choice:
    """Return what is done, and what a policy with critics expects."""
    if isinstance(player, Expecting):
        return player.decide(memory)
    nothing = torch.full((1,), torch.nan)
    return Choice(player.act(memory), nothing, nothing)
