"""LunarLander: the eight numbers of its state, or its picture."""

from typing import Any

import numpy as np
from gymnasium.envs.box2d.lunar_lander import LunarLander
from numpy.typing import NDArray

from configs.schema import EnvironmentSection
from workers.environments.box2d.box2d import (
    Box2DEnvironment,
    is_continuous,
    registered_limit,
    rgb_picture,
)
from workers.environments.parts.preprocessing import picture_frame
from workers.environments.states import Vector, as_vector

PICTURES = "rgb_array"


class LunarLanderEnvironment(Box2DEnvironment):
    """A lander to be brought down between two flags.

    Observations are the state as float32 [8], or with ObservationType = pixels its picture, resized
    by area: grey uint8 [1, H, W], or with FrameColour = rgb [3, H, W]. The state does not hold the
    ground, which is another one in every episode.

    The flames in the picture are particles that grow old whenever it is drawn, so it is drawn
    exactly once a step of the simulator. Where states are observed there are none until the first
    `render`.
    """

    state_names = (
        "x",
        "y",
        "velocity_x",
        "velocity_y",
        "angle",
        "spin",
        "left_leg_touches",
        "right_leg_touches",
    )

    def __init__(self, section: EnvironmentSection) -> None:
        """Build the simulator."""
        continuous = is_continuous(section, of_the_id="Continuous" in section.env_id)
        simulator = LunarLander(
            render_mode=PICTURES if section.observes_pixels else None, continuous=continuous
        )
        super().__init__(section, simulator, registered_limit(section.env_id))
        self._state = np.zeros(len(self.state_names), np.float32)
        self._seen: Any = None  # what `_state` was made of
        self._picture: NDArray[np.uint8] | None = None  # of the present moment, once drawn

    def render(self) -> NDArray[np.uint8]:
        """Return the picture of the present moment, uint8 [400, 600, 3]; again is the same one."""
        if self._picture is None:
            self.simulator.render_mode = PICTURES
            self._picture = rgb_picture(self.simulator.render())
        return self._picture

    def state(self) -> Vector:
        """Return the eight numbers, also where pixels are observed."""
        return self._state

    def _observation(self, seen: Any) -> NDArray[Any]:
        self._note(seen)
        if not self._sees_pixels:
            return self._state
        return picture_frame(self.render(), *self._size, colour=self._colour)

    def _replay_reset(self) -> None:
        self._note(self.simulator.reset()[0])
        self._age_flames()

    def _undrawn_step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        seen, *rest = self.simulator.step(action)
        self._note(seen)
        self._age_flames()
        return seen, *rest

    def _note(self, seen: Any) -> None:
        """Take what the simulator shows of a new moment; of the same one there is a picture."""
        if seen is self._seen:
            return
        self._seen = seen
        self._state = as_vector(seen)
        self._picture = None

    def _age_flames(self) -> None:
        """Draw as often as the episode was drawn, so that its flames are as old."""
        if self._sees_pixels:
            self.render()
