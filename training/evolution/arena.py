"""Controllers against seeds: all play at once, on the pools of all ranks.

Axes: P controllers, N parameters, K seeds, n environments of a rank.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.controllers.sight import Sight
from agents.ranks import Ranks
from training.loop.assignments import Assignments
from workers.environment_pool import EnvironmentPool
from workers.shared.protocol import EpisodeSummary, StepBatch

SLICE = 64  # env steps between two looks at whether all go on


@dataclass(frozen=True)
class Played:
    """What came of it: scores float64 and lengths in env steps int64, [P, K]."""

    scores: NDArray[np.float64]
    lengths: NDArray[np.int64]

    @property
    def episodes(self) -> Iterator[EpisodeSummary]:
        """All of them, controller by controller; the environment is the seed's place."""
        for (member, place), score in np.ndenumerate(self.scores):
            length = int(self.lengths[member, place])
            yield EpisodeSummary(place, float(score), length, (), {}, lost=False)


class Arena:
    """Plays every controller on every seed once.

    An environment that has ended an episode takes the next one that waits. What comes of an
    episode does not hang on which environment, worker or rank plays it, nor on what is played
    beside it. One that is lost with its worker is played again.

    Args:
        pool: this rank's environments, made alike, in one group.
        sight: what controllers see.
        ranks: all processes.
        should_stop: whether this rank was asked to stop; asked at every env step.
        tick: told how many of this rank's episodes are done, of how many.
    """

    def __init__(
        self,
        pool: EnvironmentPool,
        sight: Sight,
        ranks: Ranks,
        should_stop: Callable[[], bool],
        tick: Callable[[int, int], None],
    ) -> None:
        self._pool = pool
        self._sight = sight
        self._ranks = ranks
        self._should_stop = should_stop
        self._tick = tick

    def play(self, parameters: NDArray[np.float64], seeds: Sequence[int]) -> Played | None:
        """Play them; None where a rank was asked to stop meanwhile (a collective).

        Args:
            parameters: [P, N].
            seeds: K of them.
        """
        shape = len(parameters), len(seeds)
        total = len(parameters) * len(seeds)
        share = range(self._ranks.rank, total, self._ranks.world_size)
        mine = _Share(self._pool, self._sight, share, parameters, seeds)
        while True:
            stopped = self._play_a_slice(mine)
            state = torch.tensor([float(stopped), float(not mine.is_done)])
            any_stopped, any_left = (self._ranks.sum(state) > 0).tolist()
            if any_stopped:
                return None
            if not any_left:
                break
        scores, lengths = (
            self._ranks.sum(torch.from_numpy(part)).numpy().reshape(shape)
            for part in (mine.scores, mine.lengths)
        )
        return Played(scores, lengths)

    def _play_a_slice(self, share: "_Share") -> bool:
        """Step some times; return whether a stop was asked for."""
        for _ in range(SLICE):
            if share.is_done:
                return self._should_stop()
            if self._should_stop():
                return True
            share.step()
            self._tick(share.num_done, share.num_episodes)
        return False


class _Share:
    """This rank's episodes: number p * K + k is controller p on seed k.

    Attributes:
        scores, lengths: [P * K]; 0 where another rank plays it.
        num_episodes, num_done: of this rank.
    """

    def __init__(
        self,
        pool: EnvironmentPool,
        sight: Sight,
        numbers: Sequence[int],
        parameters: NDArray[np.float64],
        seeds: Sequence[int],
    ) -> None:
        self._pool = pool
        self._seeds = seeds
        self._parameters = torch.from_numpy(parameters).to(sight.device, torch.float32)
        self._work = Assignments(numbers, pool.num_environments)
        self.scores = np.zeros(len(parameters) * len(seeds))
        self.lengths = np.zeros(len(parameters) * len(seeds), np.int64)
        self.num_episodes, self.num_done = len(numbers), 0
        pool.plan_resets(self._work.first_seeds(self._seed_of))
        self._seen = sight.open(torch.from_numpy(pool.reset()))
        self._acting = self._plan()

    @property
    def is_done(self) -> bool:
        """Whether all were played."""
        return self._work.is_done

    def step(self) -> None:
        """Take an env step in all environments."""
        actions = self._seen.act(self._acting).numpy()
        self._pool.send(0, actions)
        batch = self._pool.recv(0)
        ended = batch.terminated | batch.truncated
        self._seen.push(torch.from_numpy(batch.observations), torch.from_numpy(ended))
        if ended.any():
            self._take(batch)
            self._acting = self._plan()

    def _take(self, batch: StepBatch) -> None:
        for episode in batch.episodes:
            number = self._work.end(episode.environment, lost=episode.lost)
            if number is not None:
                self.scores[number], self.lengths[number] = episode.score, episode.length
                self.num_done += 1

    def _plan(self) -> Tensor:
        """Plan the next resets; return who acts in each environment, parameters [n, N]."""
        self._pool.plan_resets(self._work.seeds(self._seed_of))
        return self._parameters[
            [0 if number is None else number // len(self._seeds) for number in self._work.current]
        ]

    def _seed_of(self, number: int) -> int:
        return self._seeds[number % len(self._seeds)]
