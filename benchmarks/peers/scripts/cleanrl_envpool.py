"""CleanRL's scripts on envpool, unchanged: ppo_rnd_envpool and ppo_atari_envpool.

They were written for the gym and the envpool of 2022. Today's envpool stands behind an adapter to
what they expect; its cost is a copy of N flags.
"""

import runpy
import sys
from typing import Any

import envpool  # type: ignore[import-not-found]
import gym  # type: ignore[import-not-found]
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.gymnasium_games import envpool_task
from benchmarks.peers.scripts.sizes import ENDLESS, Sizes, read_sizes

RND = "ppo_rnd_envpool"


class OldGames(gym.Env):  # type: ignore[misc] # the package has no types here
    """Games of envpool that step to four things and reset to one.

    Args:
        games: of today's envpool.
    """

    def __init__(self, games: Any) -> None:
        self._games = games
        space = games.observation_space
        self.action_space = gym.spaces.Discrete(int(games.action_space.n))
        self.observation_space = gym.spaces.Box(0, 255, space.shape, np.uint8)

    def reset(self) -> NDArray[np.uint8]:
        """Start all games; uint8 [N, S, H, W]."""
        return np.asarray(self._games.reset()[0])

    def step(self, actions: NDArray[np.int64]) -> tuple[Any, Any, Any, dict[str, Any]]:
        """Step all games."""
        frames, rewards, terminated, truncated, infos = self._games.step(actions)
        return frames, rewards, terminated | truncated, infos


def adapt(num_threads: int) -> None:
    """Let envpool.make give what the scripts expect, on so many threads."""
    make = envpool.make

    def make_old_games(task: str, *, env_type: str, seed: int, **settings: Any) -> OldGames:
        del env_type
        settings |= {"env_type": "gymnasium", "seed": seed, "num_threads": num_threads}
        return OldGames(make(task, **settings))

    envpool.make = make_old_games


def flags(sizes: Sizes, script: str) -> list[str]:
    """Return a script's command line; its own defaults but for the sizes."""
    flags = ["--env-id", envpool_task(sizes.game), "--cuda", "False"]
    flags += ["--total-timesteps", str(ENDLESS)]
    flags += ["--num-envs", str(sizes.num_envs), "--num-steps", str(sizes.num_steps)]
    flags += ["--num-minibatches", str(sizes.minibatches), "--update-epochs", str(sizes.epochs)]
    return flags + (["--num-iterations-obs-norm-init", "1"] if script == RND else [])


def main() -> None:
    """Train until somebody ends it."""
    sizes, options = read_sizes(["script"])
    torch.set_num_threads(sizes.threads)
    adapt(sizes.processes)
    sys.argv = [options.script, *flags(sizes, options.script)]
    runpy.run_module(f"cleanrl.{options.script}", run_name="__main__")


if __name__ == "__main__":
    main()
