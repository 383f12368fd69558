"""ale-py's vector of emulators behind stable-baselines3's interface."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv  # type: ignore[import-not-found]

from benchmarks.gymnasium_games import make_ale_vector
from configs.schema import EnvironmentSection


class AleVector(VecEnv):  # type: ignore[misc] # the package has no types here
    """N games in C++ threads, frames stacked, uint8 [N, S, H, W].

    Args:
        section: the game.
        num_environments: N.
        num_threads: that step them.
    """

    def __init__(
        self, section: EnvironmentSection, num_environments: int, num_threads: int
    ) -> None:
        self._games = make_ale_vector(section, num_environments, num_threads, section.stack_size)
        super().__init__(
            num_environments,
            self._games.single_observation_space,
            self._games.single_action_space,
        )
        self._actions = np.zeros(num_environments, np.int64)

    def reset(self) -> NDArray[np.uint8]:
        """Start all games."""
        return np.asarray(self._games.reset(seed=1)[0])

    def step_async(self, actions: NDArray[np.int64]) -> None:
        """Keep the actions for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> tuple[Any, Any, Any, list[dict[str, Any]]]:
        """Step all games; an ended one has started anew, its last frames are in its dict."""
        frames, rewards, terminated, truncated, infos = self._games.step(self._actions)
        told: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        done = terminated | truncated
        for index in np.flatnonzero(done):
            told[index] = {
                "terminal_observation": infos["final_obs"][index],
                "TimeLimit.truncated": bool(truncated[index] and not terminated[index]),
            }
        return frames, rewards.astype(np.float32), done, told

    def close(self) -> None:
        """End the threads."""
        self._games.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return a games' attribute, once for each; None where they have none."""
        return [getattr(self._games, attr_name, None)] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Refuse: no attribute of a game can be set."""
        raise NotImplementedError(attr_name)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> Any:
        """Refuse: no game can be called by itself."""
        raise NotImplementedError(method_name)

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """No game is wrapped."""
        return [False] * self.num_envs
