import json
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest

from configs.errors import ConfigurationError
from tests.trajectories.made import DESCRIPTION, SCHEMA, episode
from trajectories.loading import frame_batches, window_batches
from trajectories.reader import Dataset, open_dataset
from trajectories.sampling import FrameSampler, Position, Share, WindowSampler
from trajectories.writer import ShardWriter

LENGTHS = (3, 40, 64, 100, 20, 77, 50, 31)
Pairs = set[tuple[int, ...]]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("dataset")
    with ShardWriter(folder, SCHEMA, DESCRIPTION, "a", shard_size=30_000) as writer:
        for seed, length in enumerate(LENGTHS):
            writer.add(episode(seed, length))
    return open_dataset(folder)


def frame_ids(sampler: FrameSampler, epoch: int = 0) -> list[tuple[int, ...]]:
    return [tuple(row) for ids in sampler.pools(Position(epoch)) for row in ids.tolist()]


def window_ids(sampler: WindowSampler, epoch: int = 0) -> list[tuple[int, ...]]:
    return [tuple(row) for ids in sampler.batches(Position(epoch)) for row in ids.tolist()]


def test_an_epoch_has_every_frame_once_in_another_order_each_time(opened: Dataset) -> None:
    sampler = FrameSampler(opened, batch_size=1, seed=1, pool_units=3)
    everything = {(e, row) for e, length in enumerate(LENGTHS) for row in range(length + 1)}
    first, second = frame_ids(sampler), frame_ids(sampler, 1)
    assert len(first) == len(everything) == sampler.num_batches(0)
    assert set(first) == set(second) == everything
    assert first != second
    assert first == frame_ids(FrameSampler(opened, batch_size=1, seed=1, pool_units=3))
    assert first != frame_ids(FrameSampler(opened, batch_size=1, seed=2, pool_units=3))


def test_a_pool_mixes_row_groups_of_several_episodes(opened: Dataset) -> None:
    sampler = FrameSampler(opened, batch_size=1, seed=1, pool_units=6)
    episodes = [row[0] for row in frame_ids(sampler)[:32]]
    assert len(set(episodes)) >= 3
    assert sum(a != b for a, b in pairwise(episodes)) > 12


@pytest.mark.parametrize("count", [2, 3, 4])
def test_shares_have_nothing_in_common_and_as_many_batches(count: int, opened: Dataset) -> None:
    shares = [Share(index, count) for index in range(count)]
    frames = [FrameSampler(opened, batch_size=8, seed=1, share=share) for share in shares]
    windows = [WindowSampler(opened, steps=8, batch_size=2, seed=1, share=s) for s in shares]
    for epoch in range(3):
        assert len({sampler.num_batches(epoch) for sampler in frames}) == 1
        found = [frame_ids(sampler, epoch) for sampler in frames]
        assert {len(ids) for ids in found} == {frames[0].num_batches(epoch) * 8}
        assert len(set().union(*found)) == sum(map(len, found))
        cut = [window_ids(sampler, epoch) for sampler in windows]
        assert {len(ids) for ids in cut} == {windows[0].num_batches(epoch) * 2}
        assert len(set().union(*cut)) == sum(map(len, cut))


def test_a_share_is_one_worker_of_one_rank() -> None:
    shares = [Share.of(rank, 2, worker, 3) for rank in range(2) for worker in range(3)]
    assert shares == [Share(index, 6) for index in range(6)]


def test_a_visit_of_an_episode_gives_some_of_its_frames(opened: Dataset) -> None:
    sampler = FrameSampler(opened, batch_size=1, seed=1, per_episode=10)
    ids = frame_ids(sampler)
    assert len(set(ids)) == len(ids)
    visits = {e: sum(row[0] == e for row in ids) for e in range(len(LENGTHS))}
    assert visits == {e: min(10, length + 1) for e, length in enumerate(LENGTHS)}
    assert all(row[1] <= LENGTHS[row[0]] for row in ids)
    assert set(ids) != set(frame_ids(sampler, 1))


def test_windows_take_every_step_once_cut_at_other_places_each_time(opened: Dataset) -> None:
    sampler = WindowSampler(opened, steps=16, batch_size=1, seed=1)
    first, second = window_ids(sampler), window_ids(sampler, 1)
    assert set(first) != set(second)
    for ids in (first, second):
        for index, length in enumerate(LENGTHS):
            own = sorted(row[1:] for row in ids if row[0] == index)
            taken = [step for start, stop in own for step in range(start, stop)]
            assert taken == list(range(length))
            assert all(0 < stop - start <= 16 for start, stop in own)
            assert all(stop - start == 16 for start, stop in own[1:-1])
            assert length > 16 or len(own) == 1


def test_windows_are_cut_at_every_place_with_equal_probability(opened: Dataset) -> None:
    one = opened.select([opened.episodes[4].entry.id])  # 20 steps: 2 windows, the first of 4 to 16
    sampler = WindowSampler(one, steps=16, batch_size=2, seed=1)
    cuts = [min(stop for _, _, stop in window_ids(sampler, epoch)) for epoch in range(1_300)]
    assert set(cuts) == set(range(4, 17))
    assert all(60 < cuts.count(cut) < 140 for cut in range(4, 17))


def everything_of(batches: Iterator[tuple[object, Position]], count: int) -> list[object]:
    return [batch for batch, _ in islice(batches, count)]


@pytest.mark.parametrize("per_episode", [None, 10])
@pytest.mark.parametrize("taken", [0, 1, 7, 40])
def test_going_on_from_a_position_gives_the_same_batches(
    taken: int, per_episode: int | None, opened: Dataset
) -> None:
    def sampler() -> FrameSampler:
        return FrameSampler(
            *(opened,),
            batch_size=7,
            seed=3,
            share=Share(1, 2),
            per_episode=per_episode,
            pool_units=2,
        )

    batches = list(islice(frame_batches(opened, sampler()), taken + 20))
    position = batches[taken - 1][1] if taken else Position()
    position = Position.from_json(json.loads(json.dumps(position.as_json())))
    again = islice(frame_batches(opened, sampler(), position), 20)
    for (one, there), (other, here) in zip(batches[taken:], again, strict=True):
        np.testing.assert_array_equal(one["observation"], other["observation"])
        assert len(one["observation"]) == 7
        assert there == here


@pytest.mark.parametrize("taken", [1, 5, 9])
def test_going_on_with_windows_gives_the_same_batches(taken: int, opened: Dataset) -> None:
    sampler = WindowSampler(opened, steps=16, batch_size=3, seed=3)
    batches = list(islice(window_batches(opened, sampler), taken + 10))
    again = islice(window_batches(opened, sampler, batches[taken - 1][1]), 10)
    for (one, there), (other, here) in zip(batches[taken:], again, strict=True):
        np.testing.assert_array_equal(one.ids, other.ids)
        np.testing.assert_array_equal(one.observations, other.observations)
        assert there == here


def test_too_few_frames_for_all_shares_are_refused(opened: Dataset) -> None:
    with pytest.raises(ConfigurationError, match="393 frames are too few for a batch of 300 on"):
        FrameSampler(opened, batch_size=300, seed=0, share=Share(0, 2))
    with pytest.raises(ConfigurationError, match="10 windows of 64 steps are too few"):
        WindowSampler(opened, steps=64, batch_size=11, seed=0)


def test_a_dataset_of_one_step_can_be_sampled(tmp_path: Path) -> None:
    with ShardWriter(tmp_path, SCHEMA, DESCRIPTION, "a") as writer:
        writer.add(episode(0, 1))
    sampler = FrameSampler(open_dataset(tmp_path), batch_size=1, seed=0)
    assert sorted(frame_ids(sampler)) == [(0, 0), (0, 1)]
