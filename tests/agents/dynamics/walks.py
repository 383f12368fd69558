"""Walks of three numbers that actions push, and both models of sequences built small for them."""

from collections.abc import Callable

import torch
from torch import Tensor

from agents.dynamics.causal_transformer import CausalTransformerDynamics
from agents.dynamics.dynamics import Dynamics
from agents.dynamics.latents import LatentEncoder
from agents.dynamics.mdn_rnn import MDNRNN
from agents.dynamics.prediction import SequenceTask
from agents.encoders.objective import Samples
from agents.encoders.preprocessing import VectorPreprocessing
from tests.agents.small import drawn_from

D, A, T = 3, 2, 6
KINDS: dict[str, Callable[[SequenceTask], Dynamics]] = {
    "mdn_rnn": lambda task: MDNRNN(latents(), task, feature_size=16, num_components=3),
    "causal_transformer": lambda task: CausalTransformerDynamics(
        latents(), task, feature_size=16, num_components=2, num_layers=2, num_heads=2
    ),
}


def latents() -> LatentEncoder:
    return LatentEncoder(VectorPreprocessing(D))


def task(
    steps: int = T, *, sample: bool = False, differences: bool = False, discrete: bool = False
) -> SequenceTask:
    return SequenceTask(A, discrete, steps, sample, differences)


def make(kind: str, wanted: SequenceTask | None = None, seed: int = 0) -> Dynamics:
    """Build a model, alike whenever its arguments are."""
    with drawn_from(seed):
        return KINDS[kind](wanted or task()).eval()


def walks(count: int, steps: int = T, *, discrete: bool = False, seed: int = 0) -> Samples:
    """Walk: a damped swing of two numbers that actions push, and a third that follows the first.

    Every other walk ends early, and comes to its own end with its last step.
    """
    generator = torch.Generator().manual_seed(seed)
    position = torch.randn(count, D, generator=generator)
    if discrete:
        actions = torch.randint(0, A, (count, steps), generator=generator)
        pushes = torch.nn.functional.one_hot(actions, A) - 0.5
    else:
        actions = pushes = torch.rand(count, steps, A, generator=generator) - 0.5
    turn = torch.tensor([[0.8, -0.5], [0.5, 0.8]])
    rows = [position]
    for t in range(steps):
        swung = rows[-1][:, :2] @ turn.T + pushes[:, t]
        rows.append(torch.cat([swung, rows[-1][:, :1]], dim=1))
    path = 2.0 * torch.stack(rows, dim=1) + 5.0  # in units of its own
    mask = torch.ones(count, steps, dtype=torch.bool)
    mask[::2, steps // 2 + 1 :] = False
    ends = torch.zeros(count, steps, dtype=torch.bool)
    ends[::2, steps // 2] = True
    return Samples(
        observations=path[:, :-1],
        next_observations=path[:, 1:],
        actions=actions,
        mask=mask,
        deviations=torch.full((count, steps, D), 0.1),
        next_deviations=torch.full((count, steps, D), 0.1),
        rewards=path[:, 1:, 0] - 5.0,
        terminations=ends,
    )


def poisoned(samples: Samples) -> Samples:
    """Return the samples with NaN in every floating-point filling, -7 among choices."""
    assert samples.mask is not None
    kept = samples.mask

    def spoil(values: Tensor | None) -> Tensor | None:
        if values is None or values.dtype == torch.bool:
            return values
        bad = torch.nan if values.is_floating_point() else -7
        mask = kept.view(*kept.shape, *[1] * (values.dim() - 2))
        return torch.where(mask, values, torch.tensor(bad, dtype=values.dtype))

    return Samples(*map(spoil, samples))


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
