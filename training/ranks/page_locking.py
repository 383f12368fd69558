"""The memory that workers write into, made fit for copies that a GPU does by itself."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from workers.environment_pool import EnvironmentPool

_LOG = logging.getLogger(__name__)


@contextmanager
def page_locked(pool: EnvironmentPool, device: torch.device) -> Iterator[None]:
    """Lock the pool's shared memory while a GPU reads from it; enter after the pool.

    From locked memory the GPU copies beside its other work and nobody waits for it. A copy is done
    before the memory is written again: the actions that let the workers go on are fetched from the
    same stream after it. Without the lock copies are only slower.
    """
    memory = pool.shared_memory
    if device.type != "cuda" or memory is None:
        yield
        return
    address = memory.ctypes.data
    runtime = torch.cuda.cudart()
    code = int(runtime.cudaHostRegister(address, memory.nbytes, 0))
    if code != 0:
        _LOG.warning(
            "the workers' %s bytes of shared memory could not be page-locked (CUDA error %d): "
            "copies to the GPU are slower; raise the limit of locked memory (ulimit -l)",
            f"{memory.nbytes:,}",
            code,
        )
    try:
        yield
    finally:
        if code == 0:
            runtime.cudaHostUnregister(address)
