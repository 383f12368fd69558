"""Features in the place of frames: what a policy on a frozen encoder acts and learns from.

Each observation is encoded once, when it comes. An encoder with a memory sees all of an episode in
order, and forgets it where the episode ends; learning needs no unrolling. Axes as in rollout.py.
"""

from dataclasses import replace

import torch
from torch import Tensor

from agents.encoders.backbone import encode_frames
from agents.encoders.encoder import Encoder
from agents.frame_stack import FrameStack
from agents.rollout import CarriedState, RolloutBuffer, RolloutShape


class EncodedRollout(RolloutBuffer):
    """A rollout that is given frames [n, C, H, W] and keeps their features [n, D].

    Args:
        encoder: at rest, on `device`.
        shape: of what is kept: `observation_shape` is (D,), `observation_dtype` float32.
        device: where all of it lies.
    """

    def __init__(self, encoder: Encoder, shape: RolloutShape, device: torch.device) -> None:
        super().__init__(shape, device)
        self._encoder = encoder
        self._memory = encoder.initial_memory(shape.num_envs)

    def start(self, observations: Tensor) -> None:
        """Open the first rollout with the frames [N, C, H, W] of fresh episodes."""
        fresh = self._encoder.initial_memory(self.shape.num_envs)
        features, self._memory = encode_frames(self._encoder, observations.to(self.device), fresh)
        super().start(features)

    def store_transition(
        self,
        t: int,
        envs: slice,
        observations: Tensor,
        rewards: Tensor,
        terminated: Tensor,
        truncated: Tensor,
        final_observations: Tensor,
    ) -> None:
        """Keep what followed the actions of time t; observations are frames [n, C, H, W]."""
        ended = terminated | truncated
        memory = None if self._memory is None else self._memory[envs]
        finals = torch.zeros(len(ended), *self.shape.observation_shape, device=self.device)
        if bool(ended.any()):
            last = ended.nonzero().flatten().to(self.device)
            frames = final_observations.to(self.device)[last]
            finals[last], _ = encode_frames(
                self._encoder, frames, None if memory is None else memory[last]
            )
            memory = forgotten(self._encoder, memory, ended.to(self.device))
        features, memory = encode_frames(self._encoder, observations.to(self.device), memory)
        if self._memory is not None and memory is not None:
            self._memory[envs] = memory
        super().store_transition(t, envs, features, rewards, terminated, truncated, finals)

    def carried_state(self) -> CarriedState:
        """Return that of the features, with the encoder's memory after them."""
        return replace(super().carried_state(), memory=self._copied_memory())

    def end_state(self) -> CarriedState:
        """Return that of the features, with the encoder's memory after them."""
        return replace(super().end_state(), memory=self._copied_memory())

    def restore(self, state: CarriedState) -> None:
        """Start from features, and from the memory after them."""
        super().restore(state)
        if state.memory is not None:
            self._memory = state.memory.to(self.device, copy=True)

    def contents(self) -> dict[str, Tensor]:
        """Return all that a full rollout holds, the memory at its end too."""
        contents = super().contents()
        return contents if self._memory is None else {**contents, "memory": self._memory}

    def restore_contents(self, contents: dict[str, Tensor]) -> None:
        """Hold what `contents` returned of a rollout of the same shape."""
        super().restore_contents(contents)
        if self._memory is not None:
            self._memory = contents["memory"].to(self.device, copy=True)

    def _copied_memory(self) -> Tensor | None:
        return None if self._memory is None else self._memory.clone()


class EncodedFrameStack(FrameStack):
    """A policy's input outside of a rollout: the features of the last S frames, [N, S * D].

    Args:
        encoder: at rest, on the device of the frames.
        first: first frames, [N, C, H, W].
        stack_size: S.
    """

    def __init__(self, encoder: Encoder, first: Tensor, stack_size: int) -> None:
        self._encoder = encoder
        features, self._memory = encode_frames(encoder, first, encoder.initial_memory(len(first)))
        super().__init__(features, stack_size)

    def push(self, observations: Tensor, ended: Tensor) -> None:
        """Add the next frames [N, C, H, W]; where `ended` [N] is true they open an episode."""
        memory = forgotten(self._encoder, self._memory, ended)
        features, self._memory = encode_frames(self._encoder, observations, memory)
        super().push(features, ended)

    def ahead(self, observations: Tensor) -> Tensor:
        """Return what the stacked features would be if frames [N, C, H, W] came next."""
        features, _ = encode_frames(self._encoder, observations, self._memory)
        return super().ahead(features)

    def state(self) -> dict[str, Tensor]:
        """Return all that is remembered, the encoder's memory too."""
        known = super().state()
        return known if self._memory is None else {**known, "memory": self._memory}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Remember what `state` returned of a stack of the same size."""
        super().restore(state)
        if self._memory is not None:
            self._memory = state["memory"].to(self._memory.device, copy=True)


def frame_stack(encoder: Encoder | None, first: Tensor, stack_size: int) -> FrameStack:
    """Return a policy's input at the first observations: of frames, or of a frozen encoder's."""
    if encoder is None:
        return FrameStack(first, stack_size)
    return EncodedFrameStack(encoder, first, stack_size)


def forgotten(encoder: Encoder, memory: Tensor | None, ended: Tensor) -> Tensor | None:
    """Return the memory [N, ...] with that before any observation where `ended` [N] is true."""
    if memory is None:
        return None
    fresh = encoder.initial_memory(len(memory))
    assert fresh is not None
    return torch.where(ended.view(-1, *[1] * (memory.dim() - 1)), fresh, memory)
