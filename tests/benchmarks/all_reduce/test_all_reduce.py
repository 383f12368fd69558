"""Sums over ranks, and cables that are as slow as they say."""

import socket
import time

import pytest

from benchmarks.all_reduce.command import parse
from benchmarks.all_reduce.made_up_network import Link, Switch
from benchmarks.all_reduce.sums import LinkRefusedError, transfer

NUMBERS = 1000


def test_ranks_on_the_loopback_are_timed() -> None:
    found = transfer(2, NUMBERS, 3, None)
    assert len(found.wall) == len(found.cpu) == 3
    assert all(0 < wall < 5 for wall in found.wall)


def test_a_delay_is_in_every_step_of_a_sum() -> None:
    try:
        found = transfer(2, NUMBERS, 3, Link(0.0, 20.0))
    except LinkRefusedError as error:
        pytest.skip(f"no made-up cables here: {error}")
    assert all(wall > 0.02 for wall in found.wall)


def packet(place: int, size: int = 100) -> bytes:
    """What a switch looks at: the version, and the receiver's address."""
    return bytes([0x45]) + bytes(15) + bytes([10, 0, 0, place + 1]) + bytes(size - 20)


@pytest.mark.parametrize(
    ("link", "seconds"), [(Link(0.0, 50.0), 0.05), (Link(1e-5, 0.0), 0.08), (Link(0.0, 0.0), 0.0)]
)
def test_a_packet_arrives_where_it_should_when_it_is_due(link: Link, seconds: float) -> None:
    cables = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(3)]
    Switch([theirs.detach() for _, theirs in cables], link).start()
    ours = [end for end, _ in cables]
    start = time.monotonic()
    ours[0].send(bytes([0x60]) + packet(2)[1:])  # IPv6
    ours[0].send(packet(200))
    ours[0].send(packet(2))
    ours[2].settimeout(5)
    assert ours[2].recv(1000) == packet(2)
    assert seconds <= time.monotonic() - start < seconds + 1
    ours[1].setblocking(False)
    with pytest.raises(BlockingIOError):
        ours[1].recv(1000)


def test_packets_of_a_cable_wait_for_each_other_and_keep_their_order() -> None:
    cables = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2)]
    Switch([theirs.detach() for _, theirs in cables], Link(1e-5, 1.0)).start()
    start = time.monotonic()
    for size in (50, 60, 70):
        cables[0][0].send(packet(1, size))
    cables[1][0].settimeout(5)
    assert [len(cables[1][0].recv(1000)) for _ in range(3)] == [50, 60, 70]
    assert time.monotonic() - start >= 180 * 8 / 1e4


@pytest.mark.parametrize("flags", [["--ranks", "1"], ["--numbers", "0"], ["--repeats", "0"]])
def test_nonsense_is_refused(flags: list[str]) -> None:
    with pytest.raises(SystemExit):
        parse(flags)
