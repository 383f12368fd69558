"""A GRU along sequences, step by step, with gradients through time written by hand.

On a CPU torch has no fused kernel for one, and records a dozen small operations a step: to go back
through that record costs five times as much as to make it. Here a step back is four operations;
all else is done for all steps at once, before and after. A start within a sequence is met by
leaving nothing of the memory there.

Axes: L steps, B sequences, H units.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

Keeps = Mapping[int, Tensor]
"""By time, where sequences start: [B, 1], 0 where nothing is left of what was before, else 1."""


def keeps_of(starts: Tensor) -> Keeps:
    """Return what is kept at the times at which any of B sequences starts, of [L, B]."""
    kept = (~starts).float().unsqueeze(2)
    times = starts.any(dim=1).nonzero().flatten().tolist()
    return {int(t): kept[t] for t in times}


class GRUSteps(torch.autograd.Function):
    """r, z = σ(x + p)   n = tanh(x_n + r p_n)   h' = n + z (h - n), with p = U h + c."""

    @staticmethod
    def forward(
        ctx: Any, of_inputs: Tensor, state: Tensor, of_state: Tensor, bias: Tensor, keeps: Keeps
    ) -> Tensor:
        """Return outputs [L, B, H].

        Args:
            ctx: torch's.
            of_inputs: x, W x + b of the gates r, z and n, [L, B, 3 H].
            state: h before the first step, [B, H], a constant.
            of_state: U, [3 H, H].
            bias: c, [3 H].
            keeps: where something starts.
        """
        L, B, width = of_inputs.shape
        H = width // 3
        outputs, candidates = (of_inputs.new_empty(L, B, H) for _ in range(2))
        products, gates = of_inputs.new_empty(L, B, 3 * H), of_inputs.new_empty(L, B, 2 * H)
        walks = (
            *of_inputs.split([2 * H, H], dim=2),
            *(products, *products.split([2 * H, H], dim=2)),
            *(gates, *gates.chunk(2, dim=2)),
            *(candidates, outputs),
        )
        before, transposed = [], of_state.t()
        steps = zip(*(walk.unbind() for walk in walks), strict=True)
        for t, (x_rz, x_n, p, p_rz, p_n, rz, r, z, n, after) in enumerate(steps):
            if t in keeps:
                state = state * keeps[t]
            before.append(state)
            torch.addmm(bias, state, transposed, out=p)
            torch.add(x_rz, p_rz, out=rz).sigmoid_()
            torch.addcmul(x_n, r, p_n, out=n).tanh_()
            state = torch.lerp(n, state, z, out=after)
        ctx.save_for_backward(torch.stack(before), products, gates, candidates, of_state)
        ctx.keeps = keeps
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Go back through time.

        With e = dL/dh': dx_n = e (1 - z) (1 - n²), dx_z = e (h - n) z (1 - z),
        dx_r = dx_n p_n r (1 - r); dp is the same but for dp_n = dx_n r; dL/dh = e z + Uᵀ dp.
        """
        before, products, gates, n, of_state = ctx.saved_tensors
        L, B, H = n.shape
        r, z = gates.chunk(2, dim=2)
        slope = (1 - z) * (1 - n.square())
        slope_n = slope * r
        slope_r = slope_n * products[:, :, 2 * H :] * (1 - r)
        slopes = torch.stack([slope_r, (before - n) * z * (1 - z), slope_n], dim=2)
        errors, of_products = grad.clone(memory_format=torch.contiguous_format), slopes
        walks = (errors, errors.unsqueeze(2), z, of_products, of_products.flatten(2))
        steps = list(zip(*(walk.unbind() for walk in walks), strict=True))
        for t in range(L - 1, -1, -1):
            error, for_gates, kept, dp, flat = steps[t]
            dp.mul_(for_gates)
            if t:
                passed = torch.addmm(error * kept, flat, of_state)
                steps[t - 1][0].add_(passed * ctx.keeps[t] if t in ctx.keeps else passed)
        of_inputs = of_products.clone()
        torch.mul(errors, slope, out=of_inputs[:, :, 2])
        rows = of_products.view(L * B, 3 * H)
        return of_inputs.flatten(2), None, rows.t() @ before.view(L * B, H), rows.sum(0), None
