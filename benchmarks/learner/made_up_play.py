"""Rollouts of an environment that does not exist, whose frames hang together as a game's do."""

import math

import torch
from torch import Tensor

from agents.rollout import RolloutBuffer
from configs.schema import Config
from workers.environments.base import EnvironmentSpec

NUM_ACTIONS = 18  # an Atari game has no more
BLOCK = 6  # pixels of one shade, along each side
STEP = 3  # pixels that a window moves at most, along each side
REWARD_PROBABILITY = 0.02
END_PROBABILITY = 0.005  # per env step; half of the ends are truncations


def made_up_spec(config: Config) -> EnvironmentSpec:
    """Return what a game with a recipe's frames would tell of itself."""
    section = config.environment
    shape = (1, section.frame_height, section.frame_width)
    return EnvironmentSpec("made up", shape, "uint8", discrete=True, num_actions=NUM_ACTIONS)


class MadeUpPlay:
    """N environments, each a window that wanders over a large picture of its own.

    Decisions are those of a policy that draws uniformly and values nothing.

    Args:
        spec: frames [C, H, W] and discrete actions.
        num_envs: N.
        seed: of everything that is drawn.
    """

    def __init__(self, spec: EnvironmentSpec, num_envs: int, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._num_envs = num_envs
        self._num_actions = spec.num_actions
        channels, height, width = spec.observation_shape
        blocks = (2 * height // BLOCK + 1, 2 * width // BLOCK + 1)
        shades = self._integers(256, num_envs, channels, *blocks).to(torch.uint8)
        # [N, C, 2 H, 2 W] at least
        self._pictures = shades.repeat_interleave(BLOCK, dim=2).repeat_interleave(BLOCK, dim=3)
        self._window = torch.tensor([height, width])
        self._corners = self._anywhere()  # [N, 2], the windows' upper left

    def fill(self, rollout: RolloutBuffer) -> None:
        """Play a rollout from its start to its end."""
        rollout.start(self._frames())
        everyone, values = slice(0, self._num_envs), torch.zeros(self._num_envs)
        log_probs = torch.full_like(values, -math.log(self._num_actions))
        for t in range(rollout.shape.rollout_steps):
            actions = self._integers(self._num_actions, self._num_envs)
            rollout.store_decision(t, everyone, actions, log_probs, values, values)
            moves = self._integers(2 * STEP + 1, self._num_envs, 2) - STEP
            self._corners = (self._corners + moves).clamp_min(0).minimum(self._window)
            seen_last = self._frames()
            ended, goal = self._chance(END_PROBABILITY), self._chance(0.5)
            self._corners = torch.where(ended.unsqueeze(1), self._anywhere(), self._corners)
            rollout.store_transition(
                t,
                everyone,
                observations=self._frames(),
                rewards=self._chance(REWARD_PROBABILITY).float(),
                terminated=ended & goal,
                truncated=ended & ~goal,
                final_observations=seen_last,
            )

    def _frames(self) -> Tensor:
        """Return what all windows show, [N, C, H, W]."""
        height, width = self._window.tolist()
        corners = zip(self._pictures, self._corners.tolist(), strict=True)
        return torch.stack([p[:, y : y + height, x : x + width] for p, (y, x) in corners])

    def _anywhere(self) -> Tensor:
        """Draw a corner for each window, [N, 2]."""
        draws = [self._integers(int(size) + 1, self._num_envs) for size in self._window]
        return torch.stack(draws, dim=1)

    def _chance(self, probability: float) -> Tensor:
        return torch.rand(self._num_envs, generator=self._generator) < probability

    def _integers(self, stop: int, *axes: int) -> Tensor:
        return torch.randint(0, stop, axes, generator=self._generator)
