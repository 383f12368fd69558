"""What the terminal says of a model in training."""

import pytest

from training.offline.showing import share_of_mean_picture

WHOLE, MOVING = "reconstruction/ratio_to_mean_picture", "reconstruction/object_ratio"


@pytest.mark.parametrize(
    ("held_out", "expected"),
    [
        ({}, None),
        ({WHOLE: 1.0}, 1.0),
        ({WHOLE: 2.71, MOVING: 0.23}, 0.23),
        ({WHOLE: 0.6, MOVING: 1.0}, 0.6),
        ({WHOLE: 0.99, MOVING: 1.0}, 0.99),
    ],
)
def test_drawings_have_collapsed_only_where_both_errors_are_the_mean_pictures(
    held_out: dict[str, float], expected: float | None
) -> None:
    """A loss that weighs what moves draws the rest worse than the mean picture."""
    assert share_of_mean_picture(held_out) == expected
