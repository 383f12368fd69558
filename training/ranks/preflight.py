"""Whether the nodes of a run can talk, found out through the store before the back end tries.

A rank that cannot begin says so to all others; without this they would wait for it in silence.
"""

import json
import os
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import timedelta

from torch.distributed import (  # type: ignore[attr-defined] # not in its __all__
    PrefixStore,
    Store,
    rendezvous,
)

from configs.errors import ConfigurationError, PeerLostError
from training.ranks.own_address import own_address, resolve_master

REACH_TIMEOUT = 5.0  # seconds for a connection to the next rank
LEAVE_TIMEOUT = 5.0  # seconds that the store's holder waits for the others to have read
LOOK_EVERY = 0.02  # seconds
MOST_NAMED = 8


@dataclass(frozen=True)
class Endpoint:
    """Where a rank is, as it tells the others.

    Attributes:
        rank, host: which it is.
        address: where other nodes reach it; "" if that is not known.
        port: where it listens meanwhile; 0 if it does not.
        problem: why it cannot begin; "" if it can.
    """

    rank: int
    host: str
    address: str = ""
    port: int = 0
    problem: str = ""

    def __str__(self) -> str:
        return f"rank {self.rank} on {self.host}" + (f" ({self.address})" if self.address else "")

    def is_beside(self, other: "Endpoint") -> bool:
        """Whether both are on one node."""
        return (self.host, self.address) == (other.host, other.address)


def join_store(rank: int, world_size: int, backend: str, timeout: float) -> tuple[Store, str]:
    """Meet the ranks of all nodes; return the store they met in, and who is on other nodes.

    Args:
        rank, world_size: this process among all.
        backend: gloo or nccl.
        timeout: seconds to wait for all of them.

    Raises:
        ConfigurationError: on every rank, where one of them cannot be reached.
        PeerLostError: where some do not come.
    """
    master = resolve_master()
    try:
        store, _, _ = next(rendezvous("env://", timeout=timedelta(seconds=timeout)))
    except RuntimeError as error:
        if "EADDRINUSE" in str(error):
            raise ConfigurationError(
                f"MASTER_PORT={os.environ['MASTER_PORT']} is in use on host "
                f"{socket.gethostname()} (MASTER_ADDR={os.environ['MASTER_ADDR']}); end the "
                "process that listens there, or choose another port"
            ) from error
        raise
    board = PrefixStore("scout", store)
    address, problem = own_address(backend, master)
    with _listener(address if backend == "gloo" else "") as port:
        mine = Endpoint(rank, socket.gethostname(), address, port, problem)
        everyone = _exchange(board, "present", mine, world_size)
        _refuse(board, everyone)
        following = everyone[(rank + 1) % world_size]
        reached = replace(mine, problem=_reach(following, mine))
        _refuse(board, _exchange(board, "reached", reached, world_size))
    others = [str(peer) for peer in everyone if not peer.is_beside(mine)]
    more = f" and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
    return store, ", ".join(others[:MOST_NAMED]) + more


@contextmanager
def _listener(address: str) -> Iterator[int]:
    """Listen on `address` meanwhile; the kernel takes the connections, nobody reads from them."""
    if not address:
        yield 0
        return
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as server:
        yield server.getsockname()[1]


def _reach(other: Endpoint, mine: Endpoint) -> str:
    """Return why there is no connection to another node's rank, "" where there is one."""
    if other.is_beside(mine) or not other.port:
        return ""
    try:
        with socket.create_connection((other.address, other.port), REACH_TIMEOUT):
            return ""
    except OSError as error:
        return (
            f"cannot connect to {other}: {error}; GLOO_SOCKET_IFNAME must name the interface "
            "between the nodes on each of them, and a firewall must let all ports through there"
        )


def _exchange(board: Store, what: str, mine: Endpoint, world_size: int) -> list[Endpoint]:
    """Tell all ranks; return what each of them told, in the order of ranks."""
    board.set(f"{what}/{mine.rank}", json.dumps(asdict(mine)))
    found = []
    for rank in range(world_size):
        try:
            found.append(Endpoint(**json.loads(board.get(f"{what}/{rank}"))))
        except RuntimeError as error:
            raise PeerLostError(f"{mine} waits in vain for rank {rank} ({error})") from error
    return found


def _refuse(board: Store, everyone: list[Endpoint]) -> None:
    """End all ranks alike if one of them has a problem; the one that holds the store ends last."""
    problems = _told_once(everyone)
    if not problems or len({peer.host for peer in everyone}) == 1:  # all may meet on the loopback
        return
    board.add("read", 1)
    end = time.monotonic() + LEAVE_TIMEOUT
    with suppress(RuntimeError):  # the store's holder has left
        while board.add("read", 0) < len(everyone) and time.monotonic() < end:
            time.sleep(LOOK_EVERY)
    raise ConfigurationError("the nodes cannot talk to each other:\n" + "\n".join(problems))


def _told_once(everyone: Iterable[Endpoint]) -> list[str]:
    """Return one line for each problem of a node; its ranks have the same."""
    lines = {(peer.host, peer.problem): f"  {peer}: {peer.problem}" for peer in everyone}
    return [line for (_, problem), line in lines.items() if problem]
