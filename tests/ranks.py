"""Ranks for tests: this process as the only one, or several real ones that talk through gloo."""

import importlib
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist

from agents.ranks import Ranks

ROOT = Path(__file__).resolve().parent.parent
COLLECTIVE_TIMEOUT = timedelta(seconds=120)
DEADLINE = 250.0  # seconds for all ranks together, on a machine that is busy beyond measure
FUNCTION = "function.pickle"

ResultT = TypeVar("ResultT")


@contextmanager
def only_rank() -> Iterator[Ranks]:
    """Make this process the only rank for a while, with one torch thread as in `run_in_ranks`.

    The starting weights come from a decomposition whose last bits depend on the threads.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    store = dist.HashStore()  # type: ignore[attr-defined] # not in __all__
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        yield Ranks(torch.device("cpu"))
    finally:
        dist.destroy_process_group()
        torch.set_num_threads(threads)


def run_in_ranks(
    function: Callable[[Ranks], ResultT], world_size: int, folder: Path
) -> list[ResultT]:
    """Call `function` in `world_size` processes, one torch thread each; return what each returned.

    One fresh interpreter imports torch and forks the ranks before any thread is started: much
    cheaper than an interpreter for each.

    Args:
        function: picklable by its name; so is what it returns.
        world_size: number of ranks.
        folder: an empty folder for what the processes tell each other.

    Raises:
        AssertionError: a rank raised or died; with the ranks' own words.
        subprocess.TimeoutExpired: they did not end in time.
    """
    (folder / FUNCTION).write_bytes(pickle.dumps(function))
    mother = subprocess.Popen(
        [sys.executable, "-m", "tests.ranks", str(folder), str(world_size)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    with mother:
        try:
            words, _ = mother.communicate(timeout=DEADLINE)
        except BaseException:
            os.killpg(mother.pid, signal.SIGKILL)  # the ranks and whatever they started
            raise
    assert mother.returncode == 0, f"a rank failed:\n{words}"
    return [
        pickle.loads((folder / f"{rank}.pickle").read_bytes())  # our own processes wrote them
        for rank in range(world_size)
    ]


def _fork_ranks(folder: Path, world_size: int) -> int:
    """Run all ranks to their end; return how many failed."""
    function = pickle.loads((folder / FUNCTION).read_bytes())
    importlib.import_module("torch._dynamo")  # each rank's DistributedDataParallel would import it
    context = multiprocessing.get_context("fork")
    processes = [
        context.Process(target=_be_rank, args=(function, rank, world_size, folder))
        for rank in range(world_size)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return sum(process.exitcode != 0 for process in processes)


def _be_rank(function: Callable[[Ranks], object], rank: int, world_size: int, folder: Path) -> None:
    torch.set_num_threads(1)
    store = dist.FileStore(str(folder / "store"), world_size)  # type: ignore[attr-defined] # as above
    dist.init_process_group(
        "gloo",
        store=store,
        rank=rank,
        world_size=world_size,
        timeout=COLLECTIVE_TIMEOUT,
    )
    result = function(Ranks(torch.device("cpu")))
    (folder / f"{rank}.pickle").write_bytes(pickle.dumps(result))
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    sys.exit(_fork_ranks(Path(sys.argv[1]), int(sys.argv[2])))
