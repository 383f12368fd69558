"""A module whose gradients are those of all ranks."""

import warnings

import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel


def replicate(module: nn.Module) -> nn.Module:
    """Wrap a module so that its gradients are averaged over ranks; a single rank has nothing to.

    Statistics are merged over ranks exactly, by us: buffers stay apart.
    """
    if dist.get_world_size() == 1:
        return module
    with warnings.catch_warnings():
        # The successor of broadcast_buffers is not in every supported torch.
        warnings.simplefilter("ignore", FutureWarning)
        return DistributedDataParallel(module, broadcast_buffers=False)
