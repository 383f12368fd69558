"""Ranks, instances side by side, and signals: nothing is doubled, nothing whole is lost."""

import signal
from pathlib import Path

import pytest

from tests.runs import run_ranks, started
from tests.training.collecting.sets import IN_RANK, NOISE, collect, episodes_of, numbers_of

pytestmark = pytest.mark.timeout(600)

CART = ("--environment", "CartPole-v1", "--seed", "3")


def has_written(folder: Path, shards: int = 1) -> bool:
    """Whether so many open shards hold episodes."""
    files = folder.glob(".writing-rollouts-*")
    return sum(file.stat().st_size > 100_000 for file in files) == shards


def test_two_ranks_give_the_set_of_one(tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    (tmp_path / "one").mkdir()
    arguments = (*CART, "--num_rollouts", "9", "--parallelism", "2")
    run_ranks(tmp_path / "two", "--collect", *arguments, "--out_dir", "set", ranks=2)
    one = collect(tmp_path / "one", *arguments)
    assert episodes_of(tmp_path / "two" / "set") == episodes_of(one)
    assert len(list((tmp_path / "two" / "set").glob("shard-*"))) == 2


def test_identical_commands_side_by_side_double_no_episode(tmp_path: Path) -> None:
    arguments = ("--collect", *CART, "--num_rollouts", "30", "--out_dir", "set")
    with started(tmp_path, *arguments) as one, started(tmp_path, *arguments) as other:
        assert (one.wait().code, other.wait().code) == (0, 0)
    assert numbers_of(tmp_path / "set") == list(range(60))
    (tmp_path / "calm").mkdir()
    calm = collect(tmp_path / "calm", *CART, "--num_rollouts", "60")
    assert episodes_of(tmp_path / "set") == episodes_of(calm)


def test_a_signal_closes_the_open_shard_and_resume_collects_the_rest(tmp_path: Path) -> None:
    arguments = (*NOISE, *IN_RANK, "--num_rollouts", "400")
    with started(tmp_path, "--collect", *arguments, "--out_dir", "set") as run:
        run.wait_until(lambda: has_written(tmp_path / "set"))
        run.process.send_signal(signal.SIGTERM)
        ended = run.wait()
    assert ended.code == 75, ended.output
    assert "stopped on request (SIGTERM) after" in ended.last_line
    assert "--resume collects the rest" in ended.last_line
    stopped = episodes_of(tmp_path / "set")
    assert 0 < len(stopped) < 400
    few = (*NOISE, *IN_RANK, "--num_rollouts", "10", "--resume")
    collect(tmp_path, *few)  # what was begun is completed, whatever number is asked for
    assert stopped.items() <= episodes_of(tmp_path / "set").items()
    assert numbers_of(tmp_path / "set") == list(range(400))


@pytest.mark.slow
def test_a_second_process_leaves_what_the_first_one_collects_to_it(tmp_path: Path) -> None:
    arguments = (*NOISE, *IN_RANK, "--num_rollouts", "100000")
    with started(tmp_path, "--collect", *arguments, "--out_dir", "set") as run:
        run.wait_until(lambda: has_written(tmp_path / "set"))
        collect(tmp_path, *arguments, "--overwrite", code=2)
        collect(tmp_path, *arguments, "--resume")  # nothing is left for it
        run.process.send_signal(signal.SIGINT)
        ended = run.wait()
    assert ended.code == 75, ended.output
    assert len(episodes_of(tmp_path / "set")) > 0


@pytest.mark.slow
def test_one_of_two_ranks_killed_leaves_a_set_that_resume_completes(tmp_path: Path) -> None:
    arguments = (*NOISE, *IN_RANK, "--num_rollouts", "2000", "--out_dir", "set")
    with started(tmp_path, "--collect", *arguments, ranks=2) as run:
        run.wait_until(lambda: has_written(tmp_path / "set", shards=2))
        run.rank(1).kill()
        ended = run.wait()
        assert ended.code == 1
        assert run.left_after(5) == []
    episodes_of(tmp_path / "set")
    with started(tmp_path, "--collect", *arguments, "--resume", ranks=2) as run:
        assert run.wait().code == 0, run.output
    assert numbers_of(tmp_path / "set") == list(range(2000))
