"""What controllers see of the environments that they act in, whatever is played beside it.

Axes: n environments, D numbers of a latent, H of a memory, N parameters, A numbers of an action.
"""

import torch
from torch import Tensor

from agents.controllers.controller import Controller
from agents.dynamics.dynamics import Dynamics
from agents.dynamics.prediction import State
from agents.encoders.backbone import encode_frames
from agents.encoders.encoder import Encoder

BATCH = 4  # larger ones are little faster, smaller ones much slower


class Sight:
    """From observations to a controller's inputs.

    Networks compute in batches of one size, the last one filled up, from memory of their own: the
    last bits of a result depend on how many there are in a batch and on where they lie, and an
    episode would hang on what is played beside it.

    Args:
        controller: says what it wants to see.
        device: where it is computed.
        encoder: of frames, at rest; None where observations are vectors, which are seen as they
            are.
        memory: a model of sequences, at rest; None where none is seen.
    """

    def __init__(
        self,
        controller: Controller,
        device: torch.device,
        *,
        encoder: Encoder | None = None,
        memory: Dynamics | None = None,
    ) -> None:
        self.controller = controller
        self.device = device
        self.encoder = None if encoder is None else encoder.to(device).eval().requires_grad_(False)
        self.memory = None if memory is None else memory.to(device).eval().requires_grad_(False)

    def open(self, observations: Tensor) -> "Seen":
        """Return what is seen of n episodes that begin with `observations` [n, ...]."""
        return Seen(self, observations)


class Seen:
    """What is seen of n environments at one moment, and what is remembered of their episodes.

    Args:
        sight: how they are looked at.
        observations: the first ones, [n, ...].
    """

    @torch.inference_mode()
    def __init__(self, sight: Sight, observations: Tensor) -> None:
        self._sight = sight
        self._eyes: Tensor | None = None
        self._memory: State = ()
        rows = _filled(len(observations))
        if sight.encoder is not None:
            self._eyes = sight.encoder.initial_memory(rows)
        if sight.memory is not None:
            self._memory = sight.memory.initial_state(rows)
        starts = torch.ones(len(observations), dtype=torch.bool)
        self._latents = self._before = self._encoded(observations, starts)

    @property
    def num_environments(self) -> int:
        """How many there are, n."""
        return len(self._latents)

    @torch.inference_mode()
    def act(self, parameters: Tensor) -> Tensor:
        """Return the actions of n controllers, [n, A] or choices [n], on the CPU.

        Args:
            parameters: [n, N], of the controller that acts in each environment.
        """
        sight, rows = self._sight, len(self._latents)
        controller, hidden = sight.controller, None
        if sight.memory is not None:
            hidden = sight.memory.hidden(self._memory)[:rows].unsqueeze(1)
        actions = controller.act(
            parameters,
            self._latents.unsqueeze(1),
            hidden=hidden,
            before=self._before.unsqueeze(1) if controller.inputs.with_change else None,
        ).squeeze(1)
        if sight.memory is not None:
            self._remember(sight.memory, actions)
        return actions.cpu()

    @torch.inference_mode()
    def push(self, observations: Tensor, starts: Tensor) -> None:
        """Take what came of the actions, [n, ...], and where an episode begins with it, [n]."""
        before = self._latents
        self._latents = self._encoded(observations, starts)
        begins = starts.to(self._sight.device)
        self._before = torch.where(begins.unsqueeze(1), self._latents, before)
        if self._sight.memory is not None:
            self._memory = self._sight.memory.restart(self._memory, _padded(begins))

    def _encoded(self, observations: Tensor, starts: Tensor) -> Tensor:
        encoder, device = self._sight.encoder, self._sight.device
        if encoder is None:
            return observations.to(device, torch.float32, copy=True)
        if self._eyes is not None:
            fresh = encoder.initial_memory(len(self._eyes))
            assert fresh is not None
            begins = _padded(starts.to(device)).view(-1, *[1] * (fresh.dim() - 1))
            self._eyes = torch.where(begins, fresh, self._eyes)
        frames = _padded(observations.to(device))
        eyes = self._eyes
        parts = [
            encode_frames(encoder, frames[rows], None if eyes is None else eyes[rows].clone())
            for rows in _batches(len(frames))
        ]
        if self._eyes is not None:
            self._eyes = torch.cat([memory for _, memory in parts if memory is not None])
        return torch.cat([features for features, _ in parts])[: len(observations)]

    def _remember(self, memory: Dynamics, actions: Tensor) -> None:
        latents = memory.encoder.preprocessing(_padded(self._latents))
        inputs = torch.cat([latents, memory.embed(_padded(actions))], dim=-1)
        parts = [
            memory.remember(
                inputs[rows].clone(), tuple(part[rows].clone() for part in self._memory)
            )
            for rows in _batches(len(inputs))
        ]
        self._memory = tuple(torch.cat(part) for part in zip(*parts, strict=True))


def _filled(count: int) -> int:
    """Return the next multiple of BATCH."""
    return -(-count // BATCH) * BATCH


def _padded(rows: Tensor) -> Tensor:
    """Return rows [n, ...] and after them copies of the last one, up to a multiple of BATCH."""
    lacking = _filled(len(rows)) - len(rows)
    return torch.cat([rows, rows[-1:].expand(lacking, *rows.shape[1:])]) if lacking else rows


def _batches(count: int) -> list[slice]:
    return [slice(first, first + BATCH) for first in range(0, count, BATCH)]
