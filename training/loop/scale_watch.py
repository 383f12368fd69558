"""Says once that states reach the policy in units that its networks are not made for."""

import logging

import torch
from torch import nn

from agents.networks.scaling import SPAN, BoundScaling, NoScaling
from agents.rollout import RolloutBuffer

FAR = 100 * SPAN  # after scaling
SHOWN = 5  # dimensions that are named
_LOG = logging.getLogger(__name__)


@torch.no_grad()
def far_from_scale(policy: nn.Module, rollout: RolloutBuffer) -> str | None:
    """Return a hint in words, or None where the states of a rollout have a fitting scale.

    Args:
        policy: whose scaling is looked at; running statistics fit by themselves.
        rollout: a full one.
    """
    scaling = getattr(policy, "scaling", None)
    if not isinstance(scaling, BoundScaling | NoScaling):
        return None
    samples = torch.arange(rollout.rewards.numel(), device=rollout.device)
    largest = scaling(rollout.observations(samples)).abs().amax(dim=0)
    far = (largest > FAR).nonzero().flatten().tolist()
    if not far:
        return None
    named = ", ".join(map(str, far[:SHOWN])) + (", ..." if len(far) > SHOWN else "")
    return (
        f"the state's dimensions {named} reach {float(largest.max()):,.0f} where the policy's "
        f"networks are made for about {SPAN:g}: the environment states no bounds within a "
        "million for them, or leaves them. ObservationScaling = running learns their scale"
    )


def say_if_far(policy: nn.Module, rollout: RolloutBuffer) -> None:
    """Log the hint, if there is one."""
    hint = far_from_scale(policy, rollout)
    if hint is not None:
        _LOG.warning("%s", hint)
