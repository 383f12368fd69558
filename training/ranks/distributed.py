"""What torchrun gives a rank: its place, its device, its process group, and its end."""

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch.distributed import HashStore, Store  # type: ignore[attr-defined] # not in its __all__

from configs.errors import ConfigurationError, PeerLostError
from configs.typed import typed
from training.ranks.preflight import join_store

PEER_ERROR = re.compile(
    r"gloo|nccl|connection (closed|reset|refused)|broken pipe|timed? ?out|socket", re.IGNORECASE
)

INTERFACE_VARIABLES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")


@dataclass(frozen=True)
class Place:
    """Where this process stands among all agent processes."""

    rank: int
    world_size: int
    local_rank: int
    local_world_size: int

    @property
    def cores(self) -> int:
        """The cores this rank may use: its share of those this process may run on."""
        return max(1, len(os.sched_getaffinity(0)) // self.local_world_size)


def read_place() -> Place:
    """Read torchrun's variables; without them this is the only process.

    Raises:
        ConfigurationError: where a variable is not a number.

    """
    if "WORLD_SIZE" in os.environ and "RANK" not in os.environ:
        raise ConfigurationError(
            f"WORLD_SIZE={os.environ['WORLD_SIZE']} is set without RANK; start several processes "
            "with torchrun, or unset WORLD_SIZE for one"
        )
    try:
        return Place(
            rank=int(os.environ.get("RANK", "0")),
            world_size=int(os.environ.get("WORLD_SIZE", "1")),
            local_rank=int(os.environ.get("LOCAL_RANK", "0")),
            local_world_size=int(os.environ.get("LOCAL_WORLD_SIZE", "1")),
        )
    except ValueError as error:
        raise ConfigurationError(
            f"RANK, WORLD_SIZE, LOCAL_RANK and LOCAL_WORLD_SIZE must be numbers: {error}"
        ) from error


def choose_device(place: Place, gpu_id: int | None) -> torch.device:
    """Return this rank's device: its own GPU where there are any, else the CPU.

    Raises:
        ConfigurationError: where the GPU asked for, or one for each rank, is not there.

    """
    count = torch.cuda.device_count()
    if gpu_id is not None:
        if place.world_size != 1:
            raise ConfigurationError(
                f"{typed('--gpu_id')} needs exactly one process, but there are {place.world_size}; "
                "leave it out and every process takes a GPU of its own"
            )
        if not 0 <= gpu_id < count:
            raise ConfigurationError(
                f"{typed('--gpu_id', gpu_id)}: this machine has {count} usable GPU(s)"
                + (f", numbered 0 to {count - 1}" if count else f"; leave {typed('--gpu_id')} out")
            )
        return torch.device("cuda", gpu_id)
    if count == 0:
        return torch.device("cpu")
    if place.local_world_size > count:
        raise ConfigurationError(
            f"{typed('--nproc_per_node', place.local_world_size)}, but this machine has {count} "
            f'GPU(s); use at most {count}, or CUDA_VISIBLE_DEVICES="" to train on the CPU'
        )
    return torch.device("cuda", place.local_rank)


@contextmanager
def process_group(
    place: Place, device: torch.device, start_timeout: float, timeout: float
) -> Iterator[str]:
    """Join the process group of all ranks: NCCL on GPUs, gloo on CPUs; yield who is on other nodes.

    Args:
        place: where this process stands.
        device: this rank's device.
        start_timeout: seconds to wait for all peers.
        timeout: seconds a collective may take afterwards.

    Raises:
        ConfigurationError: where nodes cannot reach each other.
        PeerLostError: where the peers do not come.

    """
    backend = "nccl" if device.type == "cuda" else "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device)
    store: Store | None = None
    elsewhere = ""
    try:
        if "RANK" not in os.environ:
            store = HashStore()
        elif place.world_size > place.local_world_size:
            store, elsewhere = join_store(place.rank, place.world_size, backend, start_timeout)
        dist.init_process_group(
            backend,
            store=store,
            rank=place.rank,
            world_size=place.world_size,
            timeout=timedelta(seconds=start_timeout),
        )
        dist.barrier()
    except (RuntimeError, ValueError) as error:
        raise PeerLostError(
            f"{_here(place)} could not join {place.world_size} processes through MASTER_ADDR="
            f"{os.environ.get('MASTER_ADDR')} MASTER_PORT={os.environ.get('MASTER_PORT')} within "
            f"StartTimeout = {start_timeout:g} s ({_plain(error)}); check that the address is "
            "reachable, the port free, and GLOO_SOCKET_IFNAME or NCCL_SOCKET_IFNAME names the "
            "interface between the nodes"
        ) from error
    dist.distributed_c10d._set_pg_timeout(timedelta(seconds=timeout))
    try:
        yield elsewhere
    finally:
        # Taking gloo's threads down beside a peer that does the same aborts now and then
        # ("terminate called without an active exception"); main.py leaves without it.
        if backend == "nccl" or place.world_size == 1:
            dist.destroy_process_group()


@contextmanager
def peer_errors(place: Place, elsewhere: str = "") -> Iterator[None]:
    """Turn the back end's errors about a lost or silent peer into PeerLostError.

    Args:
        place: where this process stands.
        elsewhere: the ranks on other nodes, in words; "" where there are none.
    """
    try:
        yield
    except RuntimeError as error:
        if place.world_size > 1 and PEER_ERROR.search(str(error)):
            raise PeerLostError(
                f"rank {place.rank} lost a peer or waited too long for it: {_plain(error)}; see "
                f"that rank's own last message{_about_nodes(place, elsewhere)}, then continue with "
                f"{typed('--resume')}"
            ) from error
        raise


def _about_nodes(place: Place, elsewhere: str) -> str:
    if not elsewhere:
        return ""
    named = [f"{name}={os.environ[name]}" for name in INTERFACE_VARIABLES if name in os.environ]
    return (
        f" ({_here(place)} talks to {elsewhere} through {' '.join(named) or 'any interface'}; "
        "where no rank has a last message, look at the node and at the link to it)"
    )


def _here(place: Place) -> str:
    return f"rank {place.rank} on {socket.gethostname()}"


def _plain(error: Exception) -> str:
    """Return what the back end says, without its source lines and its advice."""
    first_line = str(error).partition("\n")[0]
    return re.sub(r"\[/[^\]]*\] ?| This is typically caused.*", "", first_line).strip(" .")
