"""A checkpoint's policy at play, outside of training."""

import json
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from agents.frame_stack import FrameStack
from configs.schema import Config
from training.building import build_learner
from training.checkpoint import Payload
from training.seeding import make_generator
from training.stacking import stack_size
from workers.environments.base import EnvironmentSpec
from workers.pool import WorkerPool
from workers.protocol import EpisodeSummary


class Player:
    """The checkpoint's policy, with the frames it needs to remember.

    Args:
        config: the checkpoint's configuration.
        payload: the checkpoint.
        device: where to compute.
        seed: of the sampled actions.
        greedy: take the likeliest action instead of sampling.
    """

    def __init__(
        self, config: Config, payload: Payload, device: torch.device, seed: int, *, greedy: bool
    ) -> None:
        self.spec = spec_from_text(payload["facts"]["spec"])
        self.device = device
        self._learner = build_learner(config, self.spec, num_envs=1).to(device)
        self._learner.load_state_dict(payload["learner"])
        self._stack_size = stack_size(config, self.spec)
        self._greedy = greedy
        self._generator = make_generator(seed, "evaluation actions", 0, device)

    def remember(self, observations: Tensor) -> FrameStack:
        """Return the memory of episodes that begin with `observations` [n, ...]."""
        return FrameStack(observations.to(self.device), self._stack_size)

    @torch.no_grad()
    def act(self, frames: FrameStack) -> Tensor:
        """Return the actions [n] or [n, A] for what `frames` remembers, on the CPU."""
        with self._learner.precision(self.device):
            distribution = self._learner.policy(frames.observation).distribution
        action: Tensor = (
            distribution.mode() if self._greedy else distribution.sample(self._generator)
        )
        return action.cpu()


def play_episodes(
    pool: WorkerPool,
    player: Player,
    num_episodes: int,
    show: Callable[[int, list[float]], None],
) -> list[EpisodeSummary]:
    """Play `num_episodes` and return their summaries, by environment and time.

    Every environment plays a share fixed beforehand: taking the first to finish would favour short
    episodes. Episodes of a lost worker are played again.

    Args:
        pool: the environments.
        player: decides.
        num_episodes: how many.
        show: told after each step the env steps so far, and the scores of the episodes that ended.
    """
    shares = [
        num_episodes // pool.num_environments + (index < num_episodes % pool.num_environments)
        for index in range(pool.num_environments)
    ]
    played: list[list[EpisodeSummary]] = [[] for _ in shares]
    frames, env_steps = player.remember(torch.from_numpy(pool.reset())), 0
    while any(len(done) < share for done, share in zip(played, shares, strict=True)):
        pool.send(0, player.act(frames).numpy())
        batch = pool.recv(0)
        ended = torch.from_numpy(batch.terminated | batch.truncated).to(player.device)
        frames.push(torch.from_numpy(batch.observations).to(player.device), ended)
        for episode in batch.episodes:
            if not episode.lost and len(played[episode.environment]) < shares[episode.environment]:
                played[episode.environment].append(episode)
        env_steps += pool.num_environments
        show(env_steps, [episode.score for done in played for episode in done])
    return [episode for done in played for episode in done]


def spec_from_text(text: str) -> EnvironmentSpec:
    """Return the spec that a checkpoint holds as JSON, with JSON's lists as tuples."""
    fields: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in json.loads(text).items()
    }
    return EnvironmentSpec(**fields)
