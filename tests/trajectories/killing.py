"""Writers that are killed, each a process of its own that had its imports before."""

import itertools
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.trajectories.made import DESCRIPTION, SCHEMA, episode
from trajectories.writer import ShardWriter

EPISODES_PER_SHARD = 2


def write_for_ever(folder: Path, writer: str, first_seed: int, told: Connection) -> None:
    """Write episodes, a shard for every two of them; tell how many the manifest names."""
    with ShardWriter(folder, SCHEMA, DESCRIPTION, writer) as into:
        for seed in itertools.count(first_seed):
            into.add(episode(seed, 6))
            if (seed - first_seed) % EPISODES_PER_SHARD == EPISODES_PER_SHARD - 1:
                into.flush()
            told.send((seed - first_seed + 1, into.num_episodes))


def write_some(folder: Path, writer: str, seeds: Sequence[int]) -> None:
    """Write these episodes."""
    with ShardWriter(folder, SCHEMA, DESCRIPTION, writer, shard_size=4_000) as into:
        for seed in seeds:
            into.add(episode(seed, 6))


def processes() -> multiprocessing.context.ForkServerContext:
    """Return a context whose processes start with all modules imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


@contextmanager
def writing(folder: Path, writer: str, first_seed: int) -> Iterator[tuple[BaseProcess, Connection]]:
    """Run a writer; it is killed at the end, if it was not before."""
    context = processes()
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=write_for_ever, args=(folder, writer, first_seed, theirs))
    process.start()
    theirs.close()
    try:
        yield process, ours
    finally:
        kill(process)


def kill(process: BaseProcess) -> None:
    """End a process as `kill -9` does."""
    if process.pid is not None and process.is_alive():
        os.kill(process.pid, signal.SIGKILL)
    process.join()


def write_until_killed(folder: Path, writer: str, first_seed: int, after: float) -> tuple[int, int]:
    """Kill a writer some seconds after its first episode.

    Returns:
        The last it told: episodes added, and those that the manifest names.
    """
    with writing(folder, writer, first_seed) as (process, told):
        last: tuple[int, int] = told.recv()
        time.sleep(after)
        kill(process)
        while told.poll():
            try:
                last = told.recv()
            except EOFError:
                break
    return last
