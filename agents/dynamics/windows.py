"""Windows of a dataset as a model of sequences takes them: nothing in the fillings, all scaled."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from agents.encoders.objective import Samples, given
from agents.encoders.preprocessing import SMALLEST_DEVIATION


class Window(NamedTuple):
    """B windows of T steps; fillings are 0, and False in the mask.

    Attributes:
        latents: [B, T, D], before each step.
        actions: [B, T, A], embedded.
        targets: [B, T, D], the latents after each step.
        rewards: [B, T], float32.
        terminations: [B, T], bool.
        mask: [B, T], bool, whether the step was lived.
    """

    latents: Tensor
    actions: Tensor
    targets: Tensor
    rewards: Tensor
    terminations: Tensor
    mask: Tensor


def window_of(
    samples: Samples,
    *,
    scaling: nn.Module,
    embed: Callable[[Tensor], Tensor],
    noise: Callable[[Tensor], Tensor] | None,
) -> Window:
    """Return windows of samples.

    Whatever stands in the fillings, NaN too, is replaced by 0 before anything is computed of it:
    an attention of weight 0 to NaN is NaN.

    Args:
        samples: windows [B, T, ...].
        scaling: of latents [N, D].
        embed: of actions [B, T, ...].
        noise: draws N(0, 1) in the shape of its argument, where latents are to be drawn from their
            deviations; a latent is the same as a step's target and as the next one's input.

    Raises:
        ValueError: a field is missing.
    """
    before, after = given(samples, "observations"), given(samples, "next_observations")
    mask = torch.ones_like(before[..., 0], dtype=torch.bool)
    mask = mask if samples.mask is None else samples.mask
    lived = torch.cat([mask[:, :1], mask], dim=1).unsqueeze(-1)  # [B, T + 1, 1]
    rows = torch.cat([before[:, :1], after], dim=1)
    if noise is not None:
        first, rest = given(samples, "deviations")[:, :1], given(samples, "next_deviations")
        rows = rows + torch.cat([first, rest], dim=1) * noise(rows)
    rows = torch.where(lived, rows, 0.0)
    scaled: Tensor = scaling(rows.flatten(0, 1)).unflatten(0, rows.shape[:2])
    scaled = torch.where(lived, scaled.float(), 0.0)
    return Window(
        scaled[:, :-1],
        _kept(embed(_kept(given(samples, "actions"), mask)), mask),
        scaled[:, 1:],
        _kept(given(samples, "rewards"), mask).float(),
        _kept(given(samples, "terminations"), mask).bool(),
        mask,
    )


def change_statistics(window: Window) -> dict[str, Tensor]:
    """Return mean and deviation [D] of how much latents change in a step."""
    changes = (window.targets - window.latents)[window.mask]
    return {
        "change_mean": changes.mean(dim=0),
        "change_deviation": _usable(changes.std(dim=0, correction=0)),
    }


def reward_statistics(window: Window) -> dict[str, Tensor]:
    """Return mean and deviation of the rewards, scalars."""
    rewards = window.rewards[window.mask]
    return {
        "reward_mean": rewards.mean(),
        "reward_deviation": _usable(rewards.std(correction=0)),
    }


def _kept(values: Tensor, mask: Tensor) -> Tensor:
    """Return values [B, T, ...] with fillings of 0."""
    kept = mask.view(*mask.shape, *[1] * (values.dim() - 2))
    return torch.where(kept, values, torch.zeros((), dtype=values.dtype, device=values.device))


def _usable(deviation: Tensor) -> Tensor:
    return torch.where(deviation > SMALLEST_DEVIATION, deviation, 1.0)
