"""Optimiser steps on the replicated learner."""

import warnings

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from agents.learner import Learner, Minibatch
from configs.errors import NonFiniteError


class NonFiniteGradientError(NonFiniteError):
    """A gradient that is not finite; `batch` is this rank's share of what it came from."""

    def __init__(self, message: str, batch: Minibatch) -> None:
        super().__init__(message)
        self.batch = batch


class GradientSteps:
    """Takes steps that are the same on every rank.

    Args:
        learner: the module, on its device.
        optimizer: over the learner's trainable parameters.
        max_grad_norm: largest norm of the whole gradient, or None.
    """

    def __init__(
        self, learner: Learner, optimizer: torch.optim.Optimizer, max_grad_norm: float | None
    ) -> None:
        learner.tie()
        self._learner = learner
        self._optimizer = optimizer
        self._limit = float("inf") if max_grad_norm is None else max_grad_norm
        self._replica = replicate(learner)

    def take(self, batch: Minibatch, progress: float) -> dict[str, Tensor]:
        """Take one step; return the losses and the gradient's norm.

        Args:
            batch: this rank's share of the minibatch.
            progress: what part of the run is done, in [0, 1].

        Raises:
            NonFiniteGradientError: it is not finite; no parameter has changed.
        """
        losses = self._backward(batch)
        parameters = [group["params"] for group in self._optimizer.param_groups]
        norm = nn.utils.clip_grad_norm_([p for group in parameters for p in group], self._limit)
        # All ranks hold the same averaged gradient, so all of them stop here together.
        if not bool(torch.isfinite(norm)):
            figures = ", ".join(
                f"{name.removeprefix('losses/')} {float(value):g}" for name, value in losses.items()
            )
            raise NonFiniteGradientError(f"the gradient is not finite ({figures})", batch)
        self._optimizer.step()
        self._learner.after_step(progress)
        return losses | {"losses/grad_norm": norm}

    def rehearse(self, batch: Minibatch) -> None:
        """Run two backward passes and forget them (see PPOAgent.prime)."""
        for _ in range(2):
            self._backward(batch)
        self._learner.zero_grad()

    def _backward(self, batch: Minibatch) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = self._replica(batch)
        self._learner.zero_grad()
        losses.pop("total").backward()
        named = {f"losses/{name}": value for name, value in losses.items()}
        return named | self._learner.fold_gradients()


def replicate(module: nn.Module) -> DistributedDataParallel:
    """Wrap a module. Statistics are merged over ranks exactly, by us: buffers stay apart."""
    with warnings.catch_warnings():
        # The successor of broadcast_buffers is not in every supported torch.
        warnings.simplefilter("ignore", FutureWarning)
        return DistributedDataParallel(module, broadcast_buffers=False)
