"""Errors of pictures, whole and where something moves."""

import numpy as np
import pytest
import torch
from beartype import beartype
from jaxtyping import TypeCheckError, jaxtyped
from torch import Tensor

from agents.losses.reconstruction import (
    object_error,
    object_mask,
    ratio_to_mean_picture,
    squared_error,
)

B, C, H, W = 3, 2, 4, 5


def pictures() -> tuple[Tensor, Tensor]:
    made, wanted = torch.rand(2, B, C, H, W)
    return made, wanted


def test_the_squared_error_is_the_sum_over_a_picture() -> None:
    made, wanted = pictures()
    expected = [
        sum(
            (float(made[b, c, h, w]) - float(wanted[b, c, h, w])) ** 2
            for c in range(C)
            for h in range(H)
            for w in range(W)
        )
        for b in range(B)
    ]
    np.testing.assert_allclose(squared_error(made, wanted), expected, rtol=1e-5)


def test_the_object_is_where_any_channel_leaves_the_background_either_way() -> None:
    background = torch.full((C, H, W), 0.5)
    shown = background.repeat(1, 1, 1, 1)
    shown[0, 0, 1, 1], shown[0, 1, 2, 2], shown[0, 1, 3, 3] = 0.35, 0.65, 0.55
    expected = torch.zeros(1, H, W, dtype=torch.bool)
    expected[0, 1, 1] = expected[0, 2, 2] = True
    assert torch.equal(object_mask(shown, background, 0.1), expected)


def test_the_object_has_its_share_whatever_its_size() -> None:
    made, wanted = pictures()
    mask = torch.rand(B, H, W) < 0.3
    mask[2] = False
    for share in (0.0, 0.3, 1.0):
        expected = []
        for b in range(B):
            errors = (made[b].double() - wanted[b].double()).square().mean(dim=0).numpy()
            inside = errors[mask[b].numpy()]
            moving = inside.mean() if len(inside) else 0.0
            expected.append((1 - share) * errors.mean() + share * moving)
        np.testing.assert_allclose(object_error(made, wanted, mask, share), expected, rtol=1e-5)


def test_one_picture_for_all_has_the_ratio_1_and_the_exact_one_0() -> None:
    _, wanted = pictures()
    everywhere = torch.ones(B, H, W, dtype=torch.bool)
    mean = wanted.mean(dim=0).expand_as(wanted)
    assert ratio_to_mean_picture(mean, wanted, everywhere).item() == pytest.approx(1.0)
    assert ratio_to_mean_picture(wanted, wanted, everywhere).item() == 0.0
    assert ratio_to_mean_picture(mean, mean, everywhere).item() == 0.0
    half_way = (mean + wanted) / 2
    assert ratio_to_mean_picture(half_way, wanted, everywhere).item() == pytest.approx(0.25)


def test_the_ratio_looks_within_the_mask_alone() -> None:
    _, wanted = pictures()
    mask = torch.zeros(B, H, W, dtype=torch.bool)
    mask[:, 1, 2] = True
    made = wanted.clone()
    made[:, :, 0] += 10.0
    assert ratio_to_mean_picture(made, wanted, mask).item() == 0.0
    made[:, :, 1, 2] = wanted[:, :, 1, 2].mean(dim=0)
    assert ratio_to_mean_picture(made, wanted, mask).item() == pytest.approx(1.0)


def test_bfloat16_pictures_are_summed_in_float32() -> None:
    made, wanted = pictures()
    narrow = made.bfloat16()
    assert torch.equal(squared_error(narrow, wanted), squared_error(narrow.float(), wanted))


def test_a_picture_of_another_size_is_refused() -> None:
    with pytest.raises(TypeCheckError):
        jaxtyped(typechecker=beartype)(squared_error)(
            torch.zeros(B, C, H, W), torch.zeros(B, C, 1, W)
        )
