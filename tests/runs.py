"""Runs of main.py in a folder of their own: as processes with a deadline, or in this process."""

import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

import main
from configs.typed import FRONT
from tests.records import run_path
from training.folders.last_word import LAST_WORD

MAIN = Path(main.__file__).resolve()
# Of a torchrun around the tests, and what make sets for its targets.
NOT_INHERITED = {"RANK", "WORLD_SIZE", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE", FRONT, LAST_WORD}
MARKER = "SCOUT_TEST_RUN"
DEADLINE = 250.0  # seconds, for a machine that is busy beyond measure
SECONDS_BETWEEN_LOOKS = 0.02
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP, signal.SIGQUIT)

CARTPOLE = """\
[Environment]
EnvType = classic_control
EnvID = CartPole-v1
MaxStepPerEpisode = auto
LearningReward = raw

[PPO]
NumStep = 16
Epoch = 2
MiniBatch = 2
LearningRate = 1e-3
StateHiddenSizes = 16, 16

[Intrinsic]
IntrinsicReward = RND
ObsNormStep = 1
RNDFeatureDim = 8
RNDStateHiddenSizes = 16

[Run]
TotalEnvSteps = 256
NumEnv = 2
saveCkptEvery = 4
"""

# For runs whose workers are looked at: without it, CartPole needs none.
WITH_WORKERS = "WorkerBackend = processes\n"

# The cap of 30 env steps is no multiple of the rollout: updates end within episodes.
PONG = """\
[Environment]
EnvType = atari
EnvID = PongNoFrameskip-v4
StickyAction = True
MaxStepPerEpisode = 30

[PPO]
NumStep = 8
Epoch = 2
MiniBatch = 2
ConvChannels = 4, 8, 8
HiddenSize = 16
FeatureDim = 16

[Intrinsic]
IntrinsicReward = RND
ObsNormStep = 1
RNDFeatureDim = 16
RNDHiddenSize = 16
RNDConvChannels = 4, 8, 8

[Run]
TotalEnvSteps = 128
NumEnv = 2
saveCkptEvery = 4
LearnerThreads = 1
"""


@dataclass(frozen=True)
class Ended:
    """What a run came to."""

    code: int
    output: str

    @property
    def last_line(self) -> str:
        return self.output.rstrip().splitlines()[-1]


class StartedRun:
    """A run under way; all its processes carry a mark of their own in their environment.

    Args:
        folder: where it runs, and so where its logs and checkpoints lie.
        arguments: of main.py.
        ranks: agent processes under torchrun, or None for plain python.
        environment: variables to add.
        torchrun: torchrun's own flags, beside the number of ranks.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        ranks: int | None = None,
        environment: Mapping[str, str] | None = None,
        torchrun: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.mark = secrets.token_hex(8)
        self._output = folder / f"output-{self.mark}.txt"
        command = [sys.executable]
        if ranks is not None:
            command += ["-m", "torch.distributed.run", "--standalone"]
            command += ["--nproc_per_node", str(ranks), *torchrun]
        inherited = {k: v for k, v in os.environ.items() if k not in NOT_INHERITED}
        own = {MARKER: self.mark, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [*command, str(MAIN), *arguments],
                cwd=folder,
                env=inherited | own | dict(environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self._output.read_text(errors="replace")

    def wait(self, deadline: float = DEADLINE) -> Ended:
        """Wait for the first process; where it takes too long all of them are killed."""
        try:
            code = self.process.wait(deadline)
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise AssertionError(f"not over after {deadline} s:\n{self.output}") from error
        return Ended(code, self.output)

    def processes(self) -> list[psutil.Process]:
        """Return all processes of this run that are alive."""
        return [p for p in psutil.process_iter() if _environment(p).get(MARKER) == self.mark]

    def rank(self, rank: int) -> psutil.Process:
        """Return the agent process of that rank."""
        return next(
            process
            for process in self.processes()
            if _environment(process).get("RANK") == str(rank) and _is_agent(process)
        )

    def kill(self) -> None:
        """Kill all processes of this run."""
        for process in self.processes():
            process.kill()
        self.process.wait()

    def wait_until(self, condition: Callable[[], bool], deadline: float = DEADLINE) -> None:
        """Wait for `condition`, as long as the run lives."""
        end = time.monotonic() + deadline
        while not condition():
            if time.monotonic() > end or self.process.poll() is not None:
                self.kill()
                raise AssertionError(f"what was waited for never came:\n{self.output}")
            time.sleep(SECONDS_BETWEEN_LOOKS)

    def wait_for_rows(self, name: str, count: int) -> None:
        """Wait until the run `name` has written `count` rows of figures."""
        path = run_path(self.folder, name) / "metrics.jsonl"
        self.wait_until(lambda: path.exists() and path.read_bytes().count(b"\n") >= count)

    def wait_for_words(self, words: str) -> None:
        """Wait until the run has said `words`."""
        self.wait_until(lambda: words in self.output)

    def left_after(self, seconds: float) -> list[str]:
        """Return the command lines of processes that are still there after `seconds`."""
        end = time.monotonic() + seconds
        while (left := self.processes()) and time.monotonic() < end:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        return [str(process) for process in left]


@contextmanager
def started(
    folder: Path,
    *arguments: str,
    ranks: int | None = None,
    environment: Mapping[str, str] | None = None,
    torchrun: Sequence[str] = (),
) -> Iterator[StartedRun]:
    """Start a run that is gone at the end of the block in any case."""
    run = StartedRun(folder, *arguments, ranks=ranks, environment=environment, torchrun=torchrun)
    try:
        yield run
    finally:
        run.kill()


def run_main(
    folder: Path,
    *arguments: str,
    ranks: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Run main.py to its end, as a process."""
    with started(folder, *arguments, ranks=ranks, environment=environment) as run:
        return run.wait()


def free_port() -> int:
    """Return a port of the loopback that nobody listens on just now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@contextmanager
def started_ranks(
    folder: Path,
    *arguments: str,
    ranks: int,
    environment: Mapping[str, str] | None = None,
    each: Sequence[Sequence[str]] | None = None,
) -> Iterator[list[StartedRun]]:
    """Start agent processes that meet by torchrun's variables alone; each has its exit code.

    `each` holds what is said to each rank beside `arguments`.
    """
    common = {
        **(environment or {}),
        "WORLD_SIZE": str(ranks),
        "LOCAL_WORLD_SIZE": str(ranks),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
    }
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                started(
                    folder,
                    *arguments,
                    *(each[rank] if each else ()),
                    environment=common | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
                )
            )
            for rank in range(ranks)
        ]


def run_ranks(folder: Path, *arguments: str, ranks: int, deadline: float = DEADLINE) -> None:
    """Run several agent processes to their end, without torchrun; they must end well."""
    with started_ranks(folder, *arguments, ranks=ranks) as runs:
        for run in runs:
            ended = run.wait(deadline)
            assert ended.code == 0, ended.output


def run_here(folder: Path, *arguments: str) -> int:
    """Run main.py's `main` in this process, which spares the imports; return the exit code."""
    root = logging.getLogger()
    before = Path.cwd(), root.handlers[:], root.level, torch.get_num_threads()
    handlers = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    root.handlers.clear()
    os.chdir(folder)
    try:
        return main.main(arguments)
    finally:
        os.chdir(before[0])
        root.handlers[:], root.level = before[1], before[2]
        torch.set_num_threads(before[3])
        for number, handler in handlers.items():
            signal.signal(number, handler)


def write_recipe(folder: Path, text: str, **values: object) -> Path:
    """Write a recipe with `values` in the place of its own; return its path."""
    lines = text.splitlines()
    for key, value in values.items():
        (place,) = [i for i, line in enumerate(lines) if line.split(" =")[0] == key]
        lines[place] = f"{key} = {value}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "recipe.conf"
    path.write_text("\n".join(lines) + "\n")
    return path


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        environment: dict[str, str] = process.environ()
    except psutil.Error:  # gone meanwhile, a zombie, or another user's
        return {}
    return environment


def _is_agent(process: psutil.Process) -> bool:
    return str(MAIN) in process.cmdline() and "spawn_main" not in " ".join(process.cmdline())
