"""Scout's games as other libraries name and wrap them."""

from typing import Any

import gymnasium
import numpy as np

from configs.schema import EnvironmentSection
from workers.environments.atari.games import atari_games, load_ale_py, rom_of

ATARI_MARKS = ("NoFrameskip", "ALE/")


def section_of(env_id: str) -> EnvironmentSection:
    """Return the settings of RND's paper for an Atari id, Scout's defaults for another."""
    if any(mark in env_id for mark in ATARI_MARKS):
        return EnvironmentSection(env_type="atari", env_id=env_id)
    return EnvironmentSection(
        env_type="classic_control", env_id=env_id, max_episode_steps="auto", learning_reward="raw"
    )


def make_gymnasium(section: EnvironmentSection, num_frames: int) -> gymnasium.Env[Any, Any]:
    """Build the environment as gymnasium's own wrappers do, with so many frames stacked."""
    if section.env_type != "atari":
        return gymnasium.make(section.env_id)
    gymnasium.register_envs(load_ale_py())
    game = gymnasium.make(
        section.env_id,
        frameskip=1,
        repeat_action_probability=section.sticky_probability,
        max_episode_steps=None,
    )
    frames = gymnasium.wrappers.AtariPreprocessing(
        game,
        noop_max=0,
        frame_skip=section.frame_skip,
        screen_size=(section.frame_width, section.frame_height),
    )
    cap = section.max_episode_steps
    capped = frames if cap == "auto" else gymnasium.wrappers.TimeLimit(frames, cap)
    if num_frames == 1:
        return capped
    return gymnasium.wrappers.FrameStackObservation(capped, num_frames)


def make_with_sign_rewards(env_id: str, num_frames: int) -> gymnasium.Env[Any, Any]:
    """Build the environment for a learner that takes the rewards as they come."""
    game = make_gymnasium(section_of(env_id), num_frames)
    return gymnasium.wrappers.TransformReward(game, lambda reward: float(np.sign(float(reward))))


def make_ale_vector(
    section: EnvironmentSection, num_environments: int, num_threads: int, num_frames: int
) -> Any:
    """Build ale-py's vector of emulators in C++ threads."""
    steps = section.max_episode_steps
    cap: dict[str, Any] = {}
    if steps != "auto":
        cap["max_num_frames_per_episode"] = steps * section.frame_skip
    load_ale_py()
    from ale_py.vector_env import AtariVectorEnv  # noqa: PLC0415 - only where it is stepped

    return AtariVectorEnv(
        rom_of(section.env_id),
        num_environments,
        num_threads=num_threads,
        img_height=section.frame_height,
        img_width=section.frame_width,
        stack_num=num_frames,
        frameskip=section.frame_skip,
        repeat_action_probability=section.sticky_probability,
        autoreset_mode="SameStep",
        noop_max=0,
        use_fire_reset=False,
        reward_clipping=section.learning_reward == "sign",
        **cap,
    )


def envpool_task(env_id: str) -> str:
    """Return envpool's name of a game: PongNoFrameskip-v4 is Pong-v5."""
    if section_of(env_id).env_type != "atari":
        return env_id
    rom = rom_of(env_id)
    return next(f"{name}-v5" for name, its_rom in atari_games().items() if its_rom == rom)
