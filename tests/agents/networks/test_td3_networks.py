"""Actor and twin critics of TD3: shapes, bounds, and two critics in one."""

import torch
from torch import Tensor, nn

from agents.networks.deterministic_actor import DeterministicActor
from agents.networks.twin_critic import TwinCritic

B, SIZE, SIZES = 5, 4, (8, 6)


def inputs(seed: int = 0) -> Tensor:
    return torch.randn(B, SIZE, generator=torch.Generator().manual_seed(seed))


def one_of(critic: TwinCritic, index: int) -> nn.Sequential:
    """Return one of the two as torch's own layers."""
    layers: list[nn.Module] = []
    for twin in (*critic.layers, critic.head):
        linear = nn.Linear(*twin.weight.shape[1:])
        linear.weight.data = twin.weight[index].t()
        linear.bias.data = twin.bias[index, 0]
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def test_both_values_are_those_of_two_networks_of_their_own() -> None:
    critic = TwinCritic(SIZE, SIZES)
    values = critic(inputs())
    for index in range(2):
        torch.testing.assert_close(values[index], one_of(critic, index)(inputs()).squeeze(1))
    assert not torch.equal(values[0], values[1])


def test_the_first_value_gives_its_gradient_to_the_inputs_alone() -> None:
    critic, seen = TwinCritic(SIZE, SIZES), inputs().requires_grad_()
    first = critic.first(seen)
    torch.testing.assert_close(first, critic(seen)[0])
    (wanted,) = torch.autograd.grad(critic(seen)[0].sum(), seen)
    first.sum().backward()
    assert seen.grad is not None
    torch.testing.assert_close(seen.grad, wanted)
    assert all(parameter.grad is None for parameter in critic.parameters())


def test_weights_start_as_torchs_own_linear_layers_do() -> None:
    torch.manual_seed(0)
    weights = TwinCritic(100, (200,)).layers[0].weight
    assert isinstance(weights, Tensor)
    assert float(weights.abs().max()) <= 0.1
    assert abs(float(weights.std()) - 0.1 / 3**0.5) < 0.003


def test_actions_reach_from_minus_one_to_one() -> None:
    actor = DeterministicActor(SIZE, SIZES, 2)
    actions = actor(1000.0 * inputs())
    assert actions.shape == (B, 2)
    assert float(actions.abs().max()) <= 1.0


def test_under_bfloat16_values_and_actions_are_float32() -> None:
    critic, actor = TwinCritic(SIZE, SIZES), DeterministicActor(SIZE, SIZES, 2)
    with torch.autocast("cpu", torch.bfloat16):
        assert critic(inputs()).dtype is torch.float32
        assert critic.first(inputs()).dtype is torch.float32
        assert actor(inputs()).dtype is torch.float32
