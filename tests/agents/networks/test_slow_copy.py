"""A slow copy: a moving average of weights and buffers, without gradient."""

import copy
import math

import pytest
import torch
from torch import nn

from agents.networks.slow_copy import SlowCopy, cosine_momentum


class Network(nn.Module):
    """A linear layer, with a buffer of each kind."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.register_buffer("statistic", torch.zeros(2, dtype=torch.float64))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = self.linear(x)
        return output


def moved(network: Network) -> Network:
    """Another network of the same structure, elsewhere."""
    other = copy.deepcopy(network)
    for parameter in other.parameters():
        nn.init.normal_(parameter)
    nn.init.normal_(other.get_buffer("statistic"))
    other.get_buffer("steps").fill_(7)
    return other


def test_it_starts_as_an_equal_copy_that_shares_nothing() -> None:
    network = Network()
    slow = SlowCopy(network)
    x = torch.randn(4, 3)
    assert torch.equal(slow(x), network(x))
    ours = {tensor.data_ptr() for tensor in slow.state_dict().values()}
    assert ours.isdisjoint(tensor.data_ptr() for tensor in network.state_dict().values())


def test_it_carries_no_gradient_and_trains_nothing() -> None:
    network = Network()
    torch.autograd.backward([network(torch.randn(4, 3)).sum()])
    slow = SlowCopy(network)
    x = torch.randn(4, 3, requires_grad=True)
    assert not slow(x).requires_grad
    assert all(not p.requires_grad and p.grad is None for p in slow.parameters())
    assert all(p.requires_grad and p.grad is not None for p in network.parameters())


def test_updates_are_the_recursion_of_the_paper() -> None:
    start = Network()
    slow = SlowCopy(start)
    expected = {name: tensor.clone() for name, tensor in start.state_dict().items()}
    for momentum in (0.9, 0.5, 0.99):
        online = moved(start)
        slow.update(online, momentum)
        for name, tensor in online.state_dict().items():
            average = momentum * expected[name] + (1 - momentum) * tensor
            expected[name] = average if tensor.is_floating_point() else tensor
    for name, tensor in slow.slow.state_dict().items():
        assert tensor.dtype == start.state_dict()[name].dtype
        torch.testing.assert_close(tensor, expected[name])
    assert expected["steps"].item() == 7


def test_momentum_one_stays_and_momentum_zero_copies() -> None:
    start = Network()
    online = moved(start)
    still, follower = SlowCopy(start), SlowCopy(start)
    still.update(online, 1.0)
    follower.update(online, 0.0)
    for name, parameter in online.named_parameters():
        assert torch.equal(still.slow.get_parameter(name), start.get_parameter(name))
        assert torch.equal(follower.slow.get_parameter(name), parameter)


def test_tensors_stay_where_they_are_and_the_online_module_is_not_touched() -> None:
    start = Network()
    slow, online = SlowCopy(start), moved(start)
    before = copy.deepcopy(online.state_dict())
    pointers = [tensor.data_ptr() for tensor in slow.state_dict().values()]
    slow.update(online, 0.5)
    assert [tensor.data_ptr() for tensor in slow.state_dict().values()] == pointers
    assert all(torch.equal(tensor, before[name]) for name, tensor in online.state_dict().items())


def test_its_state_travels_with_the_module_it_is_part_of() -> None:
    owner, other = nn.ModuleList([SlowCopy(Network())]), nn.ModuleList([SlowCopy(Network())])
    other.load_state_dict(owner.state_dict())
    x = torch.randn(4, 3)
    assert torch.equal(other[0](x), owner[0](x))


def test_a_module_of_another_structure_is_refused() -> None:
    slow = SlowCopy(Network())
    with pytest.raises(ValueError, match=r"differ in structure: .*module\.linear\.weight"):
        slow.update(nn.ModuleDict({"module": Network()}), 0.5)


def test_the_momentum_follows_half_a_cosine_from_its_base_to_one() -> None:
    for k in range(11):
        expected = 1 - (1 - 0.99) * (math.cos(math.pi * k / 10) + 1) / 2
        assert cosine_momentum(0.99, k / 10) == pytest.approx(expected)
    assert cosine_momentum(0.99, 0.0) == pytest.approx(0.99)
    assert cosine_momentum(0.99, 0.5) == pytest.approx(0.995)
    assert cosine_momentum(0.99, 1.0) == 1.0


def test_a_run_that_goes_on_beyond_its_end_keeps_the_momentum_of_one() -> None:
    assert cosine_momentum(0.99, 1.7) == 1.0
