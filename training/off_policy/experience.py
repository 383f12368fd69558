"""Environments that are stepped, and what comes of it: remembered, and shown to the policy."""

from typing import Literal

import torch
from torch import Tensor

from agents.encoded_frames import frame_stack
from agents.encoders.encoder import Encoder
from agents.frame_stack import FrameStack
from agents.replay.frame_replay import FrameReplay
from agents.replay.replay import Replay, Step
from training.loop.collector import learning_reward
from workers.environment_pool import EnvironmentPool
from workers.shared.protocol import EpisodeSummary, StepBatch


class Experience:
    """This rank's environments, of one group, with their replay buffer.

    Args:
        pool: the environments.
        replay: remembers every step.
        stack_size: observations in the policy's input.
        reward_kind: the recipe's LearningReward.
        device: where the policy is.
        encoder: frozen, on `device`; its features are the policy's input. None: observations are.
        keeps_states: whether the state vectors that steps led to are kept until they are taken.
    """

    def __init__(
        self,
        pool: EnvironmentPool,
        replay: Replay,
        *,
        stack_size: int,
        reward_kind: Literal["raw", "sign", "goal"],
        device: torch.device,
        encoder: Encoder | None,
        keeps_states: bool,
    ) -> None:
        self.replay = replay
        self._pool = pool
        self._stack_size = stack_size
        self._reward_kind = reward_kind
        self._device = device
        self._encoder = encoder
        self._keeps_states = keeps_states
        self._states: list[Tensor] = []
        self._keeps_frames = isinstance(replay, FrameReplay)
        self._stack: FrameStack | None = None

    @property
    def observation(self) -> Tensor:
        """The policy's input [N, ...], on its device."""
        return self._seen.observation

    def start(self) -> None:
        """Begin new episodes in all environments."""
        first = torch.from_numpy(self._pool.reset())
        self._see(first)
        self.replay.start(first)

    def step(self, actions: Tensor) -> list[EpisodeSummary]:
        """Step all environments; return the episodes that ended.

        Args:
            actions: [N, A], float32, on the CPU.
        """
        self._pool.send(0, actions.numpy())
        batch = self._pool.recv(0)
        following, new = _true_and_new(batch)
        if self._keeps_states:
            self._states.append(following.clone())
        terminated = torch.from_numpy(batch.terminated)
        rewards = torch.from_numpy(batch.rewards)
        before = self.observation
        after = following if self._keeps_frames else self._seen.ahead(following.to(self._device))
        step = Step(
            observations=before.cpu(),
            actions=actions,
            rewards=learning_reward(rewards, terminated, self._reward_kind),
            terminated=terminated,
            truncated=torch.from_numpy(batch.truncated),
            next_observations=after.cpu(),
            new_observations=new,
            lost=_lost(batch),
        )
        self.replay.add(step)
        ended = terminated | step.truncated
        self._seen.push(new.to(self._device), ended.to(self._device))
        return batch.episodes

    def take_states(self) -> Tensor:
        """Return the state vectors [n, D] that steps led to since the last call."""
        taken = torch.cat(self._states) if self._states else torch.zeros(0, 0)
        self._states.clear()
        return taken

    def state(self) -> dict[str, Tensor]:
        """Return what the policy remembers of the episodes under way."""
        return self._seen.state()

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on within the episodes that `state` was returned in; the pool is reset by that."""
        self._see(torch.from_numpy(self._pool.reset()))
        self._seen.restore(state)

    @property
    def _seen(self) -> FrameStack:
        assert self._stack is not None, "start() or restore() comes first"
        return self._stack

    def _see(self, first: Tensor) -> None:
        self._stack = frame_stack(self._encoder, first.to(self._device), self._stack_size)


def _lost(batch: StepBatch) -> Tensor:
    """Return [N], bool: whose step never happened."""
    lost = torch.zeros(len(batch.rewards), dtype=torch.bool)
    lost[[episode.environment for episode in batch.episodes if episode.lost]] = True
    return lost


def _true_and_new(batch: StepBatch) -> tuple[Tensor, Tensor]:
    """Return what the steps led to [N, ...], and what is seen next: another episode's, perhaps."""
    new = torch.from_numpy(batch.observations)
    ended = batch.terminated | batch.truncated
    if not ended.any():
        return new, new
    where = torch.from_numpy(ended).view(-1, *[1] * (new.dim() - 1))
    return torch.where(where, torch.from_numpy(batch.final_observations), new), new
