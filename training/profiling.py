"""The PyTorch profiler around a few updates; nothing at all where it was not asked for."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import torch
from torch.profiler import ProfilerActivity, profile, schedule, tensorboard_trace_handler

SKIPPED_UPDATES = 1
WARM_UPDATES = 1
RECORDED_UPDATES = 3
PROFILED_UPDATES = SKIPPED_UPDATES + WARM_UPDATES + RECORDED_UPDATES


class Profiler(Protocol):
    """Told after each update."""

    def step(self) -> None:
        """Mark the end of an update."""


class NullProfiler:
    """Profiles nothing."""

    def step(self) -> None:
        """Do nothing."""


@contextmanager
def torch_profiler(folder: Path, rank: int) -> Iterator[Profiler]:
    """Record three updates after two of warm-up; write a trace to `folder` and a table beside it.

    The trace opens in TensorBoard's profile plugin and in Perfetto; the table lists the operators
    that took longest.
    """
    activities = [ProfilerActivity.CPU]
    if torch.cuda.is_available():
        activities.append(ProfilerActivity.CUDA)
    folder.mkdir(parents=True, exist_ok=True)
    trace = tensorboard_trace_handler(str(folder), worker_name=f"rank{rank}")
    with profile(
        activities=activities,
        schedule=schedule(
            wait=SKIPPED_UPDATES, warmup=WARM_UPDATES, active=RECORDED_UPDATES, repeat=1
        ),
        on_trace_ready=trace,
        record_shapes=True,
    ) as profiler:
        yield profiler
    if profiler.step_num <= SKIPPED_UPDATES + WARM_UPDATES:
        return  # stopped before anything was recorded
    table = profiler.key_averages().table(sort_by="self_cpu_time_total", row_limit=20)
    (folder / f"top_operators_rank{rank}.txt").write_text(table)
