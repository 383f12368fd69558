"""How a policy acts, and a policy that stays as it was while the learner trains."""

import copy
from contextlib import AbstractContextManager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from agents.networks.recurrent_actor_critic import PolicyInput
from agents.ppo.learner import Learner


class Decision(NamedTuple):
    """What the policy chose: actions [n] or [n, A], and [n] each of what learning needs.

    `memory` [n, M] is what a recurrent policy remembers from now on.
    """

    actions: Tensor
    log_probs: Tensor
    values_extrinsic: Tensor
    values_intrinsic: Tensor
    memory: Tensor | None = None


@torch.no_grad()
def decide(
    policy: nn.Module,
    precision: AbstractContextManager[object],
    inputs: PolicyInput,
    generator: torch.Generator,
) -> Decision:
    """Sample actions of `policy` for what it is shown of n environments."""
    with precision:
        output = policy(inputs)
    actions = output.distribution.sample(generator)
    return Decision(
        actions,
        output.distribution.log_prob(actions),
        output.value_extrinsic,
        output.value_intrinsic,
        output.memory,
    )


class EarlierPolicy:
    """Acts with a copy of the learner's policy, which the learner may train meanwhile.

    Args:
        learner: whose policy is copied, on its device.
        generator: the random stream of the actions, apart from the agent's: two threads that drew
            from one would make a run depend on which of them comes first.
    """

    def __init__(self, learner: Learner, generator: torch.Generator) -> None:
        self.generator = generator
        self._learner = learner
        self._policy = copy.deepcopy(learner.policy).requires_grad_(False)
        self._policy.zero_grad(set_to_none=True)

    def act(self, inputs: PolicyInput) -> Decision:
        """Sample actions for what the policy is shown of n environments."""
        precision = self._learner.precision(self.generator.device)
        return decide(self._policy, precision, inputs, self.generator)

    def catch_up(self) -> None:
        """Take over the learner's weights; call while it does not train."""
        self._policy.load_state_dict(self._learner.policy.state_dict())
