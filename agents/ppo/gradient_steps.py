"""Optimiser steps on the replicated learner."""

from collections import deque
from typing import NamedTuple

import torch
from torch import Tensor

from agents.ppo.learner import Learner, Minibatch
from agents.steps.adam import Optimizer
from agents.steps.gradient_parts import PartNorms
from agents.steps.later_answer import LaterAnswer
from agents.steps.replication import replicate
from configs.errors import NonFiniteError


class NonFiniteGradientError(NonFiniteError):
    """A gradient that is not finite; `batch` is this rank's share of what it came from."""

    def __init__(self, message: str, batch: Minibatch) -> None:
        super().__init__(message)
        self.batch = batch


class _Taken(NamedTuple):
    """A step whose gradient has not been judged yet."""

    batch: Minibatch
    losses: dict[str, Tensor]
    failed: LaterAnswer


class GradientSteps:
    """Takes steps that are the same on every rank.

    From a gradient that is not finite on, no step changes a parameter. On a GPU that is noticed
    while the device works at the next step (see LaterAnswer), on the CPU at once.

    Args:
        learner: the module, on its device.
        optimizer: over the learner's trainable parameters.
        max_grad_norm: largest norm of the whole gradient, or None.
        unjudged: steps that may be under way when the next one is prepared; None: as said above.
    """

    def __init__(
        self,
        learner: Learner,
        optimizer: Optimizer,
        max_grad_norm: float | None,
        unjudged: int | None = None,
    ) -> None:
        learner.tie()
        self._learner = learner
        self._optimizer = optimizer
        self._limit = float("inf") if max_grad_norm is None else max_grad_norm
        self._replica = replicate(learner)
        self._parameters = [p for group in optimizer.param_groups for p in group["params"]]
        self._part_norms = PartNorms(learner.policy, self._parameters)
        self._learner_parameters = list(learner.parameters())
        device = self._parameters[0].device
        self._failed = torch.zeros((), dtype=torch.bool, device=device)
        self._taken: deque[_Taken] = deque()
        self._unjudged = int(device.type == "cuda") if unjudged is None else unjudged

    def take(
        self, batch: Minibatch, progress: float, *, diagnose: bool = True
    ) -> dict[str, Tensor]:
        """Take one step; return the losses and the gradient's norm.

        Args:
            batch: this rank's share of the minibatch.
            progress: what part of the run is done, in [0, 1].
            diagnose: also return figures that are only watched; the same on every rank.

        Raises:
            NonFiniteGradientError: that of this step, or of an earlier one, is not finite.
        """
        losses = self._backward(batch, diagnose=diagnose)
        norm = self._clip(watch=diagnose)
        # All ranks hold the same averaged gradient, so all of them stop at the same step.
        self._failed = self._failed | ~norm.isfinite()
        self._taken.append(_Taken(batch, losses, LaterAnswer(self._failed)))
        self._judge(self._unjudged)
        if self._unjudged:
            # A step is left out where this is 1: the hook of torch's GradScaler.
            self._optimizer.found_inf = self._failed.float()  # type: ignore[attr-defined]
        self._optimizer.step()
        self._learner.after_step(progress)
        return losses | {"losses/grad_norm": norm}

    def part_figures(self) -> dict[str, Tensor]:
        """Return the norms in the policy's parts, means over the watched steps of an update."""
        return self._part_norms.figures()

    def settle(self) -> None:
        """Judge the steps that were not yet; call after the last one of an update.

        Raises:
            NonFiniteGradientError: a gradient of theirs is not finite.
        """
        self._judge(0)

    def rehearse(self, batch: Minibatch) -> None:
        """Run two backward passes and forget them (see PPOAgent.prime)."""
        for _ in range(2):
            self._backward(batch)
        self._learner.zero_grad()

    def _judge(self, unjudged: int) -> None:
        while len(self._taken) > unjudged:
            batch, losses, failed = self._taken.popleft()
            if failed:
                figures = ", ".join(
                    f"{name.removeprefix('losses/')} {float(value):g}"
                    for name, value in losses.items()
                )
                raise NonFiniteGradientError(f"the gradient is not finite ({figures})", batch)

    def _clip(self, *, watch: bool) -> Tensor:
        """Scale the gradient to the limit if it is longer; return its norm before.

        As nn.utils.clip_grad_norm_, less the sorting of parameters by device and type, which costs
        small networks more than the sums.
        """
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        norms = torch.stack(torch._foreach_norm(gradients))
        norm: Tensor = torch.linalg.vector_norm(norms)
        if watch:
            self._part_norms.add(norms)
        if self._limit != float("inf"):
            scale = (self._limit / (norm + 1e-6)).clamp(max=1.0)
            torch._foreach_mul_(gradients, scale)
        return norm

    def _backward(self, batch: Minibatch, *, diagnose: bool = False) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = self._replica(batch, diagnose=diagnose)
        for parameter in self._learner_parameters:
            parameter.grad = None
        losses.pop("total").backward()
        named = {f"losses/{name}": value for name, value in losses.items()}
        return named | self._learner.fold_gradients()
