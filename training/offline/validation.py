"""Held-out samples, the same each time: the loss, figures and pictures of them."""

import math
from collections.abc import Iterator

import torch

from agents.encoders.objective import Needs, Objective, Pictures, Samples
from agents.ranks import Ranks
from configs.errors import ConfigurationError, NonFiniteError
from training.offline.loader import on_device, part_of, size_of
from training.offline.samples import open_source
from training.offline.steps import Steps
from trajectories.reader import Dataset
from trajectories.sampling import Position

LOSS = "validation/loss"
SHOWN = 8  # pictures
DIAGNOSED = 512  # samples


def held_out(
    dataset: Dataset | None, needs: Needs, *, wanted: int, chunk: int, num_ranks: int, seed: int
) -> Samples | None:
    """Return held-out samples: whole chunks, or one that is smaller.

    Args:
        dataset: the episodes that are held out, if there are any.
        needs: of what is trained.
        wanted: at most so many samples.
        chunk: samples that a loss is taken of at once, of all ranks.
        num_ranks: the samples are dealt to.
        seed: which ones.

    Returns:
        The samples; None where there are too few.
    """
    if dataset is None:
        return None
    for size in _sizes(wanted, chunk, num_ranks):
        try:
            source = open_source(dataset, needs, batch_size=size, seed=seed)
        except ConfigurationError:  # too few for a batch of that size
            continue
        samples, _ = next(source.batches(Position()))
        return samples
    return None


def _sizes(wanted: int, chunk: int, num_ranks: int) -> Iterator[int]:
    """Yield numbers of samples to try: what is wanted, a chunk, and halves of that."""
    whole = wanted // chunk * chunk if wanted >= chunk else wanted // num_ranks * num_ranks
    if whole:
        yield whole
    while chunk >= num_ranks:
        yield chunk - chunk % num_ranks
        chunk //= 2


class Validation:
    """Looks at held-out samples.

    Args:
        steps: what is trained.
        samples: the held-out ones, on the CPU, the same on all ranks; None = there are none.
        chunk: samples that a loss is taken of at once, of all ranks together.
        ranks: all processes.
        seed: of the noise, which is the same each time.
        remedy: what to do about a loss that is not finite, in words.
    """

    def __init__(
        self,
        steps: Steps,
        samples: Samples | None,
        *,
        chunk: int,
        ranks: Ranks,
        seed: int,
        remedy: str,
    ) -> None:
        self._steps = steps
        self._samples = samples
        self._chunk = chunk
        self._ranks = ranks
        self._seed = seed
        self._remedy = remedy

    @property
    def is_possible(self) -> bool:
        """Whether anything is held out."""
        return self._samples is not None

    @torch.no_grad()
    def look(self) -> dict[str, float]:
        """Return the loss and all figures (a collective); nothing where nothing is held out.

        Raises:
            NonFiniteError: the loss is not finite.
        """
        if self._samples is None:
            return {}
        module = self._steps.module.eval()
        try:
            with self._steps.precision():
                found = self._losses(module, self._samples)
                few = on_device(part_of(self._samples, slice(DIAGNOSED)), self._ranks.device)
                figures = {name: float(value) for name, value in module.diagnose(few).items()}
        finally:
            module.train()
        if not math.isfinite(found[LOSS]):
            raise NonFiniteError(f"the loss of held-out samples is {found[LOSS]}; {self._remedy}")
        return found | figures

    @torch.no_grad()
    def pictures(self) -> Pictures | None:
        """Draw some of the samples; None where nothing is drawn."""
        if self._samples is None:
            return None
        module = self._steps.module.eval()
        try:
            few = on_device(part_of(self._samples, slice(SHOWN)), self._ranks.device)
            drawn = module.reconstruct(few)
        finally:
            module.train()
        return None if drawn is None else Pictures(*(each[:SHOWN].float().cpu() for each in drawn))

    def _losses(self, module: Objective, samples: Samples) -> dict[str, float]:
        """Return the mean loss over all chunks, and its parts."""
        device = self._ranks.device
        generator = torch.Generator(device).manual_seed(self._seed)
        sums: dict[str, float] = {}
        firsts = range(0, size_of(samples), self._chunk)
        for first in firsts:
            # Strided, so that the ranks' parts together are the chunk of a single rank.
            rows = slice(
                first + self._ranks.rank,
                min(first + self._chunk, size_of(samples)),
                self._ranks.world_size,
            )
            losses = module(on_device(part_of(samples, rows), device), generator)
            named = {f"validation/{name}": value for name, value in losses.parts.items()}
            named[LOSS] = losses.total  # whatever a part, which may be a label, is called
            for name, value in named.items():
                sums[name] = sums.get(name, 0.0) + float(value)
        # Losses are those of all ranks already; other parts are of a rank's own samples.
        own = torch.tensor(list(sums.values()), dtype=torch.float64)
        mean = self._ranks.sum(own) / (len(firsts) * self._ranks.world_size)
        return dict(zip(sums, mean.tolist(), strict=True))
