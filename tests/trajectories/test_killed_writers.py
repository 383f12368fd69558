from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.trajectories.killing import EPISODES_PER_SHARD, processes, write_some, write_until_killed
from tests.trajectories.made import episode
from trajectories.reader import open_dataset
from trajectories.verify import verify_folder


@pytest.mark.parametrize(
    "count", [3, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(900)])]
)
def test_a_writer_killed_at_any_moment_loses_its_open_shard_at_most(
    count: int, tmp_path: Path
) -> None:
    moments = np.random.default_rng(count).uniform(0, 0.15, count)
    for number, after in enumerate(moments.tolist()):
        folder = tmp_path / str(number)
        added, named = write_until_killed(folder, "a", 0, after)
        verdict = verify_folder(folder)
        assert verdict.problems == (), after
        assert named <= verdict.num_episodes
        assert added - verdict.num_episodes < EPISODES_PER_SHARD + 1
        # Going on: another writer adds what is missing of twenty episodes.
        there = set()
        if verdict.num_episodes:
            there = {located.entry.id for located in open_dataset(folder).episodes}
        write_some(folder, "a", [seed for seed in range(20) if f"made-{seed}" not in there])
        found = open_dataset(folder)
        assert {f"made-{seed}" for seed in range(20)} <= {e.entry.id for e in found.episodes}
        assert verify_folder(folder).problems == ()


def test_several_killed_writers_of_one_directory_leave_it_whole(tmp_path: Path) -> None:
    total = 0
    for number in range(3):
        _, named = write_until_killed(tmp_path, "same", number * 1000, 0.02 * number)
        total += named
    verdict = verify_folder(tmp_path)
    assert verdict.problems == ()
    assert verdict.num_episodes >= total


def test_two_writers_at_once_give_the_sum_of_their_episodes_each_once(tmp_path: Path) -> None:
    context = processes()
    seeds = (range(12), range(12, 24))
    together = tmp_path / "together"
    writers = [context.Process(target=write_some, args=(together, "same", some)) for some in seeds]
    for process in writers:
        process.start()
    for process in writers:
        process.join()
    assert [process.exitcode for process in writers] == [0, 0]
    verdict = verify_folder(together)
    assert (verdict.problems, verdict.notes) == ((), ())
    assert verdict.num_episodes == 24
    rows = sum(pq.read_metadata(path).num_rows for path in together.glob("*.parquet"))
    assert verdict.num_rows == rows == 24 * 7

    write_some(tmp_path / "alone", "only", range(24))
    alone, both = open_dataset(tmp_path / "alone"), open_dataset(together)
    place = {located.entry.id: index for index, located in enumerate(both.episodes)}
    assert place.keys() == {located.entry.id for located in alone.episodes}
    for index, located in enumerate(alone.episodes):
        one, other = alone.episode(index), both.episode(place[located.entry.id])
        np.testing.assert_array_equal(one.observations, other.observations)
        np.testing.assert_array_equal(one.rewards, other.rewards)
        assert one.values == other.values
        assert located.entry.split == both.episodes[place[located.entry.id]].entry.split
    assert episode(0, 6).length == alone.lengths[0]
