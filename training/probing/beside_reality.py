"""A dream beside reality: from a real latent on it sees nothing more, under the same actions."""

import torch
from torch import Tensor

from training.dreaming.dream import Dream, Moment


def dreamt_beside(
    dream: Dream, latents: Tensor, actions: Tensor, *, every: int, generator: torch.Generator
) -> Tensor:
    """Return what is dreamt at each moment of an episode [T + 1, D].

    At moments 0, every, 2 every, ... the dream begins anew at the real latent, with what the model
    remembers of the real way there; from there on it sees its own latents alone.

    Args:
        dream: of the model that learnt such latents.
        latents: [T + 1, D], real ones.
        actions: float32 [T, A] in the environment's units, or choices int64 [T].
        every: moments between two beginnings.
        generator: of what is drawn.
    """
    model = dream.model
    remembered = model.initial_state(1)
    found, moment = [], Moment(latents[:1], remembered)
    for step in range(len(actions)):
        action = actions[step : step + 1]
        if step % every == 0:
            moment = Moment(latents[step : step + 1], remembered)
        found.append(moment.latents[0])
        moment = dream.step(moment, action, [generator]).moment
        _, remembered = model.step(latents[step : step + 1], action, remembered)
    is_begun = len(actions) % every == 0
    found.append(latents[-1] if is_begun else moment.latents[0])
    return torch.stack(found)
