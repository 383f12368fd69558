"""A network that is slower than this machine: cables of a rate and a delay between processes.

Each process leaves for a network namespace of its own, whose only way out is a tunnel device. The
other ends of all tunnels lie in one process, whose `Switch` passes packets on when they are due.
This needs Linux, iproute2, and root or a namespace in which the user is root (unshare
--map-root-user). The kernel takes everything down when the processes have ended.
"""

import ctypes
import fcntl
import heapq
import itertools
import os
import select
import struct
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

CLONE_NEWNET = 0x40000000  # linux/sched.h
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000  # linux/if_tun.h
DEVICE = "eth0"
PACKET = 65_000  # bytes at most: a switch in Python must do with few packets
DESTINATION = 19  # the last byte of the receiver's address in an IPv4 packet


@dataclass(frozen=True)
class Link:
    """The cable of a process.

    Attributes:
        rate: Gbit/s each way, 0 for as much as the switch can do.
        delay: milliseconds, one way, 0 for none.
    """

    rate: float
    delay: float

    def __str__(self) -> str:
        rate = f"{self.rate:g} Gbit/s" if self.rate else "any rate"
        return f"{rate}, {self.delay:g} ms"

    def seconds(self, num_bytes: int) -> float:
        """Return how long a packet keeps the cable busy."""
        return num_bytes * 8 / (self.rate * 1e9) if self.rate else 0.0


def leave_network(place: int) -> int:
    """Move this process to a namespace of its own, as 10.0.0.(place + 1); return the tunnel.

    Raises:
        OSError: the kernel, or the user's rights, do not allow it.
    """
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    tunnel = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tunnel, TUNSETIFF, struct.pack("16sH", DEVICE.encode(), IFF_TUN | IFF_NO_PI))
    for command in (
        f"address add 10.0.0.{place + 1}/24 dev {DEVICE}",
        f"link set {DEVICE} mtu {PACKET} up",
        "link set lo up",
    ):
        done = subprocess.run(["ip", *command.split()], capture_output=True, text=True, check=False)
        if done.returncode:
            raise OSError(f"ip {command}: {' '.join(done.stderr.split())}")
    return tunnel


class Switch(threading.Thread):
    """Passes packets between tunnels, as late as the cables make them; ends with the process.

    Args:
        tunnels: of the processes at places 0, 1, ...
        link: the cable of each.
    """

    def __init__(self, tunnels: Sequence[int], link: Link) -> None:
        super().__init__(daemon=True)
        self._tunnels = list(tunnels)
        self._link = link
        self._free = dict.fromkeys(tunnels, 0.0)  # when a cable has sent all that came before
        self._numbers = itertools.count()
        self._on_the_way: list[tuple[float, int, int, bytes]] = []  # due, number, place, packet

    def run(self) -> None:
        """Pass packets on for ever."""
        while True:
            wait = None
            if self._on_the_way:
                wait = max(0.0, self._on_the_way[0][0] - time.monotonic())
            for tunnel in select.select(self._tunnels, [], [], wait)[0]:
                self._take(tunnel)
            now = time.monotonic()
            while self._on_the_way and self._on_the_way[0][0] <= now:
                _, _, place, packet = heapq.heappop(self._on_the_way)
                os.write(self._tunnels[place], packet)

    def _take(self, tunnel: int) -> None:
        packet = os.read(tunnel, PACKET)
        place = packet[DESTINATION] - 1
        if packet[0] >> 4 != 4 or not 0 <= place < len(self._tunnels):
            return  # IPv6 looks for neighbours
        sent = max(time.monotonic(), self._free[tunnel]) + self._link.seconds(len(packet))
        self._free[tunnel] = sent
        due = sent + self._link.delay / 1e3
        heapq.heappush(self._on_the_way, (due, next(self._numbers), place, packet))
