"""Rows 5 to 7: ranks that are killed, stopped or hang, and a torchrun that is killed."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.faults.figures import Figures, Trial, count
from tests.records import checkpoint_path, read_status, run_path
from tests.runs import (
    CARTPOLE,
    MAIN,
    WITH_WORKERS,
    StartedRun,
    started,
    started_ranks,
    write_recipe,
)
from training.checkpoints.storage import load_payload

NAME = "demo"
PEER_LOST = 6
SECONDS_TO_CLEAN_UP = 10.0

pytestmark = pytest.mark.timeout(3600)


def endless(folder: Path, *more: str) -> tuple[str, ...]:
    """Return the command of a run that does not end by itself."""
    recipe = write_recipe(folder, CARTPOLE + WITH_WORKERS, TotalEnvSteps=100_000_000)
    return ("--train", f"--config_path={recipe}", f"--log_name={NAME}", *more)


def assert_all_are_gone(trial: Trial, *runs: StartedRun) -> None:
    began = time.monotonic()
    assert [run.left_after(SECONDS_TO_CLEAN_UP) for run in runs] == [[] for _ in runs]
    trial.took("nothing left", time.monotonic() - began)


def assert_a_good_checkpoint(folder: Path) -> None:
    assert load_payload(checkpoint_path(folder, NAME))["updates"] > 0


def test_a_rank_that_is_killed_ends_the_others_with_code_6(
    figures: Figures, tmp_path: Path
) -> None:
    draw = random.Random(5)
    for number in range(count(1, 20)):
        folder = tmp_path / str(number)
        command = endless(folder)
        with (
            figures.trial(5, "ranks killed") as trial,
            started_ranks(folder, *command, ranks=2) as runs,
        ):
            runs[0].wait_for_rows(NAME, 5)
            time.sleep(draw.uniform(0.0, 0.5))
            victim = draw.randrange(2)
            runs[victim].process.send_signal(signal.SIGKILL)
            killed = time.monotonic()
            ended = runs[1 - victim].wait()
            trial.took("over", time.monotonic() - killed)
            assert_all_are_gone(trial, *runs)
            assert ended.code == PEER_LOST, ended.output
            assert f"error: rank {1 - victim} lost a peer" in ended.output
            status = read_status(folder, NAME)
            assert (status["code"], status["rank"]) == (PEER_LOST, 1 - victim)
            assert_a_good_checkpoint(folder)


def test_nothing_is_left_of_a_run_whose_torchrun_is_killed(
    figures: Figures, tmp_path: Path
) -> None:
    draw = random.Random(6)
    for number in range(count(1, 10)):
        folder = tmp_path / str(number)
        command = endless(folder)
        with (
            figures.trial(6, "torchruns killed") as trial,
            started(folder, *command, ranks=1 + number % 2) as run,
        ):
            run.wait_for_rows(NAME, 5)
            time.sleep(draw.uniform(0.0, 0.5))
            assert len(run.processes()) >= 3  # torchrun, a rank, a worker
            run.process.kill()
            assert_all_are_gone(trial, run)
            assert_a_good_checkpoint(folder)


LIKE_TORCHRUN = """
import os, subprocess, sys

rank = subprocess.Popen(sys.argv[1:], env=os.environ | {"TORCHELASTIC_RUN_ID": "any"})
print(rank.pid, flush=True)
rank.wait()
"""


def test_a_rank_that_is_still_starting_ends_with_its_torchrun(tmp_path: Path) -> None:
    """It waits for its recipe: torch, whose import takes seconds, is not there yet."""
    recipe = tmp_path / "recipe.conf"
    os.mkfifo(recipe)
    command = [sys.executable, str(MAIN), "--train", f"--config_path={recipe}"]
    torchrun = subprocess.Popen(
        [sys.executable, "-c", LIKE_TORCHRUN, *command],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert torchrun.stdout is not None
    rank = psutil.Process(int(torchrun.stdout.readline()))
    with recipe.open("w"):  # as soon as it reads
        torchrun.kill()
        torchrun.wait()
        gone, left = psutil.wait_procs([rank], SECONDS_TO_CLEAN_UP)
        for process in left:
            process.kill()
    assert gone == [rank]


STOPPED_PEER = (
    "--set=CollectiveTimeout=5",
    "--set=WorkerStepTimeout=2",
    "--set=WorkerResetTimeout=2",
)


@pytest.mark.slow
def test_a_rank_that_is_stopped_is_given_up_after_the_time_for_collectives(
    figures: Figures, tmp_path: Path
) -> None:
    for number in range(count(1, 5)):
        folder = tmp_path / str(number)
        command = endless(folder, *STOPPED_PEER)
        with (
            figures.trial(7, "ranks stopped") as trial,
            started_ranks(folder, *command, ranks=2) as runs,
        ):
            runs[0].wait_for_rows(NAME, 5)
            runs[1].process.send_signal(signal.SIGSTOP)
            stopped = time.monotonic()
            ended = runs[0].wait(deadline=60.0)
            trial.took("over after the time-out of 5 s", time.monotonic() - stopped - 5)
            assert ended.code == PEER_LOST, ended.output
            status = read_status(folder, NAME)
            assert (status["code"], status["rank"]) == (PEER_LOST, 0)
            assert status["update"] >= 5


# The worker's deadlines leave time for starts; a rank is silent for longest_silence = 10 + 5 s.
HANGING = (
    "--set=CollectiveTimeout=6",
    "--set=WorkerStepTimeout=2",
    "--set=WorkerResetTimeout=8",
)
SILENCE = 15.0


def hang_the_disk(path: Path) -> None:
    """Let the next reading of a file take for ever: a pipe that nobody writes to."""
    pipe = path.with_name("pipe")
    os.mkfifo(pipe)
    pipe.replace(path)


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 2])
def test_a_rank_that_hangs_outside_of_collectives_leaves_by_itself(
    ranks: int, figures: Figures, tmp_path: Path
) -> None:
    for number in range(count(1, 3)):
        folder = tmp_path / str(number)
        command = endless(folder, *HANGING)
        with (
            figures.trial(7, "ranks that hang by themselves") as trial,
            started_ranks(folder, *command, ranks=ranks) as runs,
        ):
            runs[0].wait_for_rows(NAME, 6)
            hang_the_disk(checkpoint_path(folder, NAME))
            began = time.monotonic()
            ended = [run.wait(deadline=90.0) for run in runs]
            trial.took("over after the silence of 15 s", time.monotonic() - began - SILENCE)
            assert [each.code for each in ended] == [PEER_LOST] * ranks, ended
            assert "in read_bytes" in ended[0].output
            assert "error: rank 0 made no progress for" in ended[0].last_line
            assert "in update" in ended[0].last_line
            assert read_status(folder, NAME)["code"] == PEER_LOST
            stacks = (run_path(folder, NAME) / "stacks-rank0.txt").read_text()
            assert "in read_bytes" in stacks
            assert_all_are_gone(trial, *runs)
