"""Sums of float32 over ranks with gloo, timed in processes of their own."""

import json
import multiprocessing
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle, send_handle
from pathlib import Path
from typing import Any

from benchmarks.all_reduce.made_up_network import DEVICE, Link, Switch, leave_network
from benchmarks.kept_program import run_kept
from benchmarks.runs import PROJECT

WARM_UP = 2
AS_ROOT = ("unshare", "--map-root-user")


class LinkRefusedError(Exception):
    """The kernel, or the user's rights, do not allow the made-up cables."""


@dataclass(frozen=True)
class Transfer:
    """What each of n all-reduces took, in seconds.

    Attributes:
        wall: [n], of the slowest rank.
        cpu: [n], of all ranks together.
    """

    wall: list[float]
    cpu: list[float]


def transfer(ranks: int, numbers: int, repeats: int, link: Link | None) -> Transfer:
    """Sum `numbers` float32 over so many ranks, `repeats` times, in processes of their own.

    Args:
        ranks: at least 2.
        numbers: of one rank.
        repeats: all-reduces that count.
        link: the cable of each rank, or None for the loopback.

    Raises:
        LinkRefusedError: the cables cannot be had; says why.
    """
    command = [sys.executable, "-m", "benchmarks.all_reduce", "--json", "--ranks", str(ranks)]
    command += ["--numbers", str(numbers), "--repeats", str(repeats)]
    if link is not None:
        command = [*([] if os.geteuid() == 0 else AS_ROOT), *command]
        command += ["--rate", str(link.rate), "--delay", str(link.delay)]
    done = run_kept(command, cwd=PROJECT)
    if done.returncode and link is not None:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise LinkRefusedError(last[0])
    done.check_returncode()
    return Transfer(**json.loads(done.stdout))


def sum_over_ranks(ranks: int, numbers: int, repeats: int, link: Link | None) -> Transfer:
    """Do what `transfer` says, without another process between.

    Raises:
        OSError: the cables cannot be had.
    """
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        pipes = []
        for rank in range(ranks):
            ours, theirs = context.Pipe()
            job = (rank, ranks, numbers, repeats, str(Path(folder) / "store"), theirs)
            start = _be_rank if link is None else _be_rank_elsewhere
            context.Process(target=start, args=job, daemon=True).start()
            theirs.close()
            pipes.append(ours)
        if link is not None:
            Switch([_receive_tunnel(pipe) for pipe in pipes], link).start()
            for pipe in pipes:
                pipe.send(None)
        told = [pipe.recv() for pipe in pipes]
    walls, cpus = ([costs[kind] for costs in told] for kind in ("wall", "cpu"))
    return Transfer(
        wall=[max(of_ranks) for of_ranks in zip(*walls, strict=True)],
        cpu=[sum(of_ranks) for of_ranks in zip(*cpus, strict=True)],
    )


def _receive_tunnel(pipe: "Connection[Any, Any]") -> int:
    refused = pipe.recv()
    if refused is not None:
        raise OSError(refused)
    return recv_handle(pipe)


def _be_rank_elsewhere(
    rank: int, ranks: int, numbers: int, repeats: int, store: str, pipe: "Connection[Any, Any]"
) -> None:
    """Be a rank at the end of a made-up cable, or tell why there is none."""
    try:
        tunnel = leave_network(rank)
    except OSError as error:
        pipe.send(str(error))
        return
    pipe.send(None)
    send_handle(pipe, tunnel, os.getppid())
    pipe.recv()
    _be_rank(rank, ranks, numbers, repeats, store, pipe, DEVICE)


def _be_rank(
    rank: int,
    ranks: int,
    numbers: int,
    repeats: int,
    store: str,
    pipe: "Connection[Any, Any]",
    device: str = "lo",
) -> None:
    """Sum with the others, and tell the costs through the pipe."""
    # The parent does without torch.
    import torch  # noqa: PLC0415
    import torch.distributed as dist  # noqa: PLC0415

    os.environ["GLOO_SOCKET_IFNAME"] = device
    torch.set_num_threads(1)
    meeting = dist.FileStore(store, ranks)  # type: ignore[attr-defined] # not in __all__
    dist.init_process_group("gloo", store=meeting, rank=rank, world_size=ranks)
    values = torch.empty(numbers)
    costs: dict[str, list[float]] = {"wall": [], "cpu": []}
    for repeat in range(-WARM_UP, repeats):
        values.fill_(1.0)
        dist.barrier()
        cpu, wall = time.process_time(), time.perf_counter()
        dist.all_reduce(values)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        if repeat >= 0:
            costs["wall"].append(wall)
            costs["cpu"].append(cpu)
    dist.barrier()
    pipe.send(costs)
    os._exit(0)  # taking gloo's threads down aborts now and then
