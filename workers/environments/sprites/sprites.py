"""The world of moving sprites as an environment of Scout: frames or positions, exact snapshots."""

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from configs.errors import ConfigurationError
from configs.schema import EnvironmentSection
from workers.environments.base import Batch, BatchStep, Environment, Observation, TakeSnapshot
from workers.environments.parts.actions import action_map, policy_space
from workers.environments.parts.preprocessing import Frame, resize
from workers.environments.parts.snapshots import (
    decode,
    encode,
    generator_state,
    pack,
    restore_generator,
    unpack,
)
from workers.environments.parts.spaces import legal_action, spec_of
from workers.environments.sprites.world import (
    AGENT,
    EPISODE_STEPS,
    LABEL_NAMES,
    MAX_SPEED,
    SIDE,
    SPRITES_IDS,
    Sprites,
    draw,
    move,
    rewards,
)
from workers.environments.states import Vector

NEVER = np.iinfo(np.int64).max


class SpritesEnvironment(Environment):
    """Sprites-v0 and its eleven relatives; see world.py.

    Observations are grey frames uint8 [1, H, W], or the positions as float32 [2 K] where State is
    in the id. FrameSkip and StickyAction do not apply. An episode is truncated after 40 steps, or
    MaxStepPerEpisode.

    Attributes:
        world: the simulator.
        num_steps: of this episode.
        frame_size: (H, W); None where positions are observed.
    """

    def __init__(self, section: EnvironmentSection) -> None:
        """Build the world that `section.env_id` names.

        Raises:
            ConfigurationError: no such id, or observations that are another id's.
        """
        _check(section)
        self.world = Sprites(**SPRITES_IDS[section.env_id])
        size = (section.frame_height, section.frame_width)
        self.frame_size = size if section.observes_pixels else None
        cap = section.max_episode_steps
        self._limit = EPISODE_STEPS if cap == "auto" else cap
        self.num_steps = 0
        self._reach = action_map(self.world.action_space, section.action_mapping)
        self.action_space = policy_space(self.world.action_space, self._reach)
        self.observation_space = (
            self.world.observation_space
            if self.frame_size is None
            else gymnasium.spaces.Box(0, 255, (1, *self.frame_size), np.uint8)
        )
        self.environment_spec = spec_of(
            section.env_id,
            self.observation_space,
            self.world.action_space,
            can_snapshot=True,
            reach=self._reach,
            max_episode_steps=self._limit,
            state_names=self.world.state_names,
            label_names=LABEL_NAMES,
        )

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; see `gymnasium.Env.reset`."""
        super().reset(seed=seed)
        observation, _ = self.world.reset(seed=seed)
        self.num_steps = 0
        return self._seen(observation), {}

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Move the agent, float32 [2] as its velocity along rows and columns."""
        observation, reward, _, _, _ = self.world.step(self.legal(action))
        self.num_steps += 1
        return self._seen(observation), reward, False, self.num_steps >= self._limit, {}

    def render(self) -> NDArray[np.uint8]:
        """Return the world, uint8 [64, 64, 3]."""
        return self.world.render()

    def state(self) -> Vector:
        """Return all positions."""
        return self.world.state()

    def labels(self) -> Vector:
        """Return zero, the agent's and the target's positions and their distance."""
        return self.world.labels()

    def snapshot(self) -> bytes:
        """Return the sprites, the random stream and the step count."""
        return self.capture()()

    def capture(self) -> TakeSnapshot:
        """Note the state, and make bytes of it when they are wanted."""
        world, num_steps = self.world, self.num_steps  # a step replaces arrays, and changes none
        arrays = {
            "positions": world.positions,
            "velocities": world.velocities,
            "shapes": world.shapes,
        }
        random = generator_state(world.np_random)

        def packed() -> bytes:
            state = {name: encode(array) for name, array in arrays.items()}
            state |= {"random": random, "num_steps": num_steps}
            return pack(self.environment_spec.env_id, state)

        return packed

    def restore(self, snapshot: bytes) -> None:
        """Continue exactly from `snapshot`, in this or in another process."""
        state = unpack(self.environment_spec.env_id, snapshot)
        world = self.world
        world.positions = decode(state["positions"])
        world.velocities = decode(state["velocities"])
        world.shapes = decode(state["shapes"])
        restore_generator(world.np_random, state["random"])
        self.num_steps = state["num_steps"]

    def together(self, environments: Sequence[Environment]) -> Batch:
        """Return what steps many worlds at once."""
        return SpritesBatch([each for each in environments if isinstance(each, type(self))])

    def legal(self, actions: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the policy's output [2] as an action within its bounds."""
        legal: NDArray[np.float32] = legal_action(self.world.action_space, actions, self._reach)
        return legal

    def _seen(self, observation: Observation) -> Observation:
        return observation if self.frame_size is None else as_frame(observation, self.frame_size)


class SpritesBatch:
    """Worlds of one kind whose sprites lie in one array; see `Batch`."""

    def __init__(self, environments: Sequence[SpritesEnvironment]) -> None:
        """Take environments of one kind; each must be loaded before the first step."""
        self._environments = environments
        first = environments[0]
        self._limit = first.environment_spec.max_episode_steps or NEVER
        self._frame_size = first.frame_size
        self._repel = first.world.repel
        n, num_sprites = len(environments), first.world.shapes.shape[1]
        self._positions = np.zeros((n, num_sprites, 2))
        self._velocities = np.zeros((n, num_sprites, 2))
        self._shapes = np.zeros((n, num_sprites), np.int64)
        self._lengths = np.zeros(n, np.int64)

    def load(self, index: int) -> None:
        """Go on from where environment `index` is."""
        environment = self._environments[index]
        self._positions[index] = environment.world.positions[0]
        self._velocities[index] = environment.world.velocities[0]
        self._shapes[index] = environment.world.shapes[0]
        self._lengths[index] = environment.num_steps

    def step(self, actions: NDArray[Any]) -> BatchStep:
        """Step all n worlds."""
        pairs = zip(self._environments, actions, strict=True)
        legal = np.stack([environment.legal(action) for environment, action in pairs])
        self._velocities[:, AGENT] = legal.astype(np.float64) * MAX_SPEED
        self._positions, self._velocities = move(self._positions, self._velocities)
        self._lengths += 1
        n = len(self._lengths)
        return BatchStep(
            self._observations(),
            rewards(self._positions, repel=self._repel),
            np.zeros(n, np.bool_),
            self._lengths >= self._limit,
        )

    def store(self) -> None:
        """Bring the worlds themselves to where they are here."""
        for index, environment in enumerate(self._environments):
            environment.world.positions = self._positions[index : index + 1].copy()
            environment.world.velocities = self._velocities[index : index + 1].copy()
            environment.num_steps = int(self._lengths[index])

    def _observations(self) -> Observation:
        n = len(self._positions)
        if self._frame_size is None:
            return self._positions.reshape(n, -1).astype(np.float32)
        size = self._frame_size
        return np.stack([as_frame(each, size) for each in draw(self._positions, self._shapes)])


def as_frame(picture: NDArray[np.uint8], size: tuple[int, int]) -> Frame:
    """Return a picture [64, 64] as a frame [1, H, W]."""
    if size == (SIDE, SIDE):
        return picture[np.newaxis]
    return resize(picture, *size)


def _check(section: EnvironmentSection) -> None:
    """Refuse an id that there is not, and observations that are those of another."""
    env_id = section.env_id
    if env_id not in SPRITES_IDS:
        raise ConfigurationError(
            f"EnvID = {env_id} is not of EnvType = sprites; there are {', '.join(SPRITES_IDS)}"
        )
    if section.observes_pixels == SPRITES_IDS[env_id]["shows_state"]:
        wanted = "pixels" if section.observes_pixels else "state"
        other = env_id.replace("State", "") if wanted == "pixels" else env_id.replace("-", "State-")
        raise ConfigurationError(
            f"ObservationType = {wanted} with EnvID = {env_id}: the id says what is seen; set "
            f"EnvID = {other}, or ObservationType = auto"
        )
