"""Sequences cut where episodes begin, and their pieces laid side by side.

Axes: L steps, B sequences, R runs (pieces of sequences that belong to one episode each).
"""

from typing import NamedTuple

import torch
from torch import Tensor


class EpisodeRuns(NamedTuple):
    """The pieces of sequences [L, B] that belong to one episode each; rows are b * L + t.

    Beside each other they take fewer calls than one after the other, and a recurrent layer goes
    along them as a whole: it never meets the start of an episode on its way. What follows the last
    step of a shorter run is filled up with zeros, after which nobody asks.

    Attributes:
        number: R. longest: steps of the longest one.
        of_row, step: [B * L], the run that a row belongs to, and which of its steps it is.
        starts: [L, B], as they were given.
    """

    number: int
    longest: int
    of_row: Tensor
    step: Tensor
    starts: Tensor

    @classmethod
    def within(cls, starts: Tensor) -> "EpisodeRuns":
        """Cut sequences before every start [L, B]."""
        begins = starts.t().clone(memory_format=torch.contiguous_format)
        begins[:, 0] = True
        begins = begins.flatten()
        of_row = begins.cumsum(dim=0) - 1
        first = begins.nonzero().flatten()
        step = torch.arange(len(begins), device=begins.device) - first[of_row]
        return cls(len(first), int(step.max()) + 1, of_row, step, starts)

    def before(self, memory: Tensor) -> Tensor:
        """Return what is remembered before each run, [R, M]: nothing, where an episode begins.

        Args:
            memory: [B, M], before the sequences; a constant: no gradient flows there.
        """
        L = len(self.starts)
        before = memory.new_zeros(self.number, memory.shape[1])
        before[self.of_row[::L]] = memory.detach() * ~self.starts[0].unsqueeze(1)
        return before

    def lay_out(self, rows: Tensor) -> Tensor:
        """Lay what belongs to the steps of sequences [L, B, ...] along runs, [longest, R, ...]."""
        if self.number == self.starts.shape[1]:
            return rows
        by_sequence = rows.transpose(0, 1).flatten(0, 1)
        laid_out = rows.new_zeros(self.longest * self.number, *rows.shape[2:])
        laid_out = laid_out.index_copy(0, self._places, by_sequence)
        return laid_out.view(self.longest, self.number, *rows.shape[2:])

    def take_back(self, outputs: Tensor) -> Tensor:
        """Lay what came of runs [longest, R, ...] along the sequences again, [L, B, ...]."""
        L, B = self.starts.shape
        if self.number == B:
            return outputs
        by_row = outputs.flatten(0, 1).index_select(0, self._places)
        return by_row.view(B, L, *by_row.shape[1:]).transpose(0, 1)

    @property
    def _places(self) -> Tensor:
        """Where rows lie among the steps of all runs, [B * L]."""
        return self.step * self.number + self.of_row
