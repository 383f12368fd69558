"""Rows 9 and 10: ranks that torchrun --max-restarts starts again, and where it could not."""

import json
import random
import time
from pathlib import Path

import pytest

from tests.calm import NAME, assert_equal_runs, run_calmly
from tests.faults.figures import IS_FULL, Figures, count
from tests.records import figures as rows_of_figures
from tests.records import read_status, run_path
from tests.runs import CARTPOLE, StartedRun, started, write_recipe

APART = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
EVERY_UPDATE = CARTPOLE.replace("saveCkptEvery = 4", "saveCkptEvery = 1").replace(
    "Epoch = 2", "Epoch = 10"
)
UPDATES_PER_KILL = 12
SECONDS_TO_CLEAN_UP = 10.0

pytestmark = pytest.mark.timeout(3600)


def starts(folder: Path) -> int:
    path = run_path(folder, NAME) / "manifest.json"
    return len(json.loads(path.read_text())["starts"]) if path.exists() else 0


def kill_a_rank_and_wait(run: StartedRun, rank: int) -> float:
    """Kill it; return the seconds until the restarted run has written a row of its own."""
    before = starts(run.folder)
    run.rank(rank).kill()
    killed = time.monotonic()
    run.wait_until(lambda: starts(run.folder) > before)
    rows = len(rows_of_figures(run.folder, NAME))
    run.wait_until(lambda: len(rows_of_figures(run.folder, NAME)) > rows)
    return time.monotonic() - killed


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [2, 3])
def test_lost_ranks_are_started_again_and_go_on_from_the_newest_checkpoint(
    ranks: int, figures: Figures, tmp_path: Path
) -> None:
    draw, kills = random.Random(f"{ranks} ranks"), count(1, 10)
    steps = UPDATES_PER_KILL * (kills + 1) * 32 * ranks
    recipe = write_recipe(tmp_path, EVERY_UPDATE, TotalEnvSteps=steps)
    command = ("--train", f"--config_path={recipe}", f"--log_name={NAME}")
    flags = ("--max-restarts", str(kills))
    with started(tmp_path, *command, ranks=ranks, environment=APART, torchrun=flags) as run:
        run.wait_for_rows(NAME, 3)
        for number in range(kills):
            with figures.trial(9, "ranks killed under --max-restarts") as trial:
                time.sleep(draw.uniform(0.0, 0.3))
                trial.took("back", kill_a_rank_and_wait(run, draw.randrange(ranks)))
                trial.kind = f"of {ranks}"
                assert run.output.count("continued at") == number + 1
        ended = run.wait()
    assert ended.code == 0, ended.output
    status = read_status(tmp_path, NAME)
    assert (status["code"], status["env_steps"]) == (0, steps)
    updates = [row["charts/updates"] for row in rows_of_figures(tmp_path, NAME)]
    assert updates == list(range(1, len(updates) + 1)), "no row is missing, none doubled"
    if IS_FULL:
        calm = run_calmly(tmp_path / "calm", EVERY_UPDATE, ranks, steps)
        assert_equal_runs(calm, tmp_path)


@pytest.mark.slow
def test_a_run_lost_before_its_first_checkpoint_begins_anew(
    figures: Figures, tmp_path: Path
) -> None:
    recipe = write_recipe(tmp_path, CARTPOLE, TotalEnvSteps=64 * 60, saveCkptEvery=1000)
    command = ("--train", f"--config_path={recipe}", f"--log_name={NAME}")
    with (
        figures.trial(9, "runs lost before their first checkpoint"),
        started(
            tmp_path, *command, ranks=2, environment=APART, torchrun=("--max-restarts", "1")
        ) as run,
    ):
        run.wait_for_rows(NAME, 3)
        run.rank(1).kill()
        ended = run.wait()
        assert ended.code == 0, ended.output
        assert "was lost before its first checkpoint and begins anew" in ended.output
        assert len(rows_of_figures(tmp_path, NAME)) == 60


def test_restarts_that_could_not_join_again_are_refused_with_the_variable_to_set(
    figures: Figures, tmp_path: Path
) -> None:
    recipe = write_recipe(tmp_path, CARTPOLE)
    command = ("--train", f"--config_path={recipe}", f"--log_name={NAME}")
    for _ in range(count(1, 5)):
        began = time.monotonic()
        with (
            figures.trial(10, "starts refused") as trial,
            started(tmp_path, *command, ranks=2, torchrun=("--max-restarts", "3")) as run,
        ):
            run.wait_for_words("error: ")
            trial.took("told", time.monotonic() - began)
            ended = run.wait()
            trial.took("over", time.monotonic() - began)
            assert run.left_after(SECONDS_TO_CLEAN_UP) == []
            assert ended.code == 1
            assert "TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1" in ended.output
        assert not run_path(tmp_path, NAME).exists()
