"""Scout's frames of CarRacing beside Gymnasium's own: the same picture, the same physics."""

import importlib.util
from typing import Any, NamedTuple

import numpy as np
import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("Box2D") is None, reason="Box2D is not installed"
)

MOST_DIFFERENT = 2.5  # levels of 255, on average over a frame's pixels and channels
EPISODE = 400


class Frames(NamedTuple):
    """Both pictures of one state, uint8 [96, 96, 3]."""

    fast: Any
    stock: Any

    @property
    def difference(self) -> float:
        return float(np.abs(self.fast.astype(int) - self.stock).mean())


def simulated() -> Any:
    from workers.environments.box2d.car_racing import DrawnCarRacing  # noqa: PLC0415
    from workers.environments.box2d.car_racing_picture import CarRacingPicture  # noqa: PLC0415

    simulator = DrawnCarRacing(continuous=True)
    picture = CarRacingPicture(simulator)
    simulator.draw_observation = lambda: np.zeros((0, 0, 3), np.uint8)
    return simulator, picture


def both(simulator: Any, picture: Any) -> Frames:
    return Frames(picture.draw(), simulator.draw_stock())


def frames_of(tracks: range, each: int) -> list[Frames]:
    """Both pictures of states drawn from whole episodes, the zoom at the start included."""
    simulator, picture = simulated()
    found = []
    for track in tracks:
        draw = np.random.default_rng(track)
        simulator.reset(seed=track)
        chosen = set(draw.choice(EPISODE, each, replace=False).tolist())
        action = np.zeros(3, np.float32)
        for step in range(EPISODE):
            if step % 10 == 0:
                held = (0.3 * draw.normal(), draw.random(), 0.2 * draw.random())
                action = np.array(held, np.float32)
            if step in chosen:
                found.append(both(simulator, picture))
            simulator.step(action)
    return found


def test_frames_of_two_tracks_are_gymnasiums_to_the_eye() -> None:
    differences = [frames.difference for frames in frames_of(range(2), 8)]
    assert max(differences) <= MOST_DIFFERENT
    assert np.mean(differences) <= 1.0  # 0.53 over the 200 states of the test below


@pytest.mark.slow
def test_frames_of_200_states_of_20_tracks_are_gymnasiums_to_the_eye() -> None:
    differences = [frames.difference for frames in frames_of(range(20), 10)]
    assert len(differences) == 200
    assert max(differences) <= MOST_DIFFERENT


def test_the_whole_track_is_seen_at_the_start_and_the_camera_has_arrived_after_a_second() -> None:
    simulator, picture = simulated()
    simulator.reset(seed=5)
    start = both(simulator, picture)
    assert start.difference <= MOST_DIFFERENT
    for _ in range(60):
        simulator.step(np.zeros(3, np.float32))
    later = both(simulator, picture)
    assert later.difference <= MOST_DIFFERENT
    roads = [
        np.abs(seen.fast[:84].astype(int) - (100, 100, 100)).max(axis=-1) for seen in (start, later)
    ]
    assert (roads[1] < 10).sum() != (roads[0] < 10).sum()


def test_plain_colours_are_gymnasiums_to_the_level() -> None:
    simulator, picture = simulated()
    simulator.reset(seed=0)
    for _ in range(60):
        simulator.step(np.zeros(3, np.float32))
    frames = both(simulator, picture)
    grass = (frames.stock == (100, 202, 100)).all(axis=-1)
    assert grass.sum() > 1000
    assert np.median(frames.fast[grass], axis=0).tolist() == [100, 202, 100]
    assert frames.fast.max() <= 253


def test_a_tile_loses_its_shade_when_it_is_touched() -> None:
    simulator, picture = simulated()
    simulator.reset(seed=1)
    for _ in range(60):
        simulator.step(np.zeros(3, np.float32))
    before = picture.draw()
    shaded = next(
        tile for tile in simulator.road[4:] if tile.idx % 3 == 2 and not tile.road_visited
    )
    shaded.color[:] = simulator.road_color
    after, stock = picture.draw(), simulator.draw_stock()
    changed = (before != after).any(axis=-1)
    assert changed.any()
    assert Frames(after, stock).difference < Frames(before, stock).difference


def test_the_bar_shows_speed_wheels_steering_and_score() -> None:
    simulator, picture = simulated()
    simulator.reset(seed=2)
    for _ in range(80):
        simulator.step(np.array((0.6, 0.4, 0.0), np.float32))
    frames = both(simulator, picture)
    bar = slice(85, 96)
    assert frames.fast[bar].any()
    assert np.abs(frames.fast[bar].astype(int) - frames.stock[bar]).mean() <= MOST_DIFFERENT
    blank = picture.draw()
    simulator.reward += 500
    scored = both(simulator, picture)
    assert (scored.fast[bar, :12] != blank[bar, :12]).any()
    assert np.abs(scored.fast[bar, :12].astype(int) - scored.stock[bar, :12]).mean() <= 5


def test_beyond_the_edge_of_the_field_it_is_black() -> None:
    simulator, picture = simulated()
    simulator.reset(seed=0)
    simulator.t = 5.0
    simulator.car.hull.position = (320.0, 0.0)
    simulator.car.hull.angle = -np.pi / 2  # looks along x
    frames = both(simulator, picture)
    assert frames.difference <= MOST_DIFFERENT
    assert (frames.fast[:40] == 0).all()


def test_a_new_track_is_drawn_anew() -> None:
    simulator, picture = simulated()
    for seed in (3, 4):
        simulator.reset(seed=seed)
        assert both(simulator, picture).difference <= MOST_DIFFERENT


def test_the_close_of_another_environment_leaves_the_letters() -> None:
    """Gymnasium's environments end all of pygame as they are closed."""
    import pygame  # noqa: PLC0415

    simulator, picture = simulated()
    simulator.reset(seed=3)
    simulator.reward = 100.0
    picture.draw()
    pygame.quit()
    simulator.reward = 200.0
    assert both(simulator, picture).difference <= MOST_DIFFERENT
