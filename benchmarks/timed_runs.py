"""Runs of main.py --train that are watched from outside, and what their loop took.

A run begins with a short warm-up and one update that do not count. The figures are those between
the first row of its metrics.jsonl and the last; a row carries the time at which it was written, and
the CPU time of all processes is read ten times a second and interpolated to these times.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.kept_program import KeptProgram
from benchmarks.process_tree import ProcessTree
from benchmarks.runs import PROJECT
from configs.loading import load_config
from training.reports.rows import Row, read_rows

NAME = "timed"
READ_EVERY = 0.1  # seconds
LAST_LINES = 30  # of a failed run's output
SHARES = ("collect", "act", "learn", "sync", "save")
# A row for each update; random play enough to start the statistics and no more.
COMMON = ("LogEvery=1", "ObsNormStep=1", "SSLPretraining=0")


@dataclass(frozen=True)
class Plan:
    """A run to be timed.

    Attributes:
        recipe: the .conf file.
        overrides: "Key=Value" texts; the last of a key wins.
        updates: those that count; one more comes before them.
        num_envs: environments of a rank, or None for the recipe's.
        ranks: agent processes under torchrun, or None for plain python.
        cores: the cores that the run may use, or None for all.
        limit: seconds after which it is ended, or None for never.
    """

    recipe: Path
    overrides: tuple[str, ...]
    updates: int
    num_envs: int | None = None
    ranks: int | None = None
    cores: tuple[int, ...] | None = None
    limit: float | None = None

    def check(self) -> None:
        """Read the recipe as the run will.

        Raises:
            ConfigurationError: it says something that it must not.
        """
        load_config(self.recipe, self.settings())

    def settings(self) -> list[str]:
        """Return all "Key=Value" texts, one of a key."""
        chosen = (text.partition("=") for text in (*COMMON, *self.overrides))
        last = {key.strip().casefold(): (key, value) for key, _, value in chosen}
        return [f"{key}={value}" for key, value in last.values()]

    def command(self) -> list[str]:
        """Return the command line."""
        start = [sys.executable]
        if self.ranks is not None:
            start += ["-m", "torch.distributed.run", "--nnodes", "1", "--standalone"]
            start += ["--nproc_per_node", str(self.ranks)]
        train = ["--train", "--config_path", str(self.recipe.resolve()), "--log_name", NAME]
        train += ["--profile_updates", str(self.updates + 1)]
        train += [] if self.num_envs is None else ["--num_env_per_process", str(self.num_envs)]
        sets = [part for text in self.settings() for part in ("--set", text)]
        return [*start, str(PROJECT / "main.py"), *train, *sets]


@dataclass(frozen=True)
class Timing:
    """What the loop of a run took, all ranks and workers together.

    Attributes:
        steps_per_second: env steps.
        cpu: microseconds per env step.
        steps_per_update: env steps.
        shares: part of the ranks' time by name; "act" lies within "collect".
        memory: MB at most, shared pages once.
        span: when that began and ended, seconds since 1970.
    """

    steps_per_second: float
    cpu: float
    steps_per_update: float
    shares: Mapping[str, float]
    memory: float
    span: tuple[float, float]

    @property
    def wall(self) -> float:
        """Microseconds per env step."""
        return 1e6 / self.steps_per_second


@dataclass(frozen=True)
class CpuCurve:
    """CPU seconds of a run at times in seconds since 1970, rising, [n] each."""

    times: list[float]
    seconds: list[float]

    def at(self, moment: float) -> float:
        """Return the CPU seconds at a time."""
        return float(np.interp(moment, self.times, self.seconds))


def time_in_turns(plans: Mapping[str, Plan], repeats: int) -> dict[str, list[Timing]]:
    """Run all plans one after the other, `repeats` times over; tell standard error which.

    Raises:
        ConfigurationError: a plan's recipe cannot be read; nothing has been run.
    """
    for plan in plans.values():
        plan.check()
    timings: dict[str, list[Timing]] = {name: [] for name in plans}
    for repeat in range(repeats):
        for name, plan in plans.items():
            print(f"turn {repeat + 1} of {repeats}: {name}", file=sys.stderr, flush=True)
            timings[name].append(time_run(plan))
    return timings


def time_run(plan: Plan) -> Timing:
    """Run to the end in a temporary folder and return the figures.

    Raises:
        SystemExit: the run failed; its last words have been printed.
        TimeoutError: it took longer than the plan's limit, and has been ended.
    """
    with tempfile.TemporaryDirectory(prefix="scout-bench-") as name:
        folder = Path(name)
        curve, memory = _run(plan, folder)
        return timing(read_rows(folder / "logs/runs" / NAME), curve, memory)


def timing(rows: Sequence[Row], cpu: CpuCurve, memory: float) -> Timing:
    """Return the figures between the first row and the last.

    Args:
        rows: at least two.
        cpu: of all processes.
        memory: MB.
    """
    first, last = rows[0], rows[-1]
    steps = last["env_steps"] - first["env_steps"]
    lengths = np.diff([row["wall_time"] for row in rows])
    shares = {
        name: float(np.average([row[f"time/fraction_{name}"] for row in rows[1:]], weights=lengths))
        for name in SHARES
    }
    used = cpu.at(last["wall_time"]) - cpu.at(first["wall_time"])
    return Timing(
        steps_per_second=steps / float(lengths.sum()),
        cpu=used / steps * 1e6,
        steps_per_update=steps / (len(rows) - 1),
        shares=shares,
        memory=memory,
        span=(first["wall_time"], last["wall_time"]),
    )


def _run(plan: Plan, folder: Path) -> tuple[CpuCurve, float]:
    """Watch a run to its end; return the CPU time on the way and the most memory."""
    output = folder / "output.txt"
    inherited = {key: text for key, text in os.environ.items() if key not in {"RANK", "WORLD_SIZE"}}
    with output.open("wb") as file, _only_on(plan.cores):
        process = KeptProgram(
            plan.command(),
            cwd=folder,
            env=inherited | {"OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    tree, curve = ProcessTree(process.pid), CpuCurve([], [])
    end = float("inf") if plan.limit is None else time.monotonic() + plan.limit
    try:
        while process.poll() is None:
            if time.monotonic() > end:
                raise TimeoutError(f"the run took longer than {plan.limit:.0f} s")
            curve.times.append(time.time())
            curve.seconds.append(tree.cpu_seconds())
            time.sleep(READ_EVERY)
    finally:
        process.terminate()  # torchrun tells its ranks; no more than a word where it has ended
        code = process.wait()
    if code:
        last_words = output.read_text(errors="replace").splitlines()[-LAST_LINES:]
        raise SystemExit("\n".join([*last_words, f"{' '.join(plan.command())} ended with {code}"]))
    return curve, tree.peak_memory


@contextmanager
def _only_on(cores: tuple[int, ...] | None) -> Iterator[None]:
    """Let what is started within run on these cores alone."""
    before = os.sched_getaffinity(0)
    if cores is not None:
        os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
