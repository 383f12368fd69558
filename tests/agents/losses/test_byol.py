"""BYOL's regression loss."""

import math

import pytest
import torch
from beartype import beartype
from jaxtyping import TypeCheckError, jaxtyped
from torch import Tensor

from agents.losses.byol import regression_loss

B, D = 7, 5


def slow_loss(prediction: Tensor, target: Tensor) -> float:
    """2 - 2 <q, z'> / (‖q‖ ‖z'‖), sample by sample."""
    total = 0.0
    for q, z in zip(prediction.tolist(), target.tolist(), strict=True):
        product = sum(a * b for a, b in zip(q, z, strict=True))
        lengths = math.sqrt(sum(a * a for a in q)) * math.sqrt(sum(b * b for b in z))
        total += 2 - 2 * product / lengths
    return total / len(prediction)


def test_the_loss_is_two_minus_twice_the_cosine() -> None:
    prediction, target = torch.randn(2, B, D)
    assert regression_loss(prediction, target).item() == pytest.approx(
        slow_loss(prediction, target), rel=1e-5
    )


def test_the_loss_is_zero_where_directions_agree_and_four_where_they_are_opposed() -> None:
    target = torch.randn(B, D)
    assert regression_loss(3 * target, target).item() == pytest.approx(0.0, abs=1e-6)
    assert regression_loss(-target, target).item() == pytest.approx(4.0, rel=1e-6)


def test_neither_length_nor_the_order_of_samples_matters() -> None:
    prediction, target = torch.randn(2, B, D)
    loss = regression_loss(prediction, target)
    scales = torch.rand(2, B, 1) * 100 + 1e-3
    torch.testing.assert_close(regression_loss(prediction * scales[0], target * scales[1]), loss)
    order = torch.randperm(B)
    torch.testing.assert_close(regression_loss(prediction[order], target[order]), loss)


def test_the_gradient_is_at_right_angles_to_the_prediction() -> None:
    prediction = torch.randn(B, D, requires_grad=True)
    target = torch.randn(B, D)
    (gradient,) = torch.autograd.grad(regression_loss(prediction, target), prediction)
    along = (gradient * prediction).sum(dim=1)
    torch.testing.assert_close(along, torch.zeros(B), rtol=0.0, atol=1e-6)
    q, z = prediction.detach(), target
    lengths = q.norm(dim=1, keepdim=True) * z.norm(dim=1, keepdim=True)
    cosine = (q * z).sum(dim=1, keepdim=True) / lengths
    expected = -2 / B * (z / lengths - cosine * q / q.square().sum(dim=1, keepdim=True))
    torch.testing.assert_close(gradient, expected)


def test_a_zero_vector_makes_neither_nan_nor_infinity() -> None:
    prediction = torch.zeros(B, D, requires_grad=True)
    loss = regression_loss(prediction, torch.zeros(B, D))
    (gradient,) = torch.autograd.grad(loss, prediction)
    assert loss.isfinite()
    assert gradient.isfinite().all()


def test_bfloat16_is_widened_first() -> None:
    prediction, target = torch.randn(2, B, D).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        loss = regression_loss(prediction, target)
    assert torch.equal(loss, regression_loss(prediction.float(), target.float()))


def test_projections_of_another_width_are_refused() -> None:
    with pytest.raises(TypeCheckError):
        jaxtyped(typechecker=beartype)(regression_loss)(torch.zeros(B, D), torch.zeros(B, 1))
