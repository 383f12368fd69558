"""What ranks tell each other: sums and gathers of tensors, never of pickled objects.

A rank is one agent process. Every method is a collective: all ranks must call it, in the
same order.
"""

import torch
import torch.distributed as dist
from torch import Tensor

from agents.losses.moments import Moments, merge_all

PIECE = 2**26  # bytes of a large message that are under way at a time


def bytes_tensor(data: bytes) -> Tensor:
    """Return a copy of `data` as uint8 [length]; torch.frombuffer alone refuses an empty one."""
    if not data:
        return torch.zeros(0, dtype=torch.uint8)
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)


class Ranks:
    """The process group of all agent processes, as seen from this one.

    A single rank answers by itself: through the group each question would cost two hand-overs
    between threads.

    Args:
        device: where collectives want their tensors (the GPU under NCCL, else the CPU).
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.rank = dist.get_rank()
        self.world_size = dist.get_world_size()

    def sum(self, values: Tensor) -> Tensor:
        """Return the element-wise sum of `values` over all ranks, on the device of `values`."""
        if self.world_size == 1:
            return values.clone()
        # gloo adds up memory as it lies: ranks must agree on its order.
        total = values.to(self.device, copy=True, memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total.to(values.device)

    def any(self, *, flag: bool) -> bool:
        """Whether `flag` is set on at least one rank."""
        if self.world_size == 1:
            return flag
        return bool(self.sum(torch.tensor(float(flag))).item() > 0)

    def gather(self, values: Tensor) -> list[Tensor]:
        """Return `values` of every rank, in the order of ranks; shapes must agree."""
        if self.world_size == 1:
            return [values.clone()]
        local = values.to(self.device).contiguous()
        gathered = [torch.empty_like(local) for _ in range(self.world_size)]
        dist.all_gather(gathered, local)
        return [part.to(values.device) for part in gathered]

    def gather_bytes(self, payload: bytes) -> list[bytes]:
        """Return the payload of every rank, in the order of ranks; lengths may differ."""
        if self.world_size == 1:
            return [payload]
        lengths = [int(n) for n in self.gather(torch.tensor(len(payload)))]
        padded = torch.zeros(max(*lengths, 1), dtype=torch.uint8)
        padded[: len(payload)] = bytes_tensor(payload)
        return [
            part[:length].numpy().tobytes()
            for part, length in zip(self.gather(padded), lengths, strict=True)
        ]

    def bytes_on_first(self, payload: bytes) -> list[Tensor]:
        """Return the payload of every rank as uint8 [length] on rank 0; other ranks get nothing.

        It goes in pieces: what is large is held by its own rank and by rank 0 alone.
        """
        if self.world_size == 1:
            return [bytes_tensor(payload)]
        lengths = [int(n) for n in self.gather(torch.tensor(len(payload)))]
        wholes = [torch.empty(n, dtype=torch.uint8) for n in lengths if self.rank == 0]
        for begin in range(0, max(lengths), PIECE):
            size = min(PIECE, max(lengths) - begin)
            own = bytes_tensor(payload[begin : begin + size])
            pieces = self.gather(torch.cat([own, own.new_zeros(size - len(own))]))
            for whole, piece in zip(wholes, pieces, strict=False):  # other ranks have no wholes
                here = whole[begin : begin + size]
                here.copy_(piece[: len(here)])
        return wholes

    def broadcast_bytes(self, payload: bytes) -> bytes:
        """Return rank 0's payload on every rank; the argument of other ranks is not looked at."""
        if self.world_size == 1:
            return payload
        length = torch.tensor(len(payload), device=self.device)
        dist.broadcast(length, src=0)
        data = torch.zeros(int(length.item()), dtype=torch.uint8, device=self.device)
        if self.rank == 0:
            data.copy_(bytes_tensor(payload))
        dist.broadcast(data, src=0)
        return data.cpu().numpy().tobytes()

    def merge(self, moments: Moments) -> Moments:
        """Return the moments of all ranks' data together (exact: Chan et al. 1979)."""
        flat = torch.cat(
            [moments.count.reshape(1), moments.mean.reshape(-1), moments.m2.reshape(-1)]
        )
        size = moments.mean.numel()
        return merge_all(
            [
                Moments(
                    part[0],
                    part[1 : 1 + size].reshape(moments.mean.shape),
                    part[1 + size :].reshape(moments.m2.shape),
                )
                for part in self.gather(flat)
            ]
        )
