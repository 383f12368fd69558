"""Real frames: CarRacing-v3 of Gymnasium under actions that keep their direction, at 64x64."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import gymnasium
import numpy as np

from trajectories.episode import Array, Episode
from trajectories.schema import Schema, schema_of

SIDE = 64  # pixels


def play(num_episodes: int, steps: int) -> tuple[Schema, list[Episode]]:
    """Return episodes, each from a seed of its own, and their schema.

    Raises:
        SystemExit: Box2D is not installed.
    """
    try:
        environment = gymnasium.make("CarRacing-v3", max_episode_steps=steps)
    except gymnasium.error.DependencyNotInstalled as error:
        raise SystemExit(f"CarRacing-v3 needs Box2D: {error}") from error
    frames = gymnasium.spaces.Box(0, 255, (SIDE, SIDE, 3), np.uint8)
    episodes = [_episode(environment, seed) for seed in range(num_episodes)]
    schema = schema_of(frames, environment.action_space)
    environment.close()
    return schema, episodes


def planar(schema: Schema, episodes: Sequence[Episode]) -> tuple[Schema, list[Episode]]:
    """Return the same episodes with frames [C, H, W]."""
    height, width, channels = schema.observation_shape
    turned = [
        replace(
            episode, observations=np.ascontiguousarray(episode.observations.transpose(0, 3, 1, 2))
        )
        for episode in episodes
    ]
    return replace(schema, observation_shape=(channels, height, width)), turned


def _episode(environment: gymnasium.Env[Any, Any], seed: int) -> Episode:
    stream = np.random.default_rng(seed)
    observation, _ = environment.reset(seed=seed)
    observations, actions, rewards = [_small(observation)], [], []
    action = np.array([0.0, 0.5, 0.0])
    terminated = truncated = False
    while not (terminated or truncated):
        action = np.clip(action + stream.normal(0, (0.1, 0.1, 0.05)), (-1, 0, 0), (1, 1, 0.3))
        taken = action.astype(np.float32)
        observation, reward, terminated, truncated, _ = environment.step(taken)
        observations.append(_small(observation))
        actions.append(taken)
        rewards.append(float(reward))
    return Episode(
        np.stack(observations),
        np.stack(actions),
        np.array(rewards),
        terminated,
        truncated,
        values={"id": f"car-{seed}", "seed": seed},
    )


def _small(frame: Array) -> Array:
    return cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
