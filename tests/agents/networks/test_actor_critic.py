"""The policies: the paper's wiring, starts and precision."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from agents.networks.actor_critic import FrameActorCritic, PolicyOutput, VectorActorCritic
from agents.networks.distributions import Categorical, DiagonalGaussian
from agents.networks.scaling import BoundScaling, NoScaling

ActorCritic = FrameActorCritic | VectorActorCritic


def make_frame_policy(
    *, discrete: bool = True, value_init_gain: float = 0.01, intrinsic_head: bool = True
) -> FrameActorCritic:
    return FrameActorCritic(
        4,
        44,
        44,
        conv_channels=(4, 6, 8),
        third_kernel=4,
        hidden_size=16,
        feature_size=12,
        num_actions=5,
        discrete=discrete,
        value_init_gain=value_init_gain,
        intrinsic_head=intrinsic_head,
    )


def make_vector_policy(
    *, discrete: bool = True, value_init_gain: float = 0.01, intrinsic_head: bool = True
) -> VectorActorCritic:
    return VectorActorCritic(
        BoundScaling((-1.0,) * 3, (1.0,) * 3),
        3,
        (8, 8),
        num_actions=5,
        discrete=discrete,
        value_init_gain=value_init_gain,
        intrinsic_head=intrinsic_head,
    )


def observation_of(policy: ActorCritic, batch: int = 7) -> Tensor:
    if isinstance(policy, FrameActorCritic):
        return torch.randint(0, 256, (batch, 4, 44, 44), dtype=torch.uint8)
    return torch.randn(batch, 3)


def output_of(policy: ActorCritic) -> PolicyOutput:
    output: PolicyOutput = policy(observation_of(policy))
    return output


Maker = Callable[..., ActorCritic]
MAKERS = pytest.mark.parametrize("make", [make_frame_policy, make_vector_policy])


def test_the_frame_policy_is_wired_as_in_the_paper() -> None:
    policy = make_frame_policy()
    observation = observation_of(policy)
    x = policy.backbone(observation)
    actor = x + torch.relu(policy.actor_layer.linear(x))
    critic = x + torch.relu(policy.critic_layer.linear(x))
    output = policy(observation)
    logits = policy.action_head.linear(actor)
    torch.testing.assert_close(output.distribution.log_probs, torch.log_softmax(logits, dim=1))
    heads = policy.value_heads
    assert heads.intrinsic is not None
    torch.testing.assert_close(output.value_extrinsic, heads.extrinsic(critic)[:, 0])
    torch.testing.assert_close(output.value_intrinsic, heads.intrinsic(critic)[:, 0])


def test_the_parameters_at_the_papers_sizes_are_the_papers() -> None:
    policy = FrameActorCritic(
        4,
        84,
        84,
        conv_channels=(32, 64, 64),
        third_kernel=4,
        hidden_size=256,
        feature_size=448,
        num_actions=18,
        discrete=True,
        value_init_gain=0.01,
        intrinsic_head=True,
    )
    convolutions = (8 * 8 * 4 * 32 + 32) + (4 * 4 * 32 * 64 + 64) + (4 * 4 * 64 * 64 + 64)
    dense = (6 * 6 * 64 * 256 + 256) + (256 * 448 + 448) + 2 * (448 * 448 + 448)
    heads = (448 * 18 + 18) + 2 * (448 + 1)
    assert sum(p.numel() for p in policy.parameters()) == convolutions + dense + heads


def test_the_vector_policy_and_its_critics_share_no_parameter() -> None:
    policy = make_vector_policy()
    output = output_of(policy)
    loss = output.distribution.entropy().sum()
    used = torch.autograd.grad(loss, list(policy.parameters()), allow_unused=True)
    unused = {
        name.split(".")[0]
        for (name, _), gradient in zip(policy.named_parameters(), used, strict=True)
        if gradient is None
    }
    assert unused == {"value_backbone", "value_heads"}


@MAKERS
def test_the_first_policy_is_nearly_uniform_and_its_values_nearly_zero(make: Maker) -> None:
    output = output_of(make())
    assert (output.distribution.entropy() > math.log(5) - 1e-3).all()
    assert output.value_extrinsic.abs().max() < 0.1
    assert output.value_intrinsic.abs().max() < 0.1


@MAKERS
def test_a_gain_of_zero_starts_all_values_at_zero(make: Maker) -> None:
    output = output_of(make(value_init_gain=0.0))
    assert (output.value_extrinsic == 0).all()
    assert (output.value_intrinsic == 0).all()


@MAKERS
@pytest.mark.parametrize("discrete", [True, False])
@pytest.mark.parametrize("intrinsic_head", [True, False])
def test_every_parameter_gets_a_gradient(make: Maker, discrete: bool, intrinsic_head: bool) -> None:
    policy = make(discrete=discrete, intrinsic_head=intrinsic_head)
    output = output_of(policy)
    action = output.distribution.sample(torch.Generator().manual_seed(0))
    loss = output.distribution.log_prob(action).sum() + output.value_extrinsic.sum()
    if intrinsic_head:
        loss = loss + output.value_intrinsic.sum()
    gradients = torch.autograd.grad(loss, list(policy.parameters()))
    assert all(gradient.isfinite().all() for gradient in gradients)


@MAKERS
def test_without_an_intrinsic_head_its_values_are_zeros(make: Maker) -> None:
    policy = make(intrinsic_head=False)
    output = output_of(policy)
    assert output.value_intrinsic.shape == output.value_extrinsic.shape
    assert (output.value_intrinsic == 0).all()
    assert not any("intrinsic" in name for name, _ in policy.named_parameters())


@MAKERS
def test_a_continuous_policy_starts_with_deviation_one_everywhere(make: Maker) -> None:
    distribution = output_of(make(discrete=False)).distribution
    assert isinstance(distribution, DiagonalGaussian)
    assert distribution.mean.shape == (7, 5)
    assert (distribution.log_std == 0).all()


@MAKERS
def test_outputs_are_float32_under_autocast_and_close_to_those_without(make: Maker) -> None:
    policy = make()
    observation = observation_of(policy)
    wide = policy(observation)
    with torch.autocast("cpu", torch.bfloat16):
        narrow = policy(observation)
    for one, other in zip(narrow[1:3], wide[1:3], strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, other, rtol=0.05, atol=1e-3)
    assert isinstance(narrow.distribution, Categorical)
    torch.testing.assert_close(
        narrow.distribution.log_probs, wide.distribution.log_probs, rtol=0.0, atol=1e-3
    )


@MAKERS
def test_a_sample_is_judged_alike_alone_and_in_a_batch(make: Maker) -> None:
    policy = make()
    observation = observation_of(policy)
    order = torch.randperm(7)
    together, alone = policy(observation), policy(observation[2:3])
    torch.testing.assert_close(alone.value_extrinsic, together.value_extrinsic[2:3])
    shuffled = policy(observation[order])
    torch.testing.assert_close(shuffled.value_intrinsic, together.value_intrinsic[order])


def test_the_hidden_layers_start_orthogonal_with_gain_root_two() -> None:
    policy = make_vector_policy()
    layer = next(m for m in policy.policy_backbone.modules() if isinstance(m, nn.Linear))
    gram = layer.weight.T @ layer.weight
    torch.testing.assert_close(gram, 2 * torch.eye(3), rtol=0.0, atol=1e-5)


def test_a_flag_by_position_is_refused() -> None:
    with pytest.raises(TypeError):
        VectorActorCritic(NoScaling(), 1, (8,), 2, True, 0.0, False)  # type: ignore[call-arg]  # the refusal is what is tested
