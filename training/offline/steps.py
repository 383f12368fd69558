"""Optimiser steps on what is trained, the same on every rank."""

import copy
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from agents.encoders.objective import Losses, Objective, Samples
from agents.steps.adam import FusedAdam
from agents.steps.replication import replicate
from configs.errors import NonFiniteError

ADAM_EPSILON = 1e-8
REHEARSALS = 2


class NonFiniteStepError(NonFiniteError):
    """A gradient that is not finite; `samples` is this rank's share of what it came from."""

    def __init__(self, message: str, samples: Samples) -> None:
        super().__init__(message)
        self.samples = samples


class Steps:
    """Forward, backward, clip, step. From a gradient that is not finite no parameter changes.

    Args:
        module: on its device, its statistics taken.
        learning_rate: Adam's step size.
        max_grad_norm: largest norm of the whole gradient; None = it is not cut.
        precision: of the forward pass; bfloat16, or float32.

    Attributes:
        module: what is trained.
        optimizer: over its trainable parameters.
    """

    def __init__(
        self,
        module: Objective,
        *,
        learning_rate: float,
        max_grad_norm: float | None,
        precision: torch.dtype = torch.float32,
    ) -> None:
        self.module = module
        self._parameters = [p for p in module.parameters() if p.requires_grad]
        self.optimizer = FusedAdam(
            [{"params": self._parameters, "lr": learning_rate}], eps=ADAM_EPSILON
        )
        self._replica = replicate(module)
        self._limit = max_grad_norm
        self._precision = precision

    def take(
        self, samples: Samples, generator: torch.Generator, progress: float
    ) -> dict[str, Tensor]:
        """Take one step; return the losses and the gradient's norm.

        Args:
            samples: this rank's share of the batch.
            generator: this rank's random stream.
            progress: what part of training is done after it, in [0, 1].

        Raises:
            NonFiniteStepError: on all ranks alike, since all hold the same averaged gradient.
        """
        losses = self._backward(samples, generator)
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        if not bool(torch.isfinite(norm)):
            told = ", ".join(f"{name} {float(value):g}" for name, value in losses.parts.items())
            raise NonFiniteStepError(f"the gradient is not finite ({told})", samples)
        if self._limit is not None:
            scale = (self._limit / (norm + 1e-6)).clamp(max=1.0)
            torch._foreach_mul_(gradients, scale)
        self.optimizer.step()
        self.module.after_step(progress)
        parts = {f"losses/{name}": value for name, value in losses.parts.items()}
        return {**parts, "losses/total": losses.total.detach(), "losses/grad_norm": norm}

    def rehearse(self, samples: Samples) -> None:
        """Run backward passes and forget them: nothing is changed by it.

        DistributedDataParallel lays its buckets anew after the first one, and sums of three or
        more ranks depend on that: a run that goes on must sum as the one that was not interrupted.
        """
        before = copy.deepcopy(self.module.state_dict())
        generator = torch.Generator(samples_device(samples)).manual_seed(0)
        for _ in range(REHEARSALS):
            self._backward(samples, generator)
        for parameter in self._parameters:
            parameter.grad = None
        self.module.load_state_dict(before)

    def precision(self) -> AbstractContextManager[object]:
        """Return the context of the forward pass's arithmetic."""
        device = self._parameters[0].device.type
        enabled = self._precision != torch.float32
        return torch.autocast(device, dtype=torch.bfloat16, enabled=enabled)

    def _backward(self, samples: Samples, generator: torch.Generator) -> Losses:
        with self.precision():
            losses: Losses = self._replica(samples, generator)
        for parameter in self._parameters:
            parameter.grad = None
        losses.total.backward()
        return losses


def samples_device(samples: Samples) -> torch.device:
    """Return where the samples lie."""
    return next(values.device for values in samples if values is not None)
