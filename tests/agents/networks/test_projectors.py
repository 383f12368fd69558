"""Heads against their layers one by one."""

import pytest
import torch
from torch import Tensor, nn

from agents.networks.projectors import ExpanderProjector, Projector

B, F = 9, 6


def linear_layers(module: nn.Module) -> list[nn.Linear]:
    return [layer for layer in module.modules() if isinstance(layer, nn.Linear)]


def normalized(x: Tensor) -> Tensor:
    """Batch statistics, γ = 1 and β = 0, as at the start; rectified."""
    return nn.functional.batch_norm(x, None, None, training=True).clamp(min=0)


def test_a_projector_is_linear_normalised_rectified_and_linear() -> None:
    projector, features = Projector(F, 8, 3), torch.randn(B, F)
    one, two = linear_layers(projector)
    expected = normalized(features @ one.weight.T) @ two.weight.T + two.bias
    torch.testing.assert_close(projector(features), expected)
    assert projector(features).shape == (B, projector.feature_size)


def test_an_expander_normalises_every_layer_but_the_last_and_has_no_biases() -> None:
    projector, features = ExpanderProjector(F, (8, 7, 5)), torch.randn(B, F)
    one, two, three = linear_layers(projector)
    hidden = normalized(normalized(features @ one.weight.T) @ two.weight.T)
    torch.testing.assert_close(projector(features), hidden @ three.weight.T)
    assert projector(features).shape == (B, projector.feature_size)
    assert all(layer.bias is None for layer in (one, two, three))


def test_a_single_size_is_a_linear_map() -> None:
    projector, features = ExpanderProjector(F, (4,)), torch.randn(B, F)
    (only,) = linear_layers(projector)
    assert torch.equal(projector(features), features @ only.weight.T)


def test_an_offset_in_the_features_is_normalised_away() -> None:
    """So no bias in the first layer is missed."""
    features = torch.randn(B, F)
    for projector in (Projector(F, 8, 3), ExpanderProjector(F, (8, 3))):
        moved, still = projector(features + 2.0), projector(features)
        torch.testing.assert_close(moved, still, rtol=1e-3, atol=1e-4)


def test_every_parameter_gets_a_gradient() -> None:
    for projector in (Projector(F, 8, 3), ExpanderProjector(F, (8, 8, 3))):
        output: Tensor = projector(torch.randn(B, F))
        torch.autograd.backward([output.square().sum()])
        assert all(p.grad is not None and bool(p.grad.any()) for p in projector.parameters())


def test_projections_are_float32_under_autocast() -> None:
    features = torch.randn(B, F).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        assert Projector(F, 8, 3)(features).dtype == torch.float32
        assert ExpanderProjector(F, (8, 3))(features).dtype == torch.float32


def test_a_projector_without_layers_is_refused() -> None:
    with pytest.raises(ValueError, match="without layers"):
        ExpanderProjector(F, ())
