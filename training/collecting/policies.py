"""Policies that need no network: at random, at random with a direction, and one of the user's own.

Each environment has a policy object of its own, which is told when an episode begins, and is asked
for one action at a time. So an episode is the same whatever is played beside it.
"""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import gymnasium
import numpy as np
from numpy.typing import NDArray

from configs.errors import ConfigurationError, ScoutError
from configs.reading import printable
from training.recording.describing import as_stored
from workers.environments.base import EnvironmentSpec
from workers.environments.parts.actions import NO_BOUND

TIME_STEP = 1 / 50  # of the Brownian motion, whose deviation after n steps is sqrt(n / 50)


class Policy(Protocol):
    """What acts in one environment."""

    def reset(self, seed: int) -> None:
        """Begin an episode: forget the last one, and draw from `seed` from now on."""

    def act(self, observation: NDArray[Any]) -> Any:
        """Return the action: an int, or float32 [A] in the environment's units.

        Args:
            observation: as the pool gives it, a frame [C, H, W] or a vector [D]; valid until the
                next step.
        """


@runtime_checkable
class CanReset(Protocol):
    """A policy of the user's own that is told of new episodes."""

    def reset(self, seed: int) -> None:
        """Begin an episode."""


MakePolicy = Callable[[EnvironmentSpec], Policy]
"""Makes the policy of one environment.

Raises ConfigurationError where it does not fit."""


class RandomPolicy:
    """Draws evenly among choices and between bounds, as Gymnasium's spaces do."""

    def __init__(self, spec: EnvironmentSpec) -> None:
        self._space: gymnasium.Space[Any] = (
            gymnasium.spaces.Discrete(spec.num_actions)
            if spec.discrete
            else _box(spec, np.asarray(spec.action_low), np.asarray(spec.action_high))
        )

    def reset(self, seed: int) -> None:
        """Draw from `seed` from now on."""
        self._space.seed(seed)

    def act(self, observation: NDArray[Any]) -> Any:
        """Return any action."""
        return self._space.sample()


class BrownianPolicy:
    """Continuous actions that keep their direction for a while: a Brownian motion within bounds.

    a[0] is drawn evenly; a[t + 1] = a[t] + sqrt(1/50) * half range * normal, clipped to the bounds.
    Half the range is 1 where a bound is missing. As in the collection of World Models' rollouts by
    Tallec, Blier and Kalainathan (github.com/ctallec/world-models), which does not scale by the
    range.
    """

    def __init__(self, spec: EnvironmentSpec) -> None:
        """Take the bounds.

        Raises:
            ConfigurationError: actions are choices.
        """
        if spec.discrete:
            raise ConfigurationError(
                f"--policy brownian needs continuous actions, and {spec.env_id} has choices: use "
                "random"
            )
        low, high = np.asarray(spec.action_low), np.asarray(spec.action_high)
        self._space = _box(spec, low, high)
        self._low, self._high = self._space.low, self._space.high
        bounded = np.isfinite(self._low) & np.isfinite(self._high)
        with np.errstate(invalid="ignore"):
            half_range = np.where(bounded, (self._high - self._low) / 2, 1.0)
        self._step = np.sqrt(TIME_STEP) * half_range
        self.reset(0)

    def reset(self, seed: int) -> None:
        """Begin anywhere, and draw from `seed` from now on."""
        self._space.seed(seed)
        self._random = np.random.default_rng([seed, 1])  # the space draws from default_rng(seed)
        self._action: NDArray[np.float32] | None = None

    def act(self, observation: NDArray[Any]) -> NDArray[np.float32]:
        """Return the next action, float32 [A]."""
        if self._action is None:
            action = np.asarray(self._space.sample(), np.float32)
        else:
            moved = self._action + self._step * self._random.standard_normal(self._step.shape)
            action = np.clip(moved, self._low, self._high).astype(np.float32)
        self._action = action
        return action


def _box(spec: EnvironmentSpec, low: Any, high: Any) -> gymnasium.spaces.Box:
    """Return the space of actions; what counts as no bound is infinite."""
    low = np.where(low > -NO_BOUND, low, -np.inf).astype(np.float32)
    high = np.where(high < NO_BOUND, high, np.inf).astype(np.float32)
    return gymnasium.spaces.Box(low, high, (spec.num_actions,), np.float32)


class OwnPolicy:
    """A policy of the user's own, watched: what it raises or returns amiss is told in one line.

    It sees observations as they are stored: a frame as [H, W, C].
    """

    def __init__(self, name: str, make: Callable[[], Any], spec: EnvironmentSpec) -> None:
        """Make it.

        Raises:
            ConfigurationError: it raises, or what it makes cannot be called.
        """
        self._name, self._spec = name, spec
        self._policy = self._watched("was made", make)
        if not callable(self._policy):
            raise ConfigurationError(
                f"--policy {name}: what it makes cannot be called with an observation"
            )

    def reset(self, seed: int) -> None:
        """Tell it of the episode, if it wants to know."""
        if isinstance(self._policy, CanReset):
            self._watched("was told of a new episode", self._policy.reset, seed)

    def act(self, observation: NDArray[Any]) -> Any:
        """Return its action.

        Raises:
            ConfigurationError: it raises, or returns none.
        """
        seen = as_stored(observation) if observation.ndim == 3 else observation.copy()
        answer = self._watched("was asked for an action", self._policy, seen)
        try:
            action = np.asarray(answer)
        except Exception as error:
            raise self._refused(answer) from error
        return self._choice(action) if self._spec.discrete else self._numbers(action)

    def _choice(self, action: NDArray[Any]) -> int:
        if action.size != 1 or action.dtype.kind not in "iub":
            raise self._refused(action)
        choice = int(action.reshape(())[()])
        if not 0 <= choice < self._spec.num_actions:
            raise self._refused(action)
        return choice

    def _numbers(self, action: NDArray[Any]) -> NDArray[np.float32]:
        if action.size != self._spec.num_actions or action.dtype.kind not in "fiub":
            raise self._refused(action)
        numbers = action.reshape(-1).astype(np.float32)
        if not np.isfinite(numbers).all():
            raise self._refused(action)
        return numbers

    def _refused(self, answer: Any) -> ConfigurationError:
        spec = self._spec
        wanted = (
            f"a whole number from 0 to {spec.num_actions - 1}"
            if spec.discrete
            else f"{spec.num_actions} finite number(s)"
        )
        found = printable(repr(answer))
        return ConfigurationError(
            f"--policy {self._name} returned {found[:200]}; {spec.env_id} takes {wanted}"
        )

    def _watched(self, when: str, call: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except ScoutError:
            raise
        except Exception as error:
            place = _last_place(error)
            reason = printable(f"{type(error).__name__}: {error}")
            raise ConfigurationError(
                f"--policy {self._name} raised when it {when}: {reason}{place}"
            ) from error


def _last_place(error: BaseException) -> str:
    """Return the file and line that raised, in words; "" where there is none."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f" ({trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})"


def own_policy(name: str) -> MakePolicy:
    """Return what makes policies of "module:Class", or of a function that returns one.

    Raises:
        ConfigurationError: there is no such module or class.
    """
    module_name, _, attribute = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        found: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            found = getattr(found, part)
    except ScoutError:
        raise
    except Exception as error:
        reason = printable(f"{type(error).__name__}: {error}")
        raise ConfigurationError(
            f"--policy {name} cannot be loaded ({reason}); it is written module:Class, with the "
            f"module in the current folder ({here}) or in one that PYTHONPATH names"
        ) from error
    return lambda spec: OwnPolicy(name, found, spec)
