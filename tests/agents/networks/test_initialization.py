"""Orthogonal starts."""

import pytest
import torch
from beartype import beartype
from jaxtyping import TypeCheckError, jaxtyped
from torch import nn

from agents.networks.initialization import orthogonal_


@pytest.mark.parametrize(
    "layer", [nn.Linear(7, 3), nn.Linear(3, 7), nn.Conv2d(2, 5, 3), nn.Conv2d(1, 12, 2)]
)
def test_rows_or_columns_are_orthogonal_and_of_length_gain(layer: nn.Linear | nn.Conv2d) -> None:
    if isinstance(layer, nn.Linear):
        assert orthogonal_(layer, 1.5) is layer
    else:
        assert orthogonal_(layer, 1.5) is layer
    matrix = layer.weight.detach().flatten(1).double()
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    identity = torch.eye(wide.shape[0], dtype=torch.float64)
    torch.testing.assert_close(wide @ wide.T, 1.5**2 * identity, rtol=0.0, atol=1e-5)
    assert layer.bias is not None
    assert (layer.bias == 0).all()


def test_a_gain_of_zero_gives_zeros() -> None:
    layer = orthogonal_(nn.Linear(4, 4), 0.0)
    assert (layer(torch.randn(2, 4)) == 0).all()


def test_a_layer_without_bias_is_started_too() -> None:
    assert orthogonal_(nn.Linear(4, 4, bias=False), 1.0).bias is None


def test_a_layer_whose_weight_is_no_matrix_is_refused() -> None:
    with pytest.raises(TypeCheckError):
        jaxtyped(typechecker=beartype)(orthogonal_)(nn.LayerNorm(4), 1.0)  # type: ignore[type-var]  # the refusal is tested
