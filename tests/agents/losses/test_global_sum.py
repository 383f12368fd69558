"""Statistics of the joined batch, seen by the only rank; several ranks: test_heads_in_ranks.py."""

import pytest
import torch
from beartype import beartype
from jaxtyping import TypeCheckError, jaxtyped

from agents.losses.global_sum import (
    global_deviations,
    global_mean,
    global_standardize,
    global_sum,
)
from tests.ranks import only_rank

B, D = 9, 4


def test_without_other_ranks_the_sum_is_the_tensor_itself() -> None:
    x = torch.randn(B, D, requires_grad=True)
    assert global_sum(x) is x
    with only_rank():
        assert global_sum(x) is x


@pytest.mark.parametrize("shape", [(), (D,), (2, 3)])
def test_the_mean_is_over_the_first_axis_and_the_count_has_no_gradient(
    shape: tuple[int, ...],
) -> None:
    x = torch.randn(B, *shape, requires_grad=True)
    mean, count = global_mean(x)
    torch.testing.assert_close(mean, x.mean(dim=0))
    assert (count.item(), count.requires_grad) == (B, False)


def test_standardised_features_follow_the_formula() -> None:
    x = 3 * torch.randn(B, D) + 5
    standardized, count = global_standardize(x, 0.1)
    for d in range(D):
        column = [float(x[b, d]) for b in range(B)]
        mean = sum(column) / B
        variance = sum((value - mean) ** 2 for value in column) / B
        expected = [(value - mean) / (variance + 0.1) ** 0.5 for value in column]
        assert standardized[:, d].tolist() == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert count.item() == B


def test_a_mean_far_from_zero_leaves_the_deviations_alone() -> None:
    x = torch.randn(256, D)
    near, _ = global_standardize(x, 1e-5)
    far, _ = global_standardize(x + 1000.0, 1e-5)
    torch.testing.assert_close(far, near, rtol=0.0, atol=1e-3)


def test_an_empty_batch_among_others_is_no_special_case() -> None:
    deviations, count = global_deviations(torch.zeros(0, D))
    assert (deviations.shape, count.item()) == ((0, D), 0)


def test_narrow_numbers_are_refused() -> None:
    with pytest.raises(TypeCheckError):
        jaxtyped(typechecker=beartype)(global_sum)(torch.zeros(3, dtype=torch.bfloat16))
