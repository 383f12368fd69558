"""RND's error and its masked mean."""

import pytest
import torch
from beartype import beartype
from jaxtyping import TypeCheckError, jaxtyped

from agents.losses.rnd import masked_mean, prediction_error

B, D = 12, 5


def test_the_error_is_the_mean_over_features_of_the_squared_difference() -> None:
    predicted, target = torch.randn(2, B, D, dtype=torch.float64)
    error = prediction_error(predicted, target)
    for b in range(B):
        total = sum((float(predicted[b, d]) - float(target[b, d])) ** 2 for d in range(D))
        assert error[b].item() == pytest.approx(total / D)


def test_a_perfect_predictor_earns_no_bonus() -> None:
    target = torch.randn(B, D)
    assert (prediction_error(target, target) == 0).all()


def test_shares_with_the_global_count_add_up_to_the_whole_in_value_and_gradient() -> None:
    predicted = torch.randn(B, D, dtype=torch.float64, requires_grad=True)
    target = torch.randn(B, D, dtype=torch.float64)
    kept = torch.tensor([0, 3, 4, 9, 11])
    total = torch.tensor(len(kept))

    def loss_of(rows: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
        return masked_mean(prediction_error(predicted[rows], target[rows]), count)

    whole = loss_of(kept, total)
    shares = loss_of(kept[:1], total) + loss_of(kept[1:], total)
    torch.testing.assert_close(whole, prediction_error(predicted, target)[kept].mean())
    torch.testing.assert_close(shares, whole)
    (one,) = torch.autograd.grad(shares, predicted)
    (other,) = torch.autograd.grad(whole, predicted)
    torch.testing.assert_close(one, other)


def test_a_count_shared_out_over_ranks_may_be_a_fraction_below_one() -> None:
    assert masked_mean(torch.tensor([3.0]), torch.tensor(0.25)).item() == 12.0


def test_nothing_kept_is_no_loss_and_no_nan() -> None:
    assert masked_mean(torch.zeros(0), torch.tensor(0)).item() == 0.0


def test_features_of_another_width_are_refused() -> None:
    with pytest.raises(TypeCheckError):
        jaxtyped(typechecker=beartype)(prediction_error)(torch.zeros(B, D), torch.zeros(B, 1))
