"""A run that is asked to stop, or loses a process: what is saved, what is said, what is left."""

import os
import signal
from pathlib import Path

import pytest

from tests.calm import NAME, STOPPED, assert_equal_runs, assert_stopped_and_saved, run_calmly
from tests.records import checkpoint_path, read_status
from tests.runs import CARTPOLE, WITH_WORKERS, run_main, started, write_recipe
from training.checkpoints.storage import load_payload

SECONDS_TO_CLEAN_UP = 10.0

pytestmark = pytest.mark.timeout(600)


def test_ctrl_c_in_a_terminal_saves_and_says_how_to_continue(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, CARTPOLE + WITH_WORKERS, TotalEnvSteps=1_000_000)
    command = ("--train", f"--config_path={recipe}", f"--log_name={NAME}")
    with started(tmp_path, *command) as run:
        run.wait_for_rows(NAME, 3)
        os.killpg(run.process.pid, signal.SIGINT)  # a terminal sends it to the workers as well
        ended = run.wait()
        assert run.left_after(SECONDS_TO_CLEAN_UP) == []
    assert ended.code == STOPPED
    assert ended.last_line.endswith(
        f"saved to checkpoints/{NAME}.ckpt; the same command with --resume continues"
    )
    assert "Traceback" not in ended.output
    assert "lost" not in ended.output
    assert_stopped_and_saved(tmp_path, by="SIGINT")


@pytest.mark.slow
def test_a_run_stopped_in_its_warm_up_begins_anew(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, CARTPOLE, ObsNormStep=1_000_000)
    command = ("--train", f"--config_path={recipe}", f"--log_name={NAME}")
    with started(tmp_path, *command) as run:
        run.wait_until(lambda: "warm-up" in run.output)
        run.process.send_signal(signal.SIGTERM)
        ended = run.wait()
    assert ended.code == STOPPED
    assert "at 0 env steps; nothing to save yet" in ended.last_line
    resumed = run_main(tmp_path, *command, "--resume", "--set", "ObsNormStep=1")
    assert resumed.code == 0, resumed.output
    assert load_payload(checkpoint_path(tmp_path, NAME))["env_steps"] == 256


@pytest.mark.slow
def test_a_rank_killed_under_torchrun_ends_the_run_and_resume_goes_on(
    tmp_path: Path,
) -> None:
    calm = run_calmly(tmp_path / "calm", CARTPOLE + WITH_WORKERS, ranks=2, env_steps=80 * 64)
    with started(tmp_path, *calm.command, ranks=2) as run:
        run.wait_for_rows(NAME, 12)
        run.rank(0).kill()
        ended = run.wait()
        assert run.left_after(SECONDS_TO_CLEAN_UP) == []
    assert ended.code == 1
    status = read_status(tmp_path, NAME)
    assert (status["code"], status["rank"]) == (6, 1)
    resumed = run_main(tmp_path, *calm.command, "--resume", ranks=2)
    assert resumed.code == 0, resumed.output
    assert_equal_runs(calm, tmp_path)
