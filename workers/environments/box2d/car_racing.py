"""CarRacing: Gymnasium's physics, and frames by Scout or by Gymnasium."""

from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium.envs.box2d.car_racing import CarRacing
from numpy.typing import NDArray

from configs.errors import ConfigurationError
from configs.schema import EnvironmentSection
from workers.environments.box2d.box2d import (
    CAR_RACING,
    Box2DEnvironment,
    is_continuous,
    registered_limit,
    rgb_picture,
)
from workers.environments.box2d.car_racing_picture import CarRacingPicture, Picture
from workers.environments.parts.preprocessing import picture_frame
from workers.environments.states import Vector, as_vector

OBSERVED = "state_pixels"  # gymnasium's name of what the agent sees
NO_PICTURE: Picture = np.zeros((0, 0, 3), np.uint8)


class DrawnCarRacing(CarRacing):
    """Gymnasium's simulator, whose observation is drawn by whoever is set.

    Attributes:
        draw_observation: returns the observation, uint8 [96, 96, 3].
    """

    def __init__(self, *, continuous: bool) -> None:
        super().__init__(render_mode="rgb_array", continuous=continuous)
        self.draw_observation: Callable[[], Picture] = self.draw_stock

    def draw_stock(self) -> Picture:
        """Return Gymnasium's own observation."""
        return rgb_picture(super()._render(OBSERVED))

    def _render(self, mode: str) -> Any:
        return self.draw_observation() if mode == OBSERVED else super()._render(mode)


class CarRacingEnvironment(Box2DEnvironment):
    """A car on a track drawn at random, seen from above.

    Observations are frames of the simulator's 96 x 96 pixels, resized by area: grey uint8
    [1, H, W], or with FrameColour = rgb [3, H, W]. With Renderer = fast Scout draws them, which
    leaves the physics and the rewards as they are; see car_racing_picture.py.

    The state is where the car is and how it moves; it does not hold the track.
    """

    state_names = (
        "x",
        "y",
        "angle",
        "velocity_x",
        "velocity_y",
        "spin",
        "steering_angle",
        "wheel_speed_front_left",
        "wheel_speed_front_right",
        "wheel_speed_rear_left",
        "wheel_speed_rear_right",
        "visited_share",
    )

    def __init__(self, section: EnvironmentSection) -> None:
        """Build the simulator.

        Raises:
            ConfigurationError: state observations, which hold no track to drive on.
        """
        if not section.observes_pixels:
            raise ConfigurationError(
                f"{CAR_RACING} has pixels only, not ObservationType = state: its numbers hold no "
                "track to drive on"
            )
        simulator = DrawnCarRacing(continuous=is_continuous(section, of_the_id=True))
        super().__init__(section, simulator, registered_limit(section.env_id))
        self._draw = simulator.draw_stock
        if section.renderer == "fast":
            self._draw = CarRacingPicture(simulator).draw
        simulator.draw_observation = self._draw

    def render(self) -> NDArray[np.uint8]:
        """Return Gymnasium's picture of 400 x 600 pixels, uint8 [400, 600, 3]."""
        return rgb_picture(self.simulator.render())

    def state(self) -> Vector:
        """Return where the car is and how it moves, in the simulator's units."""
        simulator, car = self.simulator, self.simulator.car
        hull = car.hull
        visited = simulator.tile_visited_count / len(simulator.track)
        speeds = (wheel.omega for wheel in car.wheels)
        return as_vector(
            (
                *hull.position,
                hull.angle,
                *hull.linearVelocity,
                hull.angularVelocity,
                car.wheels[0].joint.angle,
                *speeds,
                visited,
            )
        )

    def restore(self, snapshot: bytes) -> None:
        """Drive the episode again, without drawing it."""
        super().restore(snapshot)
        self.simulator.draw_observation = self._draw

    def _observation(self, seen: Any) -> NDArray[np.uint8]:
        return picture_frame(seen, *self._size, colour=self._colour)

    def _replay_reset(self) -> None:
        self.simulator.draw_observation = lambda: NO_PICTURE
        self.simulator.reset()

    def _undrawn_step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.simulator.draw_observation = lambda: NO_PICTURE
        seen, *rest = self.simulator.step(action)
        self.simulator.draw_observation = self._draw
        ended = rest[1]
        return (self._draw() if ended else seen), *rest
