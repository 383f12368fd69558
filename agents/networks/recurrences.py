"""GRU and LSTM along sequences in which episodes begin, with a backward pass of their own.

Backpropagation through time in closed form: the derivatives of all gates are taken for all steps at
once, and only the chain through the state is walked. Small networks learn in half the time that
torch's autograd needs, and the state is reset by data, wherever an episode begins.

Axes: L steps, B sequences, H units, G gates.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class GRUSequence(torch.autograd.Function):
    """Cho et al. 2014, arXiv 1406.1078, with the reset gate after the product, as in cuDNN.

        h' = k_t h_{t-1}
        r, z = σ(x_t + U h' + b)    n = tanh(x_t + r (U h' + b))    h_t = (1 - z) n + z h'

    Args:
        of_inputs: [L, B, 3 H], x: what the inputs add to r, z and n.
        kept: [L, B, 1], k: 0 where an episode begins, else 1.
        state: [B, H], h before the first step; no gradient flows there.
        weight: [3 H, H], U. bias: [3 H], b.

    Returns:
        [L, B, H], h.
    """

    @staticmethod
    def forward(
        ctx: Any, of_inputs: Tensor, kept: Tensor, state: Tensor, weight: Tensor, bias: Tensor
    ) -> Tensor:
        """Walk forward; see the class."""
        L, B, H = *of_inputs.shape[:2], state.shape[1]
        earlier, candidates, states = of_inputs.new_empty(3, L, B, H).unbind()
        of_states, gates = torch.empty_like(of_inputs), of_inputs.new_empty(L, B, 2 * H)
        transposed = weight.t()
        x, u = of_inputs.split((2 * H, H), dim=2), of_states.split((2 * H, H), dim=2)
        rows = (kept, *x, of_states, *u, gates, *gates.chunk(2, dim=2), earlier, candidates, states)
        for k, x_rz, x_n, product, u_rz, u_n, rz, r, z, before, n, h in _steps(*rows):
            torch.mul(state, k, out=before)
            torch.addmm(bias, before, transposed, out=product)
            torch.add(x_rz, u_rz, out=rz).sigmoid_()
            torch.addcmul(x_n, r, u_n, out=n).tanh_()
            state = torch.lerp(n, before, z, out=h)
        ctx.save_for_backward(kept, weight, earlier, u[1], gates, candidates)
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_outputs: Tensor) -> tuple[Tensor | None, ...]:
        """Walk backward: each gate's share is dL/dh times a factor that is known beforehand."""
        kept, weight, earlier, of_states, gates, n = ctx.saved_tensors
        L, B, H = n.shape
        r, z = gates.chunk(2, dim=2)
        d_n = (1 - z) * (1 - n * n)
        d_r, d_z = d_n * of_states * r * (1 - r), (earlier - n) * z * (1 - z)
        factors = torch.stack([d_r, d_z, d_n * r], dim=2)  # [L, B, G, H]
        shares, totals = torch.empty_like(factors), torch.empty_like(n)
        coming = torch.zeros_like(n[0])
        rows = (of_outputs, kept, z * kept, factors, shares, shares.flatten(2), totals)
        for from_output, k, passed, factor, share, flat, total in reversed(list(_steps(*rows))):
            torch.add(coming, from_output, out=total)
            torch.mul(total.unsqueeze(1), factor, out=share)
            coming = torch.addcmul(total * passed, torch.mm(flat, weight), k)
        flat = shares.view(L * B, -1)
        of_inputs = torch.stack([shares[:, :, 0], shares[:, :, 1], d_n * totals], dim=2).flatten(2)
        return of_inputs, None, None, flat.t() @ earlier.view(L * B, H), flat.sum(dim=0)


class LSTMSequence(torch.autograd.Function):
    """Hochreiter and Schmidhuber 1997 with the forget gate of Gers et al. 2000.

        h' = k_t h_{t-1}    c' = k_t c_{t-1}
        o, i, f = σ(x_t + U h')    g = tanh(x_t + U h')    c_t = f c' + i g    h_t = o tanh(c_t)

    Args:
        of_inputs: [L, B, 4 H], x: what the inputs add to o, i, f and g, the bias included.
        kept: [L, B, 1], k: 0 where an episode begins, else 1.
        state, cell: [B, H], h and c before the first step; no gradient flows there.
        weight: [4 H, H], U.

    Returns:
        [L, B, H] each: h, and c, through which no gradient flows back.
    """

    @staticmethod
    def forward(
        ctx: Any, of_inputs: Tensor, kept: Tensor, state: Tensor, cell: Tensor, weight: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Walk forward; see the class."""
        L, B, H = *of_inputs.shape[:2], state.shape[1]
        blank = of_inputs.new_empty(5, L, B, H)
        earlier, earlier_cells, cells, squashed, states = blank.unbind()
        gates, transposed = torch.empty_like(of_inputs), weight.t()
        each = (gates, gates[..., : 3 * H], *gates.chunk(4, dim=2))
        rows = (kept, of_inputs, *each, earlier, earlier_cells, cells, squashed, states)
        for k, x, product, oif, o, i, f, g, before, cell_before, c, c_tanh, h in _steps(*rows):
            torch.mul(state, k, out=before)
            torch.mul(cell, k, out=cell_before)
            torch.addmm(x, before, transposed, out=product)
            oif.sigmoid_()
            g.tanh_()
            cell = torch.mul(f, cell_before, out=c).addcmul_(i, g)
            state = torch.mul(o, torch.tanh(c, out=c_tanh), out=h)
        ctx.save_for_backward(kept, weight, earlier, earlier_cells, squashed, gates)
        ctx.mark_non_differentiable(cells)
        return states, cells

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_outputs: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        """Walk backward: a gate's share is dL/dh or dL/dc times a factor known beforehand."""
        kept, weight, earlier, earlier_cells, squashed, gates = ctx.saved_tensors
        L, B, H = earlier.shape
        o, i, f, g = gates.chunk(4, dim=2)
        d_o, d_c = squashed * o * (1 - o), o * (1 - squashed * squashed)
        d_i, d_f = g * i * (1 - i), earlier_cells * f * (1 - f)
        factors = torch.stack([d_i, d_f, i * (1 - g * g)], dim=2)  # [L, B, 3, H]
        shares = gates.new_empty(L, B, 4, H)
        coming = of_cell = torch.zeros_like(earlier[0])
        of_o, of_ifg, flat = shares[:, :, 0], shares[:, :, 1:], shares.flatten(2)
        rows = (of_outputs, kept, f * kept, d_o, d_c, factors, of_o, of_ifg, flat)
        for row in reversed(list(_steps(*rows))):
            from_output, k, passed, for_o, for_c, factor, share_o, share_ifg, flat = row
            total = coming + from_output
            of_cell = torch.addcmul(of_cell, total, for_c)
            torch.mul(total, for_o, out=share_o)
            torch.mul(of_cell.unsqueeze(1), factor, out=share_ifg)
            coming, of_cell = torch.mm(flat, weight) * k, of_cell * passed
        flat = shares.view(L * B, -1)
        return shares.flatten(2), None, None, None, flat.t() @ earlier.view(L * B, H)


def _steps(*rows: Tensor) -> Any:
    """Go along the first axis of all tensors at once."""
    return zip(*(row.unbind() for row in rows), strict=True)
