"""Runs watched from outside: what is started, what counts of it, and what a failure leaves."""

import os
from pathlib import Path

import pytest

from benchmarks.runs import PROJECT
from benchmarks.timed_runs import SHARES, CpuCurve, Plan, time_in_turns, time_run, timing
from configs.errors import ConfigurationError
from tests.benchmarks.records import Row
from training.figures.time_split import PARTS

CARTPOLE = PROJECT / "configs/CartPole/config_rnd00.conf"


def figures(env_steps: int, wall_time: float, learn: float) -> Row:
    shares = {f"time/fraction_{name}": 0.0 for name in SHARES} | {"time/fraction_learn": learn}
    return {"env_steps": env_steps, "wall_time": wall_time, **shares}


def test_what_counts_lies_between_the_first_row_and_the_last() -> None:
    rows = [figures(100, 10.0, 0.9), figures(200, 12.0, 0.2), figures(300, 18.0, 0.6)]
    cpu = CpuCurve([0.0, 10.0, 20.0], [5.0, 6.0, 16.0])
    found = timing(rows, cpu, memory=700.0)
    assert found.steps_per_second == pytest.approx(200 / 8)
    assert found.wall == pytest.approx(8e6 / 200)
    assert found.cpu == pytest.approx(8e6 / 200)  # 6 s at 10.0, 14 s at 18.0
    assert found.steps_per_update == 100
    assert found.span == (10.0, 18.0)
    assert found.shares["learn"] == pytest.approx((2 * 0.2 + 6 * 0.6) / 8)
    assert found.memory == 700.0


def test_the_shares_are_those_that_a_run_reports() -> None:
    assert SHARES == PARTS


def test_one_update_more_is_run_than_counts_and_a_row_is_written_for_each() -> None:
    command = Plan(CARTPOLE, ("NumStep=8",), updates=3, num_envs=4).command()
    assert command[command.index("--profile_updates") + 1] == "4"
    assert command[command.index("--num_env_per_process") + 1] == "4"
    assert {"LogEvery=1", "NumStep=8"} <= set(command)
    assert "torch.distributed.run" not in command


def test_ranks_are_started_by_torchrun() -> None:
    command = Plan(CARTPOLE, (), updates=1, ranks=2).command()
    assert command[command.index("--nproc_per_node") + 1] == "2"
    assert "--num_env_per_process" not in command


def test_the_last_setting_of_a_key_wins_in_any_spelling() -> None:
    plan = Plan(CARTPOLE, ("NumStep=8", "NumStep=16", "obsnormstep=2"), updates=1)
    assert "NumStep=16" in plan.settings()
    assert "obsnormstep=2" in plan.settings()
    assert len(plan.settings()) == 4
    plan.check()


def test_nothing_runs_where_one_of_the_plans_cannot_be_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    plans = {
        "good": Plan(CARTPOLE, (), updates=1),
        "bad": Plan(CARTPOLE, ("Nothing=1",), updates=1),
    }
    with pytest.raises(ConfigurationError, match="Nothing"):
        time_in_turns(plans, 1)
    assert "good" not in capsys.readouterr().err


def test_a_failed_run_ends_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"absent\.conf(.|\n)*ended with 2"):
        time_run(Plan(tmp_path / "absent.conf", (), updates=1))


def test_a_run_beyond_its_limit_is_ended() -> None:
    with pytest.raises(TimeoutError, match="longer than 0 s"):
        time_run(Plan(CARTPOLE, (), updates=1, limit=0.3))


def test_a_real_run_on_one_core_is_timed_and_leaves_the_others_to_this_process() -> None:
    before = os.sched_getaffinity(0)
    core = min(before)
    found = time_run(Plan(CARTPOLE, ("NumStep=64",), updates=2, num_envs=4, cores=(core,)))
    assert found.steps_per_update == 256
    assert found.steps_per_second > 10
    assert 0 < found.cpu < 1.5 * found.wall
    assert 0 < found.shares["act"] < found.shares["collect"] < 1
    assert found.memory > 100
    assert os.sched_getaffinity(0) == before
