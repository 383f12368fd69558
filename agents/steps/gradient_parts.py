"""How large the gradient is in each part of a policy: actor, critics, what both share."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

PARTS = ("actor", "critic", "backbone")
OF_ACTOR = {"policy_backbone", "actor_layer", "action_head"}
OF_CRITIC = {"value_backbone", "critic_layer", "value_heads", "critic_backbone"}


class PartNorms:
    """Gathers the norms of every parameter's gradient over an update; sums them up at its end.

    Args:
        policy: has an actor and critics. One of the user's own tells nothing of its parts, and
            there are no figures of it.
        parameters: all that are trained, the policy's among them.
    """

    def __init__(self, policy: nn.Module, parameters: Sequence[nn.Parameter]) -> None:
        named = dict(policy.named_parameters())
        split = any("critic_backbone" in name.split(".") for name in named)
        parts = {id(each): part_of(name, split=split) for name, each in named.items()}
        self._parts = [(each, parts.get(id(each))) for each in parameters]
        self._tells = {"actor", "critic"} <= {part for _, part in self._parts}
        self._norms: list[Tensor] = []

    def add(self, norms: Tensor) -> None:
        """Keep the norms [P] of a step, of all parameters that have a gradient, in their order."""
        if self._tells:
            self._norms.append(norms)

    def figures(self) -> dict[str, Tensor]:
        """Return the mean norm of each part over the steps since the last call.

        Call before the gradients of the last step are gone: they tell which parameters had one.
        """
        present = [part for parameter, part in self._parts if parameter.grad is not None]
        kept = [norms for norms in self._norms if len(norms) == len(present)]
        self._norms.clear()
        if not kept:
            return {}
        squares = torch.stack(kept).square()
        belongs = squares.new_tensor([[part == name for name in PARTS] for part in present])
        means = (squares @ belongs).sqrt().mean(dim=0)
        there = zip(PARTS, means.unbind(), strict=True)
        return {f"gradient/{name}": norm for name, norm in there if name in present}


def part_of(name: str, *, split: bool) -> str:
    """Return which of PARTS a policy's parameter belongs to.

    Args:
        name: of the parameter, in the policy.
        split: the critics have a backbone of their own, so that the other one is the actor's.
    """
    words = set(name.split("."))
    if words & OF_ACTOR:
        return "actor"
    if words & OF_CRITIC:
        return "critic"
    return "actor" if split else "backbone"
