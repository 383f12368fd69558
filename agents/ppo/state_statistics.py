"""The statistics that a policy scales its states by, of all ranks.

They are part of the policy: they change after an update, never between acting and learning, and a
checkpoint or an export holds them. Nothing changes them in evaluation.
"""

import torch
from torch import nn

from agents.losses.moments import merge_all, moments_of
from agents.networks.scaling import RunningScaling
from agents.ranks import Ranks
from agents.rollout import RolloutBuffer

CHUNK_SIZE = 1024  # states that are widened at once


def state_statistics(policy: nn.Module) -> RunningScaling | None:
    """Return the policy's scaling if it follows what was seen."""
    scaling = getattr(policy, "scaling", None)
    return scaling if isinstance(scaling, RunningScaling) else None


@torch.no_grad()
def observe_states(policy: nn.Module, rollout: RolloutBuffer, ranks: Ranks) -> None:
    """Add the states of a rollout that were acted on, of all ranks; once per rollout."""
    statistics = state_statistics(policy)
    if statistics is None:
        return
    samples = torch.arange(rollout.rewards.numel(), device=rollout.device)
    parts = [moments_of(rollout.observations(chunk)) for chunk in samples.split(CHUNK_SIZE)]
    statistics.update(ranks.merge(merge_all(parts)))
