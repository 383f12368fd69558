"""PPO of stable-baselines3, with its own Atari wrappers in processes or on ale-py's vector."""

from functools import partial
from typing import Any

import gymnasium
import torch
from stable_baselines3 import PPO  # type: ignore[import-not-found]
from stable_baselines3.common.callbacks import BaseCallback  # type: ignore[import-not-found]
from stable_baselines3.common.env_util import make_atari_env  # type: ignore[import-not-found]
from stable_baselines3.common.vec_env import (  # type: ignore[import-not-found]
    SubprocVecEnv,
    VecFrameStack,
)

from benchmarks.gymnasium_games import section_of
from benchmarks.peers.scripts.ale_vector_for_sb3 import AleVector
from benchmarks.peers.scripts.sizes import ENDLESS, Sizes, mark, read_sizes
from workers.environments.atari.games import load_ale_py


class Marks(BaseCallback):  # type: ignore[misc] # the package has no types here
    """Marks the start of every rollout: the one before has been learned from."""

    def _on_rollout_start(self) -> None:
        if self.num_timesteps:
            mark(self.num_timesteps)

    def _on_step(self) -> bool:
        return True


def make_game(env_id: str, **more: Any) -> gymnasium.Env[Any, Any]:
    """Build the bare game, in whatever process."""
    gymnasium.register_envs(load_ale_py())
    return gymnasium.make(env_id, max_episode_steps=None, **more)


def make_environments(sizes: Sizes, vector: str) -> Any:
    """Build the environments: "subproc", a process for each, or "ale"."""
    section = section_of(sizes.game)
    if vector == "ale":
        return AleVector(section, sizes.num_envs, sizes.processes)
    environments = make_atari_env(
        partial(make_game, sizes.game),
        n_envs=sizes.num_envs,
        seed=1,
        vec_env_cls=SubprocVecEnv,
        wrapper_kwargs={
            "noop_max": 0,
            "terminal_on_life_loss": False,
            "action_repeat_probability": section.sticky_probability,
        },
    )
    return VecFrameStack(environments, section.stack_size)


def main() -> None:
    """Train until somebody ends it."""
    sizes, options = read_sizes(["vector"])
    torch.set_num_threads(sizes.threads)
    model = PPO(
        "CnnPolicy",
        make_environments(sizes, options.vector),
        learning_rate=1e-4,
        n_steps=sizes.num_steps,
        batch_size=sizes.minibatch_size,
        n_epochs=sizes.epochs,
        gamma=0.999,
        clip_range=0.1,
        ent_coef=0.001,
        seed=1,
        device="cpu",
    )
    model.learn(ENDLESS, callback=Marks())


if __name__ == "__main__":
    main()
