"""What a model of sequences says of the next step, and the task that it is built for."""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

STEPS = 32  # of a window
State = tuple[Tensor, ...]  # what is remembered, [B, ...] each


@dataclass(frozen=True)
class SequenceTask:
    """What is learnt, whatever the network.

    Attributes:
        action_size: A numbers of an action, or choices.
        discrete_actions: whether actions are choices, which enter one-hot.
        steps: T of a window.
        sample_observations: whether latents are drawn anew for each batch, z ~ N(mean, deviation)
            of the encoded dataset.
        difference_targets: whether the head says how much a latent changes, and not what it is.
        num_starts: first latents of episodes that are kept, where dreams may begin.
    """

    action_size: int
    discrete_actions: bool
    steps: int = STEPS
    sample_observations: bool = False
    difference_targets: bool = False
    num_starts: int = 0


class Prediction(NamedTuple):
    """What follows an action: a mixture for each dimension of the next latent, reward, end.

    Attributes:
        log_weights, means, log_deviations: [..., D, K], of standardised latents; `Dynamics.sample`
            and `Dynamics.expected` give latents in the units of the dataset.
        rewards: [...], in the environment's units.
        end_logits: [...], log-odds of the episode coming to its end with this step.
    """

    log_weights: Tensor
    means: Tensor
    log_deviations: Tensor
    rewards: Tensor
    end_logits: Tensor
