"""How well frames are drawn: whole, where things move, and when it is called a collapse."""

import pytest
import torch

from agents.encoders.objective import Pictures
from training.probing.drawings import Drawn, judge

MOVING = torch.zeros(2, 4, 4, dtype=torch.bool)
MOVING[0, 1, 1] = MOVING[1, 2, 2] = True
ORIGINAL = torch.zeros(2, 1, 4, 4)
ORIGINAL[0, 0, 1, 1] = ORIGINAL[1, 0, 2, 2] = 1.0


def drawn(made: torch.Tensor) -> Drawn:
    return judge(Pictures(ORIGINAL, made), MOVING)


def test_one_picture_for_all_has_collapsed_and_exact_drawings_have_not() -> None:
    mean = drawn(ORIGINAL.mean(dim=0).expand(2, 1, 4, 4))
    assert (mean.ratio, mean.object_ratio) == pytest.approx((1.0, 1.0))
    assert mean.has_collapsed
    assert mean.object_share == pytest.approx(1 / 16)
    assert mean.error == pytest.approx(4 * 0.25 / 32)
    assert mean.object_error == pytest.approx(0.25)
    assert not drawn(ORIGINAL).has_collapsed


def test_a_well_drawn_object_in_a_bad_picture_is_no_collapse() -> None:
    found = drawn(torch.where(ORIGINAL > 0, 1.0, 0.5))
    assert found.ratio > 1
    assert found.object_ratio == 0
    assert not found.has_collapsed


def test_where_nothing_moves_the_whole_picture_counts() -> None:
    still = judge(Pictures(ORIGINAL, ORIGINAL + 1), torch.zeros_like(MOVING))
    assert still.object_ratio is None
    assert still.has_collapsed
