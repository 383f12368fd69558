"""The gradient's norm in actor, critics and what both share."""

import pytest
import torch
from torch import nn

from agents.steps.gradient_parts import PARTS, PartNorms, part_of
from tests.agents.scripts import draw_script
from tests.agents.small import FRAME, VECTOR, Kind, filled, make_learner

KINDS = {
    "vectors": Kind(VECTOR),
    "frames": Kind(FRAME),
    "memory": Kind(VECTOR, memory="GRU"),
}
KIND_NAMES = pytest.mark.parametrize("name", KINDS)


def reached(policy: nn.Module, loss: torch.Tensor) -> set[str]:
    """The names of the parameters that a loss has a gradient for."""
    named = dict(policy.named_parameters())
    found = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    return {name for name, gradient in zip(named, found, strict=True) if gradient is not None}


@KIND_NAMES
def test_a_part_is_what_its_own_loss_reaches_and_the_others_does_not(name: str) -> None:
    policy = make_learner(KINDS[name], 2).policy
    shape = KINDS[name].rollout_shape(3, 2)
    inputs = filled(draw_script(shape, 0), shape).policy_input(2, slice(0, 2))
    output = policy(inputs)
    of_actor = reached(policy, output.distribution.log_probs.square().sum())
    output = policy(inputs)
    of_critic = reached(policy, (output.value_extrinsic + output.value_intrinsic).sum())
    parts = {part: set[str]() for part in PARTS}
    for each, _ in policy.named_parameters():
        parts[part_of(each, split=False)].add(each)
    assert parts["actor"] == of_actor - of_critic
    assert parts["critic"] == of_critic - of_actor
    assert parts["backbone"] == of_actor & of_critic


def test_the_norms_of_the_parts_are_means_over_steps_and_forgotten() -> None:
    policy = make_learner(Kind(FRAME), 2).policy
    parameters = list(policy.parameters())
    norms = PartNorms(policy, parameters)
    wanted = dict.fromkeys(PARTS, 0.0)
    for scale in (1.0, 3.0):
        for number, parameter in enumerate(parameters):
            parameter.grad = torch.full_like(parameter, scale * (number + 1))
        norms.add(torch.stack([p.grad.norm() for p in parameters if p.grad is not None]))
        for part in PARTS:
            squares = [
                p.grad.square().sum().item()
                for name, p in policy.named_parameters()
                if p.grad is not None and part_of(name, split=False) == part
            ]
            wanted[part] += sum(squares) ** 0.5 / 2
    found = norms.figures()
    assert {name: value.item() for name, value in found.items()} == pytest.approx(
        {f"gradient/{part}": value for part, value in wanted.items()}
    )
    assert norms.figures() == {}


def test_a_policy_that_shares_nothing_has_no_norm_of_a_backbone() -> None:
    policy = make_learner(Kind(VECTOR), 2).policy
    policy(torch.zeros(2, 3)).value_extrinsic.sum().backward()
    norms = PartNorms(policy, list(policy.parameters()))
    norms.add(torch.stack([p.grad.norm() for p in policy.parameters() if p.grad is not None]))
    assert set(norms.figures()) == {"gradient/critic"}


def test_a_model_of_the_users_tells_nothing_of_its_parts() -> None:
    policy = nn.Linear(3, 2)
    norms = PartNorms(policy, list(policy.parameters()))
    policy(torch.ones(1, 3)).sum().backward()
    norms.add(torch.ones(2))
    assert norms.figures() == {}


def test_with_a_backbone_for_each_the_other_one_is_the_actors() -> None:
    assert part_of("backbone.encoder.network.0.weight", split=True) == "actor"
    assert part_of("critic_backbone.encoder.network.0.weight", split=True) == "critic"
    assert part_of("backbone.encoder.network.0.weight", split=False) == "backbone"
