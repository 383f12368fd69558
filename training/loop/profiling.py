"""The PyTorch profiler around a few updates; nothing at all where it was not asked for."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import torch
from torch._C._profiler import _ExperimentalConfig
from torch.profiler import ProfilerActivity, profile, record_function, schedule
from torch.profiler import tensorboard_trace_handler as trace_handler

from training.loop.stopwatch import Stopwatch

SKIPPED_UPDATES = 1
WARM_UPDATES = 1
RECORDED_UPDATES = 2
PROFILED_UPDATES = SKIPPED_UPDATES + WARM_UPDATES + RECORDED_UPDATES
TOP_OPERATORS = 15
PYTHON_FUNCTION = re.compile(r"\.py\(\d+\): |<built-in |nn\.Module: ")
PART = "scout/"  # begins the names of the loop's own parts in a trace


class Profiler(Protocol):
    """Told after each update."""

    def step(self) -> None:
        """Mark the end of an update."""


class NullProfiler:
    """Profiles nothing."""

    def step(self) -> None:
        """Do nothing."""


class TracedStopwatch(Stopwatch):
    """Also lays the blocks that it measures into the trace, the wait for workers among them."""

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Add the time of the block to `name`, in the trace too."""
        with record_function(PART + name), super().measure(name):
            yield


@contextmanager
def torch_profiler(
    folder: Path, rank: int, say: Callable[[str], None], *, all_threads: bool = False
) -> Iterator[Profiler]:
    """Record two updates after two of warm-up; write a trace to `folder` and a table beside it.

    The trace holds operators and the Python functions that called them; it opens in TensorBoard's
    profile plugin and in Perfetto. The table lists the operators that took longest.

    Args:
        folder: where all ranks write.
        rank: this rank.
        say: prints the table, and what takes long.
        all_threads: also record what other threads than this one compute on the CPU.
    """
    activities = [ProfilerActivity.CPU]
    if torch.cuda.is_available():
        activities.append(ProfilerActivity.CUDA)
    folder.mkdir(parents=True, exist_ok=True)
    write = trace_handler(str(folder), worker_name=f"rank{rank}", use_gzip=True)

    def write_trace(profiler: profile) -> None:
        if profiler.step_num > SKIPPED_UPDATES + WARM_UPDATES:  # else it is all but empty
            say(f"writing the trace to {folder} and adding up its operators, which takes a while")
        write(profiler)

    with profile(
        activities=activities,
        schedule=schedule(
            wait=SKIPPED_UPDATES, warmup=WARM_UPDATES, active=RECORDED_UPDATES, repeat=1
        ),
        on_trace_ready=write_trace,
        record_shapes=True,
        with_stack=True,
        experimental_config=_ExperimentalConfig(profile_all_threads=all_threads),
    ) as profiler:
        yield profiler
    if profiler.step_num <= SKIPPED_UPDATES + WARM_UPDATES:
        return  # stopped before anything was recorded
    table = top_operators(profiler.key_averages())
    (folder / f"top_operators_rank{rank}.txt").write_text(table + "\n")
    say(f"{table}\ntraces of all ranks: {folder} (make start_tensorboard_profiles)")


class _Averages(Protocol):
    """What is known of an operator: sums over its calls, in microseconds."""

    key: str
    count: int
    self_cpu_time_total: float
    cpu_time_total: float
    self_device_time_total: float


def top_operators(averages: Sequence[_Averages]) -> str:
    """Return two tables: the parts of the loop, and the operators with the most time of their own.

    The time of a GPU has a column where one was used.
    """
    parts = [one for one in averages if one.key.startswith(PART)]
    operators = [one for one in averages if _is_operator(one.key)]
    on_gpu = any(one.self_device_time_total for one in operators)

    def own_time(one: _Averages) -> float:
        return one.self_cpu_time_total + one.self_device_time_total

    operators.sort(key=own_time, reverse=True)
    parts.sort(key=lambda one: one.cpu_time_total, reverse=True)
    total = sum(own_time(one) for one in operators) or 1.0
    lines = [f"{'part of the loop':<48}{'calls':>8}{'ms':>11}"]
    lines += [f"{one.key:<48}{one.count:>8}{one.cpu_time_total / 1e3:>11.1f}" for one in parts]
    heading = f"{'operator':<48}{'calls':>8}{'ms':>11}{'own ms':>11}"
    lines += ["", heading + (f"{'GPU ms':>11}" if on_gpu else "") + f"{'share':>8}"]
    for one in operators[:TOP_OPERATORS]:
        row = f"{one.key[:47]:<48}{one.count:>8}{one.cpu_time_total / 1e3:>11.1f}"
        row += f"{one.self_cpu_time_total / 1e3:>11.1f}"
        row += f"{one.self_device_time_total / 1e3:>11.1f}" if on_gpu else ""
        lines.append(row + f"{own_time(one) / total:>8.1%}")
    return "\n".join(lines)


def _is_operator(key: str) -> bool:
    """Whether an entry is no part of the loop, no step of the profiler and no Python function."""
    return not key.startswith((PART, "ProfilerStep")) and not PYTHON_FUNCTION.search(key)
