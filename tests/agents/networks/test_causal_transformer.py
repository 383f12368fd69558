"""The transformer: no step knows a later one, and a step by itself is that of the sequence."""

import pytest
import torch

from agents.networks.causal_transformer import CausalTransformer

B, T, SIZE, H, LAYERS = 2, 5, 3, 8, 2


def make(length: int = T) -> CausalTransformer:
    return CausalTransformer(SIZE, H, num_layers=LAYERS, num_heads=2, length=length)


def test_a_gradient_reaches_no_later_step() -> None:
    inputs = torch.randn(B, T, SIZE, requires_grad=True)
    features, _ = make()(inputs)
    for t in range(T):
        (gradient,) = torch.autograd.grad(features[:, t].square().sum(), inputs, retain_graph=True)
        assert gradient[:, : t + 1].abs().amax(dim=(0, 2)).gt(0).all()
        assert not gradient[:, t + 1 :].any()


def test_steps_with_keys_and_values_kept_are_those_of_the_sequence() -> None:
    network, inputs = make(), torch.randn(B, T, SIZE)
    whole, keys_values = network(inputs)
    assert keys_values.shape == (B, LAYERS, T, 2 * H)
    past = torch.zeros(B, LAYERS, T, 2 * H)
    for t in range(T):
        past_before = past.clone()
        found, past = network.step(inputs[:, t], past, torch.full((B,), t))
        torch.testing.assert_close(found, whole[:, t], rtol=1e-4, atol=1e-5)
        assert torch.equal(past[:, :, t + 1 :], past_before[:, :, t + 1 :])
    torch.testing.assert_close(past, keys_values, rtol=1e-4, atol=1e-5)


def test_what_lies_behind_a_step_is_not_seen() -> None:
    network, inputs = make(), torch.randn(B, SIZE)
    places = torch.tensor([0, 2])
    past = torch.randn(B, LAYERS, T, 2 * H)
    other = past.clone()
    other[0, :, 1:] += 9.0
    other[1, :, 3:] -= 9.0
    one, _ = network.step(inputs, past, places)
    two, _ = network.step(inputs, other, places)
    assert torch.equal(one, two)


def test_positions_matter() -> None:
    inputs = torch.randn(1, 1, SIZE).expand(1, T, SIZE)
    features, _ = make()(inputs)
    assert not torch.isclose(features[:, 0], features[:, 1]).all()


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="6 steps came, and the transformer has positions for 5"):
        make()(torch.zeros(B, T + 1, SIZE))
    with pytest.raises(ValueError, match="3 heads do not divide a width of 8"):
        CausalTransformer(SIZE, H, num_layers=1, num_heads=3, length=T)
