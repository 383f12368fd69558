"""Whether a model of sequences foresees more than trivial predictions do, on the same windows.

Latents are standardised throughout, so that figures of two models on one dataset compare.
"""

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from agents.dynamics.windows import Window
from agents.losses.mixture_density import mixture_log_likelihood, mixture_mean

if TYPE_CHECKING:
    from agents.dynamics.dynamics import Dynamics

HORIZONS = (1, 5, 15, 50)  # steps of the open loop
LARGEST_LOOP = 64  # windows that the open loop is run on
SMALLEST_VARIANCE = 1e-6  # as the head's smallest deviation: nothing is foreseen better


def judged(model: "Dynamics", window: Window) -> dict[str, Tensor]:
    """Return all figures."""
    return one_step(model, window) | open_loop(model, Window(*(x[:LARGEST_LOOP] for x in window)))


def one_step(model: "Dynamics", window: Window) -> dict[str, Tensor]:
    """Return the negative log-likelihood of the next latent, in nats a dimension.

    Beside it stand two that are fitted to these very samples: "nothing changes", up to a Gaussian
    of the changes' size, and a Gaussian of each dimension that knows nothing of the step. And the
    share of the rewards' variance that is explained.
    """
    found, kept = model.foreseen(window), window.mask
    likelihood = mixture_log_likelihood(*found[:3], window.targets)[kept]
    targets, rewards = window.targets[kept], window.rewards[kept]
    changes = targets - window.latents[kept]
    missed, spread = (found.rewards[kept] - rewards).square().mean(), rewards.var(correction=0)
    return {
        "dynamics/nll": -likelihood.mean(),
        "dynamics/nll_persistence": gaussian_entropy(changes.square().mean(dim=0)),
        "dynamics/nll_gaussian": gaussian_entropy(targets.var(dim=0, correction=0)),
        "dynamics/reward_explained": torch.where(
            spread > 0, 1.0 - missed / torch.where(spread > 0, spread, 1.0), 0.0
        ),
    }


def open_loop(model: "Dynamics", window: Window) -> dict[str, Tensor]:
    """Return the mean squared error after 1, 5, 15, 50 steps without looking, as far as T reaches.

    The model sees the first steps of a window, then the expectations of its own predictions under
    the actions that were taken. "Nothing changes" stands beside it. Windows that end before a
    horizon do not count for it; where all do, its figures are NaN.
    """
    T = window.mask.shape[1]
    horizons = [horizon for horizon in HORIZONS if horizon <= T]
    if not horizons:
        return {}
    seen = T + 1 - horizons[-1]
    inputs = torch.cat([window.latents, window.actions], dim=-1)
    hidden, state = model.run(inputs[:, :seen])
    last = window.latents[:, seen - 1]
    prediction = model.predict(hidden[:, -1], last)
    figures = {}
    for horizon in range(1, horizons[-1] + 1):
        step = seen + horizon - 2  # its target is `horizon` steps after the last latent seen
        guess = mixture_mean(*prediction[:2])
        if horizon in horizons:
            wanted, kept = window.targets[:, step], window.mask[:, step]
            figures[f"dynamics/open_loop_{horizon}"] = (guess - wanted)[kept].square().mean()
            figures[f"dynamics/persistence_{horizon}"] = (last - wanted)[kept].square().mean()
        if horizon < horizons[-1]:
            prediction, state = model.advance(guess, window.actions[:, step + 1], state)
    return figures


def gaussian_entropy(variance: Tensor) -> Tensor:
    """Return the mean over D of 1/2 log(2 π e σ²), nats: what the best Gaussian's NLL is.

    Args:
        variance: [D], mean squared distances from the Gaussian's mean.
    """
    return (
        0.5
        * (math.log(2.0 * math.pi * math.e) + variance.clamp_min(SMALLEST_VARIANCE).log()).mean()
    )
