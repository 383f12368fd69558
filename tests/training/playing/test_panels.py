"""What stands beside the screen of a film."""

import numpy as np
import pytest

from tests.training.loop.test_visits import filled_coverage
from training.figures.axes import axis_names
from training.playing.maps import ACCENT, VISITED, RoomMap, StateMap
from training.playing.panels import GROUND, Curve, Note, blank

RED = (255, 0, 0)
ROWS = ((0, 1), (2, 3, 4))


def columns_of(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """The columns in which a colour is found, below the heading."""
    return np.flatnonzero((picture[24:] == colour).all(axis=2).any(axis=0))


def test_a_curve_grows_to_its_moment_and_no_further() -> None:
    curve = Curve("a", [0.0, 1.0, 4.0, 2.0, 3.0], 90, 360, colour=RED)
    ends = [int(columns_of(curve.draw(moment), RED).max()) for moment in range(5)]
    assert ends == sorted(ends)
    assert np.ptp(np.diff(ends)) <= 1  # equal steps
    assert curve.draw(2).shape == (90, 360, 3)


def test_a_larger_value_stands_higher() -> None:
    curve = Curve("a", [0.0, 4.0], 90, 360, colour=RED)
    low, high = (np.argwhere((curve.draw(m)[24:, -60:] == RED).all(axis=2)) for m in (0, 1))
    assert len(low) == 0
    assert high[:, 0].min() < 20


def test_the_number_of_the_moment_is_drawn_and_the_rest_of_the_heading_stays() -> None:
    curve = Curve("a", [1.0, 2.0], 90, 360, colour=RED)
    first, second = (curve.draw(moment)[:22] for moment in (0, 1))
    assert (first[:, :280] == second[:, :280]).all()
    assert (first[:, 280:] != second[:, 280:]).any()


def test_a_curve_that_begins_later_is_empty_until_then_and_over_after_its_end() -> None:
    curve = Curve("a", [1.0, 2.0], 90, 360, colour=RED, start=1)
    assert len(columns_of(curve.draw(0), RED)) == 0
    assert len(columns_of(curve.draw(1), RED)) > 0
    assert (curve.draw(3)[:22] != curve.draw(2)[:22]).any()
    assert (curve.draw(3)[30:] == curve.draw(2)[30:]).all()


@pytest.mark.parametrize("values", [[0.0], [3.0, 3.0], [1e9, 1e9]])
def test_values_that_never_change_are_a_line(values: list[float]) -> None:
    assert len(columns_of(Curve("a", values, 90, 360, colour=RED).draw(0), RED)) > 0


def test_rooms_are_marked_as_they_are_visited_and_the_present_one_apart() -> None:
    rooms: list[tuple[int, ...]] = [(0,), (0, 3), (0, 3)]
    room_map = RoomMap(ROWS, rooms, [0, 3, None], 120, 360)
    counts = [
        [int((room_map.draw(moment) == colour).all(axis=2).sum()) for colour in (ACCENT, VISITED)]
        for moment in range(3)
    ]
    here = counts[0][0]
    assert here > 500
    assert counts[0][1] == 0
    assert counts[1][0] == pytest.approx(here, rel=0.1)
    assert counts[1][1] == pytest.approx(here, rel=0.2)
    assert counts[2][0] == 0
    assert counts[2][1] == pytest.approx(2 * here, rel=0.2)


def test_rows_of_rooms_are_centred() -> None:
    room_map = RoomMap(ROWS, [(0, 1), (2, 3, 4)], [None, None], 120, 360)
    for moment in (0, 1):
        columns = columns_of(room_map.draw(moment), VISITED)
        assert columns.min() + columns.max() == pytest.approx(360 - 3, abs=4)


def test_the_way_through_states_ends_where_the_episode_is() -> None:
    states = np.array([[0.0, 0.0], [0.9, 0.9], [5.0, -5.0]], np.float32)
    state_map = StateMap(filled_coverage(), states, ("a", "b"), 200, 360)
    places = []
    for moment in range(3):
        marked = np.argwhere((state_map.draw(moment) == ACCENT).all(axis=2))
        places.append(marked.mean(axis=0))
    (y0, x0), (y1, x1), (y2, x2) = places
    assert x0 < x1 <= x2  # the first dimension to the right
    assert y1 < y0 < y2  # the second upwards; what is beyond the bounds lies on them
    assert x2 < 360


def test_the_dimensions_of_the_state_are_called_by_their_names() -> None:
    states = np.zeros((1, 2), np.float32)
    plain, across, up = (
        StateMap(filled_coverage(), states, axes, 200, 360).draw(0)
        for axes in (("a", "b"), ("position", "b"), ("a", "velocity"))
    )
    assert (plain[:176] == across[:176]).all()
    assert (plain[176:] != across[176:]).any()
    assert (plain[:, 32:] == up[:, 32:]).all()
    assert (plain[:, :32] != up[:, :32]).any()
    assert axis_names("MountainCar-v0") == ("position", "velocity")
    assert axis_names("Own-v0") == ("first state dimension", "second state dimension")


def test_a_note_is_text_on_the_ground() -> None:
    picture = Note("no bonus", 28, 360).draw(5)
    assert picture.shape == (28, 360, 3)
    assert (picture == GROUND).all(axis=2).mean() > 0.8
    assert (picture != blank(28, 360)).any()
