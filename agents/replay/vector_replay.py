"""A replay buffer of state vectors, or features: a step is one row of numbers.

A batch is one gather of whole rows; its parts are views of that.
"""

import torch
from torch import Tensor

from agents.replay.replay import Batch, Step


class VectorReplay:
    """Rows of observation, action, reward, 1 - terminated, next observation, float32.

    Memory that was never written is not taken from the machine.

    Args:
        capacity: steps.
        observation_size: D.
        num_actions: A.
        device: where the rows lie.

    Attributes:
        num_added: env steps that were ever added.
        capacity: steps that it holds at most.
    """

    def __init__(
        self, capacity: int, observation_size: int, num_actions: int, device: torch.device
    ) -> None:
        self.capacity = capacity
        self.num_added = 0
        self._sizes = (observation_size, num_actions, 1, 1, observation_size)
        self._rows = torch.empty(capacity, sum(self._sizes), device=device)

    def start(self, observations: Tensor) -> None:
        """Take nothing: a row holds all of its step."""

    def add(self, step: Step) -> None:
        """Remember a step of all environments that took it, in the order of their numbers."""
        continues = (~step.terminated).float()
        row = torch.cat(
            [
                step.observations,
                step.actions,
                step.rewards.unsqueeze(1),
                continues.unsqueeze(1),
                step.next_observations,
            ],
            dim=1,
        )
        if step.lost.any():
            row = row[step.lived(is_first=self.num_added == 0)]
        begin = self.num_added % self.capacity
        self.num_added += len(row)
        if begin + len(row) <= self.capacity:
            self._rows[begin : begin + len(row)] = row
            return
        places = torch.arange(begin, begin + len(row), device=row.device) % self.capacity
        self._rows[places] = row

    def sample(self, num_batches: int, batch_size: int, stream: torch.Generator) -> list[Batch]:
        """Draw batches of steps, each step as likely as any other, with replacement."""
        size = min(self.num_added, self.capacity)
        places = torch.randint(
            size, (num_batches * batch_size,), generator=stream, device=self._rows.device
        )
        drawn = self._rows.index_select(0, places)
        return [self._batch(rows) for rows in drawn.split(batch_size)]

    def state(self) -> dict[str, Tensor]:
        """Return all that it holds: the rows, the oldest first, and how many there ever were."""
        size = min(self.num_added, self.capacity)
        begin = self.num_added % self.capacity if size == self.capacity else 0
        rows = torch.cat([self._rows[begin:size], self._rows[:begin]])
        return {"rows": rows, "num_added": torch.tensor(self.num_added)}

    def restore(self, state: dict[str, Tensor]) -> bool:
        """Hold what `state` returned; of a larger buffer the newest steps.

        A row lies where it lay, so that a draw means the same row, unless the capacity is another.

        Raises:
            ValueError: its rows have another width.
        """
        rows = state["rows"]
        if rows.shape[1:] != self._rows.shape[1:]:
            raise ValueError(
                f"a step of the replay has {rows.shape[1]} numbers, not {self._rows.shape[1]}"
            )
        added = int(state["num_added"])
        rows = rows[-self.capacity :]
        whole = len(rows) == self.capacity
        begin = added % self.capacity if whole else 0
        self.num_added = added if whole else len(rows)
        self._rows[begin : len(rows)] = rows[: len(rows) - begin]
        self._rows[:begin] = rows[len(rows) - begin :]
        return True

    def _batch(self, rows: Tensor) -> Batch:
        observations, actions, rewards, continues, following = rows.split(self._sizes, dim=1)
        return Batch(observations, actions, rewards.squeeze(1), continues.squeeze(1), following)
