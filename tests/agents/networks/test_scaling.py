"""State vectors laid into [-3, 3]."""

import math

import torch

from agents.networks.scaling import BoundScaling


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
