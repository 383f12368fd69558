"""The workers' memory is locked for a GPU, and given back; a stand-in takes CUDA's place."""

import logging
from typing import Any

import pytest
import torch

from tests.workers.pool_probes import GameProbe
from tests.workers.pools import make_pool
from training.ranks.page_locking import page_locked

CUDA = torch.device("cuda", 0)


class Runtime:
    """Says what was asked of it."""

    def __init__(self, code: int = 0) -> None:
        self.code = code
        self.asked: list[tuple[Any, ...]] = []

    def cudaHostRegister(self, address: int, num_bytes: int, flags: int) -> int:  # noqa: N802
        self.asked.append(("lock", address, num_bytes, flags))
        return self.code

    def cudaHostUnregister(self, address: int) -> int:  # noqa: N802
        self.asked.append(("unlock", address))
        return 0


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Runtime:
    runtime = Runtime()
    monkeypatch.setattr(torch.cuda, "cudart", lambda: runtime)
    return runtime


def test_the_memory_of_all_batches_is_locked_and_unlocked_once(runtime: Runtime) -> None:
    with make_pool(GameProbe) as pool:
        memory = pool.shared_memory
        observations = pool.reset()
        inside = memory.ctypes.data <= observations.ctypes.data
        assert inside
        assert observations.ctypes.data + observations.nbytes <= memory.ctypes.data + memory.nbytes
        with page_locked(pool, CUDA):
            assert runtime.asked == [("lock", memory.ctypes.data, memory.nbytes, 0)]
        assert runtime.asked[1:] == [("unlock", memory.ctypes.data)]


def test_the_cpu_needs_no_lock(runtime: Runtime) -> None:
    with make_pool(GameProbe) as pool, page_locked(pool, torch.device("cpu")):
        pass
    assert runtime.asked == []


def test_a_refused_lock_is_told_and_not_undone(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    runtime.code = 2
    with caplog.at_level(logging.WARNING), make_pool(GameProbe) as pool, page_locked(pool, CUDA):
        pass
    assert [name for name, *_ in runtime.asked] == ["lock"]
    assert "could not be page-locked (CUDA error 2)" in caplog.text
