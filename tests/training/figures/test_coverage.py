"""Visit counts and their picture."""

from pathlib import Path

import cv2
import gymnasium
import numpy as np
import pytest

from training.figures.coverage import Coverage, draw_comparison, finite_bounds


def test_every_visit_is_counted_in_its_cell() -> None:
    coverage = Coverage([0.0, 0.0], [4.0, 2.0], bins=(4, 2))
    coverage.add(np.array([[[0.5, 0.5, 9.0], [3.5, 1.5, 9.0]], [[3.9, 1.1, 9.0], [1.0, 1.0, 9.0]]]))
    assert coverage.counts.tolist() == [[1, 0], [0, 1], [0, 0], [0, 2]]
    assert coverage.fraction_visited == 3 / 8


def test_counts_equal_a_slow_count() -> None:
    rng = np.random.default_rng(0)
    low, high, bins = [-1.2, -0.07], [0.6, 0.07], (7, 5)
    states = rng.uniform(low, high, size=(500, 2))
    coverage = Coverage(low, high, bins)
    coverage.add(states[:200].reshape(20, 10, 2))
    coverage.add(states[200:])
    slow, _, _ = np.histogram2d(
        states[:, 0], states[:, 1], bins=bins, range=list(zip(low, high, strict=True))
    )
    assert (coverage.counts == slow).all()


def test_states_at_and_beyond_the_bounds_count_in_the_outermost_cells() -> None:
    coverage = Coverage([0.0, 0.0], [1.0, 1.0], bins=(2, 2))
    coverage.add([[1.0, 1.0], [50.0, -50.0], [-1e30, 1e30]])
    assert coverage.counts.tolist() == [[0, 1], [1, 1]]


@pytest.mark.parametrize(
    ("low", "high"),
    [([0.0], [1.0]), ([0.0, 0.0], [1.0, 0.0]), ([0.0, -np.inf], [1.0, np.inf])],
)
def test_bounds_that_make_no_grid_are_refused(low: list[float], high: list[float]) -> None:
    with pytest.raises(ValueError, match=r"bounds|dimensions"):
        Coverage(low, high)


def test_missing_bounds_become_finite() -> None:
    space = gymnasium.make("CartPole-v1").observation_space
    assert isinstance(space, gymnasium.spaces.Box)
    low, high = finite_bounds(space.low.tolist(), space.high.tolist())
    assert low[1] == -4.0
    assert high[1] == 4.0
    assert high[0] == pytest.approx(4.8)
    assert finite_bounds([-3.4e38], [3.4e38]) == ((-4.0,), (4.0,))
    Coverage(low, high).add(np.zeros((1, 4)))


def test_a_saved_coverage_loads_equal(tmp_path: Path) -> None:
    coverage = Coverage([-1.0, -2.0], [1.0, 2.0], bins=(3, 4))
    coverage.add(np.random.default_rng(0).normal(size=(100, 2)))
    coverage.save(tmp_path / "coverage.npz")
    loaded = Coverage.load(tmp_path / "coverage.npz")
    assert (loaded.counts == coverage.counts).all()
    assert (loaded.low == coverage.low).all()
    assert (loaded.high == coverage.high).all()
    assert [path.name for path in tmp_path.iterdir()] == ["coverage.npz"]


def test_the_picture_shows_each_panel_and_where_its_states_lie(tmp_path: Path) -> None:
    few, many = Coverage([0.0, 0.0], [1.0, 1.0]), Coverage([0.0, 0.0], [1.0, 1.0])
    few.add([[0.01, 0.01]])
    many.add(np.random.default_rng(0).uniform(size=(20_000, 2)))
    path = tmp_path / "states.png"
    panels = [("Without the bonus", "a", few), ("A very long title " * 9, "b", many)]
    draw_comparison(panels, ("position", "velocity"), path)
    image = cv2.imread(str(path))
    assert image is not None
    assert image.shape[1] > 2 * image.shape[0]
    saturated = (image.max(axis=2).astype(int) - image.min(axis=2)) > 60
    left_half = saturated[:, : image.shape[1] // 2]
    rows, columns = np.nonzero(left_half)
    # One cell of ten pixels in the lower left corner of the left map: low values are below.
    assert len(rows) == 100
    assert rows.min() > image.shape[0] * 0.7
    assert columns.max() < image.shape[1] * 0.2
    assert saturated.sum() > 100_000


def test_a_picture_of_nothing_can_be_drawn(tmp_path: Path) -> None:
    empty = Coverage([-1e-3, 0.0], [1e-3, 1e5])
    draw_comparison([("", "", empty)], ("", ""), tmp_path / "empty.png")
    assert cv2.imread(str(tmp_path / "empty.png")) is not None


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (50.0, np.inf, (50.0, 58.0)),
        (-np.inf, -50.0, (-58.0, -50.0)),
        (-np.inf, 3.0, (-4.0, 3.0)),
        (-3.0, np.inf, (-3.0, 4.0)),
        (300.0, 3.4e38, (300.0, 308.0)),
        (700.0, 9e6, (700.0, 708.0)),
        (2.0, 2.0, (-2.0, 6.0)),
        (-7e5, 7e5, (-7e5, 7e5)),
        (np.nan, np.nan, (-4.0, 4.0)),
        (4.0, np.inf, (4.0, 12.0)),
    ],
)
def test_bounds_of_every_form_make_a_grid(
    low: float, high: float, expected: tuple[float, float]
) -> None:
    lows, highs = finite_bounds([low, 0.0], [high, 1.0])
    assert (lows[0], highs[0]) == expected
    Coverage(lows, highs).add(np.full((3, 2), expected[0]))
