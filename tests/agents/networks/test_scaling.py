"""State vectors laid into [-3, 3]."""

import math

import torch

from agents.losses.moments import moments_of
from agents.networks.scaling import BoundScaling, NoScaling, RunningScaling


def test_bounds_map_to_minus_three_and_three_and_their_middle_to_zero() -> None:
    scaling = BoundScaling((-1.2, -0.07), (0.6, 0.07))
    corners = torch.tensor([[-1.2, -0.07], [0.6, 0.07], [-0.3, 0.0]])
    expected = torch.tensor([[-3.0, -3.0], [3.0, 3.0], [0.0, 0.0]])
    torch.testing.assert_close(scaling(corners), expected)


def test_a_dimension_without_finite_bounds_keeps_its_centre() -> None:
    scaling = BoundScaling((-math.inf, -3.4e38, -2.0), (math.inf, 3.4e38, 2.0))
    values = torch.tensor([[5.0, -7.0, 1.0]])
    torch.testing.assert_close(scaling(values), torch.tensor([[15.0, -21.0, 1.5]]))


def test_bounds_are_part_of_the_state_so_a_checkpoint_keeps_them() -> None:
    trained = BoundScaling((-1.0,), (3.0,))
    fresh = BoundScaling((-9.0,), (9.0,))
    fresh.load_state_dict(trained.state_dict())
    torch.testing.assert_close(fresh(torch.tensor([[3.0]])), torch.tensor([[3.0]]))


def test_a_dimension_that_hardly_varies_or_not_at_all_counts_as_without_bounds() -> None:
    scaling = BoundScaling((2.0, 0.0, 1.0), (2.0, 1e-40, math.inf))
    found = scaling(torch.tensor([[2.0, 1e-40, 5.0]]))
    torch.testing.assert_close(found, torch.tensor([[6.0, 0.0, 15.0]]))


def test_running_scaling_takes_out_mean_and_deviation_of_what_was_seen() -> None:
    scaling = RunningScaling(2)
    states = torch.tensor([3000.0, -7e5]) + torch.tensor([40.0, 0.0]) * torch.randn(500, 2)
    scaling.update(moments_of(states))
    found = scaling(states)
    torch.testing.assert_close(found.mean(dim=0), torch.zeros(2), atol=1e-3, rtol=0.0)
    torch.testing.assert_close(found.std(dim=0, correction=0), torch.tensor([1.0, 0.0]))
    assert scaling(torch.tensor([[1e9, -1e9]])).tolist() == [[5.0, -5.0]]
    assert found.dtype == torch.float32


def test_no_scaling_leaves_states_as_they_are() -> None:
    states = torch.randn(4, 3, dtype=torch.float64)
    assert torch.equal(NoScaling()(states), states.float())
