"""Finished episodes of all ranks: the last hundred, and the rooms visited."""

import json
import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict
from statistics import fmean
from typing import Any

from agents.ranks import Ranks
from workers.shared.protocol import EpisodeSummary

_LOG = logging.getLogger(__name__)
WINDOW = 100  # scores are reported as the mean of the last 100 training episodes


class EpisodeLog:
    """What all ranks' episodes came to; every rank holds the same log.

    Episodes of a lost worker were cut by us, not by the game, and do not count.
    """

    def __init__(self) -> None:
        self._last: deque[dict[str, Any]] = deque(maxlen=WINDOW)
        self._rooms: set[int] = set()
        self.num_episodes = 0

    def exchange(self, finished: Iterable[EpisodeSummary], ranks: Ranks) -> None:
        """Add this rank's `finished` episodes and those of all others (a collective)."""
        local = json.dumps([asdict(episode) for episode in finished if not episode.lost])
        for part in ranks.gather_bytes(local.encode()):
            for episode in json.loads(part):
                self._last.append(episode)
                self._rooms.update(episode["rooms"])
                self.num_episodes += 1
                _LOG.debug("episode %d: %s", self.num_episodes, episode)

    @property
    def mean_score(self) -> float | None:
        """The mean raw score of the last 100 episodes, or None before the first."""
        return fmean(episode["score"] for episode in self._last) if self._last else None

    @property
    def num_last(self) -> int:
        """How many episodes that mean is of."""
        return len(self._last)

    @property
    def full_mean_score(self) -> float | None:
        """The mean raw score of 100 episodes, or None before there are as many."""
        return self.mean_score if len(self._last) == WINDOW else None

    def metrics(self) -> dict[str, float]:
        """Return the charts of the last 100 episodes; empty before the first."""
        mean_score = self.mean_score
        if mean_score is None:
            return {}
        mean_length = fmean(episode["length"] for episode in self._last)
        values = {
            "charts/episodic_return": mean_score,
            "charts/episodic_return_max": max(episode["score"] for episode in self._last),
            "charts/episodic_length": mean_length,
            "charts/episodes": float(self.num_episodes),
            "rollout/ep_rew_mean": mean_score,
            "rollout/ep_len_mean": mean_length,
        }
        if self._rooms:
            last = {room for episode in self._last for room in episode["rooms"]}
            values["atari/rooms_last_100"] = float(len(last))
            values["atari/rooms_total"] = float(len(self._rooms))
        for name in sorted({name for episode in self._last for name in episode["metrics"]}):
            figures = [e["metrics"][name] for e in self._last if name in e["metrics"]]
            values[f"charts/{name}"] = fmean(figures)
        return values

    def state(self) -> str:
        """Return everything as text."""
        return json.dumps([list(self._last), sorted(self._rooms), self.num_episodes])

    def restore(self, state: str) -> None:
        """Continue from what `state` returned."""
        last, rooms, self.num_episodes = json.loads(state)
        self._last.clear()
        self._last.extend(last)
        self._rooms = set(rooms)
