"""CarRacing's observation drawn straight to its 96 x 96 pixels, without the window in between.

Gymnasium draws a window of 1000 x 800 pixels at every step and shrinks it; that is nearly all of
a step's time. Here the same shapes are drawn at twice the size of the observation and averaged.
The physics knows nothing of it.
"""

import functools
import itertools
import math
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pygame
from gymnasium.envs.box2d import car_dynamics, car_racing
from numpy.typing import NDArray

SIDE = car_racing.STATE_W  # 96 pixels
FINER = 2  # canvas pixels to a pixel of the observation, each way
SHIFT = 4  # fractional bits of a canvas coordinate
CANVAS = SIDE * FINER
WINDOW = np.array((car_racing.WINDOW_W, car_racing.WINDOW_H), np.float64)
TO_CANVAS = CANVAS / WINDOW  # canvas pixels to a window pixel, (x, y)
CAR_ON_CANVAS = WINDOW * (1 / 2, 3 / 4) * TO_CANVAS
CAR_BELOW_MIDDLE = car_racing.WINDOW_H / 4  # window pixels
# Gymnasium's smoothscale rounds down in both directions: what it shrinks gets 2 levels darker.
DARKER = 2

BAR_TOP = 7 / 8  # the black bar begins here, as a share of the height
SCORE_HEIGHT = SIDE - int(SIDE * BAR_TOP)  # rows of the bar
SCORE_WIDTH = 12  # columns that hold the score
SCORE_CENTRE = (60, 50)  # of its text, in window pixels from the bar's top left corner
SCORE_FONT = 42

BLACK, WHITE = (0, 0, 0), (255, 255, 255)
BLUE, VIOLET, GREEN, RED = (0, 0, 255), (51, 0, 255), (0, 255, 0), (255, 0, 0)
WHEEL_BARS = (BLUE, BLUE, VIOLET, VIOLET)
LEAST_BAR = 1e-4  # a bar that is shorter is not drawn
HULL_COLOUR = (204, 0, 0)
WHITE_ARC = 1.2  # radians of a wheel's turn that show its mark

Points = NDArray[np.float64]
Picture = NDArray[np.uint8]
Colour = tuple[int, ...]


class Quads:
    """P quadrangles that do not move.

    Attributes:
        corners: [P, 4, 2].
        centres: [P, 2].
        reach: how far the farthest corner of any is from its centre.
    """

    def __init__(self, corners: Points) -> None:
        self.corners = corners
        self.centres = corners.mean(axis=1)
        self.reach = float(np.linalg.norm(corners - self.centres[:, np.newaxis], axis=2).max())


class CarShape:
    """The car's polygons: four wheels, their marks, and the hull's parts over them."""

    def __init__(self, car: Any) -> None:
        """`car` is the simulator's."""
        self._bodies = [*car.wheels, car.hull]
        hull = [_vertices(fixture) for fixture in car.hull.fixtures]
        polygons = [_vertices(wheel.fixtures[0]) for wheel in car.wheels]
        polygons += [np.zeros((4, 2)) for _ in car.wheels] + hull  # the marks turn
        ends = np.cumsum([len(polygon) for polygon in polygons]).tolist()
        spans = [slice(*span) for span in itertools.pairwise((0, *ends))]
        self._wheels, self._marks, self._hull = spans[:4], spans[4:8], spans[8:]
        self._points = np.concatenate(polygons)
        bodies = [*range(4), *range(4), *([4] * len(hull))]
        self._body_of = np.repeat(bodies, [len(polygon) for polygon in polygons])
        self._shows = [False] * 4

    def placed(self) -> Points:
        """Return all corners where they are in the world now, [M, 2]."""
        for index, wheel in enumerate(self._bodies[:4]):
            mark = _wheel_mark(wheel.phase)
            self._shows[index] = mark is not None
            if mark is not None:
                self._points[self._marks[index]] = mark
        poses = np.array([(body.angle, *body.position) for body in self._bodies])
        sin, cos = np.sin(poses[:, 0]), np.cos(poses[:, 0])
        turns = np.stack((cos, sin, -sin, cos), axis=1).reshape(5, 1, 2, 2)[self._body_of]
        turned = (self._points[:, np.newaxis, np.newaxis] @ turns)[:, 0, 0]
        corners: Points = turned + poses[self._body_of, 1:]
        return corners

    def parts(self) -> Iterator[tuple[slice, Colour]]:
        """Yield which corners make a polygon, and its colour, in drawing order."""
        for wheel, mark, shows in zip(self._wheels, self._marks, self._shows, strict=True):
            yield wheel, car_dynamics.WHEEL_COLOR
            if shows:
                yield mark, car_dynamics.WHEEL_WHITE
        for part in self._hull:
            yield part, HULL_COLOUR


class CarRacingPicture:
    """Draws one simulator; what stands still is prepared once an episode."""

    def __init__(self, simulator: Any) -> None:
        """`simulator` is Gymnasium's CarRacing."""
        self._simulator = simulator
        self._canvas: Picture = np.zeros((CANVAS, CANVAS, 3), np.uint8)
        self._road: Any = None

    def draw(self) -> Picture:
        """Return the observation of the present state, uint8 [96, 96, 3] (RGB)."""
        simulator = self._simulator
        if self._road is not simulator.road_poly:
            self._prepare()
        self._aim()
        self._draw_ground()
        self._draw_car()
        self._draw_bars()
        small = cv2.resize(self._canvas, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        picture: Picture = np.asarray(cv2.subtract(small, np.full_like(small, DARKER)), np.uint8)
        text = f"{simulator.reward:04.0f}"
        picture[-SCORE_HEIGHT:, :SCORE_WIDTH] = _score(text)
        return picture

    def _prepare(self) -> None:
        """Take over a new track, and the car on it."""
        simulator = self._simulator
        self._road = simulator.road_poly
        self._tiles = Quads(np.array([corners for corners, _ in self._road], np.float64))
        self._grass = Quads(_grass())
        self._grass_colour = tuple(map(int, simulator.grass_color))
        self._ground_colour = tuple(map(int, simulator.bg_color))
        self._ground = np.full_like(self._canvas, self._ground_colour)
        self._car = CarShape(simulator.car)

    def _aim(self) -> None:
        """Set where the camera stands: above the car, which looks up; zooming in at the start."""
        simulator, hull = self._simulator, self._simulator.car.hull
        t = simulator.t
        zoom = car_racing.SCALE * (0.1 * max(1 - t, 0) + car_racing.ZOOM * min(t, 1))
        x, y = hull.position
        sin, cos = math.sin(-hull.angle), math.cos(-hull.angle)
        across, up = zoom * TO_CANVAS  # the window's y runs down, the world's runs up
        self._view = np.array(((across * cos, -up * sin), (-across * sin, -up * cos)))
        # OpenCV's coordinates are those of pixels' centres.
        self._offset = CAR_ON_CANVAS - 0.5 - (x, y) @ self._view
        ahead = CAR_BELOW_MIDDLE / zoom
        self._middle = np.array((x + ahead * sin, y + ahead * cos))
        self._radius = math.hypot(*WINDOW) / 2 / zoom

    def _seen(self, points: Points) -> NDArray[np.int32]:
        """Return world points [..., 2] as OpenCV's fixed-point canvas coordinates."""
        return _fixed(points @ self._view + self._offset)

    def _draw_ground(self) -> None:
        bounds = car_racing.PLAYFIELD
        if np.abs(self._middle).max() + self._radius < bounds:
            np.copyto(self._canvas, self._ground)
        else:
            self._canvas[:] = 0
            corners = np.array(((1, 1), (1, -1), (-1, -1), (-1, 1)), np.float64) * bounds
            self._fill(self._seen(corners), self._ground_colour)
        grass, _ = self._in_view(self._grass)
        cv2.fillPoly(self._canvas, list(grass), self._grass_colour, cv2.LINE_8, SHIFT)
        tiles, which = self._in_view(self._tiles)
        canvas, road, fill = self._canvas, self._road, cv2.fillConvexPoly
        for index, corners in zip(which.tolist(), tiles, strict=True):
            colour = tuple(map(int, road[index][1]))  # a tile loses its shade when it is touched
            fill(canvas, corners, colour, cv2.LINE_8, SHIFT)

    def _in_view(self, quads: "Quads") -> tuple[NDArray[np.int32], NDArray[np.intp]]:
        """Return those that are on the canvas, as they are seen, with their indices, in order."""
        distances = np.hypot(*(quads.centres - self._middle).T)
        near = np.flatnonzero(distances < self._radius + quads.reach)
        corners = self._seen(quads.corners[near])
        low, high = corners.min(axis=1), corners.max(axis=1)
        on_canvas = ((high >= 0) & (low < (CANVAS << SHIFT))).all(axis=1)
        return corners[on_canvas], near[on_canvas]

    def _draw_car(self) -> None:
        corners = self._seen(self._car.placed())
        for part, colour in self._car.parts():
            self._fill(corners[part], colour)

    def _draw_bars(self) -> None:
        """Draw the bar at the bottom: speed, the four wheels' turning, steering, the car's spin."""
        self._canvas[int(CANVAS * BAR_TOP) :] = 0
        car = self._simulator.car
        self._upright(5, 0.02 * car.hull.linearVelocity.length, WHITE)
        for place, wheel, colour in zip((7, 8, 9, 10), car.wheels, WHEEL_BARS, strict=True):
            self._upright(place, 0.01 * wheel.omega, colour)
        self._sideways(20, -10.0 * car.wheels[0].joint.angle, GREEN)
        self._sideways(30, -0.8 * car.hull.angularVelocity, RED)

    def _upright(self, place: int, value: float, colour: Colour) -> None:
        if abs(value) > LEAST_BAR:
            self._rectangle((place, 39 - value), (place + 1, 39), colour)

    def _sideways(self, place: int, value: float, colour: Colour) -> None:
        if abs(value) > LEAST_BAR:
            self._rectangle((place, 36), (place + value, 38), colour)

    def _rectangle(
        self, corner: tuple[float, float], opposite: tuple[float, float], colour: Colour
    ) -> None:
        """Fill a rectangle between two corners (x, y) in fortieths of the window."""
        (x1, y1), (x2, y2) = (
            [round((part * CANVAS / 40 - 0.5) * (1 << SHIFT)) for part in point]
            for point in (corner, opposite)
        )
        cv2.rectangle(self._canvas, (x1, y1), (x2, y2), colour, cv2.FILLED, cv2.LINE_8, SHIFT)

    def _fill(self, points: NDArray[np.int32], colour: Colour) -> None:
        cv2.fillConvexPoly(self._canvas, points, colour, cv2.LINE_8, SHIFT)


def _fixed(points: Points) -> NDArray[np.int32]:
    """Return canvas points in OpenCV's fixed-point form."""
    return np.rint(points * (1 << SHIFT)).astype(np.int32)


@functools.cache
def _grass() -> Points:
    """Return the darker squares of the ground, [400, 4, 2]."""
    size = car_racing.GRASS_DIM
    corners = size * np.array(((1, 0), (0, 0), (0, 1), (1, 1)))
    places = np.arange(-20, 20, 2) * size
    x, y = (grid.ravel() for grid in np.meshgrid(places, places, indexing="ij"))
    squares: Points = np.stack((x, y), axis=1)[:, np.newaxis] + corners
    return squares


def _font() -> pygame.font.Font:
    """Return a font; one that is kept breaks where another environment's close ends pygame."""
    pygame.font.init()
    return pygame.font.Font(pygame.font.get_default_font(), SCORE_FONT)


@functools.lru_cache(maxsize=4096)
def _score(text: str) -> Picture:
    """Return the lower left corner of the observation, where the score stands."""
    size = WINDOW * (SCORE_WIDTH / SIDE, SCORE_HEIGHT / SIDE)
    corner = pygame.Surface(tuple(size.astype(int)))
    letters = _font().render(text, True, WHITE, BLACK)
    corner.blit(letters, letters.get_rect(center=SCORE_CENTRE))
    pixels = pygame.surfarray.array3d(corner).swapaxes(0, 1)
    small = cv2.resize(
        np.ascontiguousarray(pixels), (SCORE_WIDTH, SCORE_HEIGHT), interpolation=cv2.INTER_AREA
    )
    return np.asarray(cv2.subtract(small, np.full_like(small, DARKER)), np.uint8)


def _vertices(fixture: Any) -> Points:
    return np.array(fixture.shape.vertices, np.float64)


def _wheel_mark(phase: float) -> Points | None:
    """Return the pale mark of a wheel, which shows how it turns; None while it is below."""
    cosines = []
    hidden = 0
    for angle in (phase, phase + WHITE_ARC):
        is_below = math.sin(angle) > 0
        hidden += is_below
        cosines.append(np.sign(math.cos(angle)) if is_below else math.cos(angle))
    if hidden == 2:
        return None
    x, (y1, y2) = car_dynamics.WHEEL_W, (car_dynamics.WHEEL_R * cosine for cosine in cosines)
    return np.array(((-x, y1), (x, y1), (x, y2), (-x, y2))) * car_dynamics.SIZE
