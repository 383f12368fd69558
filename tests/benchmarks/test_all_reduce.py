"""Sums over ranks: how many bytes an update needs, and cables that are as slow as they say."""

import itertools
import socket
import time
from pathlib import Path

import pytest

from benchmarks import scaling_all_reduce
from benchmarks.all_reduce import LinkRefusedError, Transfer, parse, transfer
from benchmarks.made_up_network import Link, Switch
from benchmarks.scaling_all_reduce import Case, Volume, measure, table, volume
from tests.benchmarks.test_components import TINY

NUMBERS = 1000


def test_a_ring_sends_twice_all_but_one_part_of_the_gradients() -> None:
    sums = Volume(numbers=1000, passes=16)
    assert sums.bytes_per_update == 64_000
    assert sums.sent_per_update(2) == 64_000
    assert sums.sent_per_update(4) == 96_000
    assert sums.sent_per_update(64) == 126_000


def test_all_that_is_trained_is_summed_once_a_minibatch(tmp_path: Path) -> None:
    recipe = tmp_path / "tiny.conf"
    recipe.write_text(TINY)
    convolutions = (2 * 64 + 1) * 2 + (2 * 16 + 1) * 2 + (2 * 9 + 1) * 2
    backbone = convolutions + (2 + 1) * 4 + (4 + 1) * 4
    policy = volume(recipe, ["IntrinsicReward=none", "Epoch=3"])
    assert policy.numbers == backbone + 2 * (4 + 1) * 4 + (4 + 1) * 18 + (4 + 1)
    assert policy.passes == 6
    head = volume(recipe, ["IntrinsicReward=none", "RepresentationLearningParameter=BYOL"])
    assert head.numbers > policy.numbers + backbone  # its twin of the backbone


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


def test_cables_that_cannot_be_had_are_tried_once_and_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def refuse_delays(ranks: int, numbers: int, repeats: int, link: Link | None) -> Transfer:
        asked.append((ranks, link))
        if link is not None:
            raise LinkRefusedError("no tunnel")
        return Transfer([0.001 * ranks] * repeats, [0.002] * repeats)

    monkeypatch.setattr(scaling_all_reduce, "transfer", refuse_delays)
    slow = Link(0.0, 1.0)
    cases = list(itertools.product((2, 4), (None, slow)))
    found, refused = measure(NUMBERS, cases, rounds=2, repeats=3)
    assert {case: len(costs.wall) for case, costs in found.items()} == {(2, None): 6, (4, None): 6}
    assert refused == {str(slow): "no tunnel"}
    assert asked.count((2, slow)) == 1
    assert (4, slow) not in asked


def test_the_table_tells_what_a_cable_carries() -> None:
    sums = Volume(numbers=1_000_000, passes=16)
    found: dict[Case, Transfer] = {(2, Link(1.0, 0.0)): Transfer([0.032], [0.004])}
    assert table(sums, found).splitlines()[-1] == (
        "| 2 | 1 Gbit/s, 0 ms | 32.0 [32.0, 32.0] | 4.0 [4.0, 4.0] | 1.00 [1.00, 1.00] "
        "| 512 [512, 512] |"
    )


@pytest.mark.parametrize("flags", [["--ranks", "1"], ["--numbers", "0"], ["--repeats", "0"]])
def test_nonsense_is_refused(flags: list[str]) -> None:
    with pytest.raises(SystemExit):
        parse(flags)
