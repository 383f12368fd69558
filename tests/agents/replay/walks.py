"""Made-up play in which every number says where it comes from."""

from collections.abc import Iterator

import torch
from torch import Tensor

from agents.replay.replay import Step

A = 1
FRAME = (1, 2, 2)
STREAM_SIZE = 200  # observations of an environment that differ from each other


def lives(seed: int, num_envs: int, num_steps: int, lost_share: float = 0.0) -> Iterator[Step]:
    """Yield steps: observation i of an environment is its i-th, over all of its episodes.

    A share of the steps is lost: cut where it was begun, with another episode after it.

    An observation is the number 200 n + i, as are action and reward of the step from it.
    """
    stream = torch.Generator().manual_seed(seed)
    place = torch.arange(num_envs) * STREAM_SIZE
    for _ in range(num_steps):
        ends = torch.rand(num_envs, generator=stream)
        lost = torch.rand(num_envs, generator=stream) < lost_share if lost_share else ends < 0
        terminated, truncated = (ends < 0.2) & ~lost, (ends > 0.85) | lost
        ended = terminated | truncated
        following = torch.where(lost, place, place + 1)
        new = place + 1 + ended.long()
        yield Step(
            observations=place.float().unsqueeze(1),
            actions=place.float().unsqueeze(1),
            rewards=place.float(),
            terminated=terminated,
            truncated=truncated,
            next_observations=following.float().unsqueeze(1),
            new_observations=new.float().unsqueeze(1),
            lost=lost,
        )
        place = new


def first_of(num_envs: int) -> Tensor:
    """Return the first observations [N, 1]."""
    return (torch.arange(num_envs) * STREAM_SIZE).float().unsqueeze(1)


def as_frames(values: Tensor) -> Tensor:
    """Return frames uint8 [N, 1, 2, 2] whose pixels are a number below 65,536 in two bytes."""
    numbers = values.long().reshape(-1)
    pixels = torch.stack([numbers // 256, numbers % 256], dim=1).to(torch.uint8)
    return pixels.reshape(-1, 1, 1, 2).expand(-1, *FRAME).contiguous()


def numbers_of(frames: Tensor) -> Tensor:
    """Return the numbers [B, S] of stacked frames [B, S, 2, 2]."""
    return frames[:, :, 0, 0].long() * 256 + frames[:, :, 0, 1].long()
