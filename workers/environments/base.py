"""What every environment of Scout is: a Gymnasium environment that tells its shape and its state.

An observation is one frame (uint8 [C, H, W]) or one vector (float32 [D]); stacks are built by the
learner. `step` and `reset` follow Gymnasium's API. Rewards are always the raw ones: what the agent
learns from is decided by the learner.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from textwrap import shorten
from typing import Any, NamedTuple, Protocol

import gymnasium
import numpy as np
from numpy.typing import NDArray

from workers.environments.states import NOTHING, Vector

Observation = NDArray[Any]
TakeSnapshot = Callable[[], bytes]
"""Returns the state of an environment as it was when this was made."""


@dataclass(frozen=True)
class EnvironmentSpec:
    """Everything the learner must know of an environment before the first step.

    Attributes:
        env_id: the id as configured.
        observation_shape: [C, H, W] for frames, [D] for vectors.
        observation_dtype: "uint8" or "float32".
        discrete: True for A choices, False for an A-dimensional continuous action.
        num_actions: A, the number of choices or of dimensions.
        action_low, action_high: bounds of a continuous action, A values each; empty if discrete.
        action_offset, action_scale: A values each; a continuous action is offset + scale * the
            policy's output, clipped to the bounds. Empty = the output itself, as in checkpoints
            from before there was a choice.
        frame_skip: emulator frames, or steps of the simulator, per env step.
        observation_low, observation_high: bounds of a state vector, D values each; empty for
            frames; infinite where the simulator gives none.
        can_snapshot: whether `snapshot` and `restore` continue an episode exactly.
        notes: what the user should know of how its observations are read.
        max_episode_steps: env steps after which an episode is truncated; None where none is known.
        state_names, label_names: what `Environment.state` and `labels` hold, number by number;
            empty where it tells none.
        action_start: the simulator's number of the first choice; 0 for a continuous action, and
            in checkpoints from before it was noted.
    """

    env_id: str
    observation_shape: tuple[int, ...]
    observation_dtype: str
    discrete: bool
    num_actions: int
    action_low: tuple[float, ...] = ()
    action_high: tuple[float, ...] = ()
    action_offset: tuple[float, ...] = ()
    action_scale: tuple[float, ...] = ()
    frame_skip: int = 1
    observation_low: tuple[float, ...] = ()
    observation_high: tuple[float, ...] = ()
    can_snapshot: bool = False
    notes: tuple[str, ...] = ()
    max_episode_steps: int | None = None
    state_names: tuple[str, ...] = ()
    label_names: tuple[str, ...] = ()
    action_start: int = 0

    def difference(self, other: "EnvironmentSpec") -> str:
        """Name what differs, each with its value here and there; long ones are cut short."""
        pairs = ((field.name, getattr(self, field.name)) for field in fields(self))
        return ", ".join(
            f"{name} ({shorten(str(value), 60)} and {shorten(str(getattr(other, name)), 60)})"
            for name, value in pairs
            if value != getattr(other, name)
        )


class BatchStep(NamedTuple):
    """A step of n environments: observations [n, *shape], rewards, and two flags, [n] each."""

    observations: Observation
    rewards: NDArray[np.float64]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]


class Batch(Protocol):
    """What steps n environments at once, to the same bits as one after the other.

    Dreams are equal but for rounding.
    """

    def load(self, index: int) -> None:
        """Go on from where environment `index` is: it was reset or restored by itself."""

    def step(self, actions: NDArray[Any]) -> BatchStep:
        """Step all; where an episode ends, its environment is to be reset and loaded next."""

    def store(self) -> None:
        """Bring the environments themselves to where they are here."""


class Environment(gymnasium.Env[Observation, Any]):
    """A Gymnasium environment with a spec and, where the simulator can give one, a snapshot.

    `info` of `step` may hold, and the worker passes on at an episode's end:
        "game_over": bool, False where only a life was lost (the score runs on); default True.
        "rooms": sorted tuple of int, the rooms visited in this episode (Montezuma, MiniGrid).
        "room": int, the one that the agent is in (Montezuma); for the map of a film.
        "metrics": dict[str, float], further figures of the episode so far (Mario: "distance").
    """

    environment_spec: EnvironmentSpec
    room_rows: tuple[tuple[int, ...], ...] = ()
    """How the rooms lie, row by row from the top, each row centred; empty where there is no map."""

    def render(self) -> NDArray[np.uint8]:
        """Return the real screen as uint8 [H, W, 3] (RGB)."""
        raise NotImplementedError

    def state(self) -> Vector:
        """Return the state beside the observation, float32 [S]; S = len(spec.state_names)."""
        return NOTHING

    def labels(self) -> Vector:
        """Return the labels of the present moment, float32 [L]; L = len(spec.label_names)."""
        return NOTHING

    def snapshot(self) -> bytes:
        """Return the whole state, random streams included, as bytes that hold no code."""
        raise NotImplementedError

    def capture(self) -> TakeSnapshot:
        """Return what gives the present state as `snapshot` does, also when it is no longer that.

        Where bytes take long to make, and seldom are wanted, a copy of the state does until then.
        """
        state = self.snapshot()
        return lambda: state

    def together(self, environments: "Sequence[Environment]") -> Batch | None:
        """Return what steps `environments`, this one among them, at once; None where nothing does.

        They are of one kind. Only such may be stepped so whose `info` is empty.
        """
        return None

    def restore(self, snapshot: bytes) -> None:
        """Continue exactly from `snapshot`, in this or in another process."""
        raise NotImplementedError
