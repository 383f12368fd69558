"""Batch normalisation against torch's own; several ranks: test_heads_in_ranks.py."""

import pytest
import torch
from torch import Tensor, nn

from agents.networks.batch_norm import GlobalBatchNorm

B, D = 11, 5


def gradients(norm: nn.Module, x: Tensor, weights: Tensor) -> list[Tensor]:
    """Gradients of a weighted sum of the output by the input and the parameters."""
    x = x.clone().requires_grad_()
    return list(torch.autograd.grad((norm(x) * weights).sum(), [x, *norm.parameters()]))


@pytest.mark.parametrize("affine", [True, False])
def test_value_and_gradient_are_those_of_torch_in_training(affine: bool) -> None:
    ours, theirs = GlobalBatchNorm(D, affine=affine), nn.BatchNorm1d(D, affine=affine)
    if affine:
        for norm in (ours, theirs):
            norm.load_state_dict(
                {"weight": torch.arange(1.0, D + 1), "bias": torch.arange(0.0, D)}, strict=False
            )
    x, weights = 2 * torch.randn(B, D) + 3, torch.randn(B, D)
    torch.testing.assert_close(ours(x), theirs(x))
    expected = gradients(theirs, x, weights)
    found = gradients(ours, x, weights)
    assert len(found) == (3 if affine else 1)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_it_starts_as_torchs_own_and_has_no_buffers() -> None:
    ours, theirs = GlobalBatchNorm(D), nn.BatchNorm1d(D)
    assert list(ours.buffers()) == []
    assert ours.eps == theirs.eps
    for name, parameter in ours.named_parameters():
        assert torch.equal(parameter, theirs.get_parameter(name))
    assert list(GlobalBatchNorm(D, affine=False).parameters()) == []


def test_training_and_evaluation_mode_are_the_same() -> None:
    norm = GlobalBatchNorm(D)
    x = torch.randn(B, D)
    assert torch.equal(norm.train()(x), norm.eval()(x))


def test_a_mean_far_from_zero_does_no_harm() -> None:
    norm = GlobalBatchNorm(D)
    x = torch.randn(300, D)
    torch.testing.assert_close(norm(x + 1000.0), norm(x), rtol=0.0, atol=1e-3)


def test_a_feature_that_does_not_vary_is_its_bias_and_so_is_a_single_sample() -> None:
    norm = GlobalBatchNorm(D)
    nn.init.constant_(norm.get_parameter("bias"), 0.5)
    assert (norm(torch.full((B, D), 8.0)) == 0.5).all()
    assert (norm(torch.randn(1, D)) == 0.5).all()


def test_autocast_leaves_the_statistics_in_float32() -> None:
    norm = GlobalBatchNorm(D)
    x = (torch.randn(B, D) + 100.0).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        normalized = norm(x)
    assert normalized.dtype == torch.float32
    assert torch.equal(normalized, norm(x.float()))


@pytest.mark.parametrize("affine", [True, False])
def test_another_width_is_refused(affine: bool) -> None:
    with pytest.raises(ValueError, match="5 features where 1 are normalised"):
        GlobalBatchNorm(1, affine=affine)(torch.randn(B, D))
