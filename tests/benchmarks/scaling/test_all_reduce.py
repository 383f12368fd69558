"""How many bytes an update needs summed, and which cables are tried."""

import itertools
from pathlib import Path

import pytest

from benchmarks.all_reduce.made_up_network import Link
from benchmarks.all_reduce.sums import LinkRefusedError, Transfer
from benchmarks.scaling import all_reduce
from benchmarks.scaling.all_reduce import Case, Volume, measure, table, volume
from tests.benchmarks.recipes import TINY

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


def test_cables_that_cannot_be_had_are_tried_once_and_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def refuse_delays(ranks: int, numbers: int, repeats: int, link: Link | None) -> Transfer:
        asked.append((ranks, link))
        if link is not None:
            raise LinkRefusedError("no tunnel")
        return Transfer([0.001 * ranks] * repeats, [0.002] * repeats)

    monkeypatch.setattr(all_reduce, "transfer", refuse_delays)
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
