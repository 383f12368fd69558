"""Runs that collect beside learning: stopped, gone non-finite, and continued otherwise."""

import os
import re
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.halves import COMPONENTS, NAME, CalmRun, assert_equal_runs, halfway, launch, run_calmly
from tests.records import checkpoint_path, last_row, read_status, run_path, state_of
from tests.runs import CARTPOLE, run_here, write_recipe
from training.checkpoints.storage import load_payload

OVERLAP = COMPONENTS["overlap"]
SYNCHRONOUS_PARTS = [
    "generator",
    "frames",
    "ages",
    "intrinsic",
    "visits",
    "since_row",
    "environments",
]
DROPPED = "not exact: the rollout that was collected beside the last update and not yet learned"

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> CalmRun:
    return run_calmly(tmp_path_factory.mktemp("overlap"), OVERLAP)


@pytest.fixture(scope="module")
def in_turn(tmp_path_factory: pytest.TempPathFactory) -> CalmRun:
    return run_calmly(tmp_path_factory.mktemp("in_turn"), CARTPOLE)


def stop_this_process(folder: Path, updates: int) -> None:
    """Send SIGTERM here once so many updates are logged."""
    while last_row(folder, NAME).get("charts/updates", 0) < updates:
        time.sleep(0.005)
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.slow
def test_a_stopped_run_that_goes_on_equals_the_calm_one(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "calm", OVERLAP, TotalEnvSteps=80 * 32)
    launch(tmp_path / "calm", None, f"--config_path={recipe}")
    folder = tmp_path / "stopped"
    folder.mkdir()
    stopper = threading.Thread(target=stop_this_process, args=(folder, 5), daemon=True)
    stopper.start()
    code = run_here(folder, "--train", f"--config_path={recipe}", f"--log_name={NAME}")
    stopper.join()
    assert code == 75
    saved = load_payload(checkpoint_path(folder, NAME))
    status = read_status(folder, NAME)
    assert (status["update"], status["env_steps"]) == (saved["updates"], 32 * saved["updates"])
    assert 5 <= saved["updates"] < 80
    assert "ahead" in state_of(checkpoint_path(folder, NAME))["ranks"][0]
    launch(folder, None, f"--config_path={recipe}", "--resume")
    assert_equal_runs(CalmRun(tmp_path / "calm", OVERLAP, None), folder)


def test_its_curve_is_not_that_of_a_run_in_turn(calm: CalmRun, in_turn: CalmRun) -> None:
    found, other = (state_of(run.end)["learner"] for run in (calm, in_turn))
    assert any(not found[name].equal(other[name]) for name in found)


def test_only_a_run_that_overlaps_saves_what_overlapping_needs(
    calm: CalmRun, in_turn: CalmRun, tmp_path: Path
) -> None:
    kept = {
        name: [*state_of(path)["ranks"][0]]
        for name, path in (
            ("halfway in turn", halfway(in_turn, tmp_path / "in turn")),
            ("halfway", halfway(calm, tmp_path / "overlap")),
            ("at the end", calm.end),
        )
    }
    assert kept["halfway in turn"] == SYNCHRONOUS_PARTS
    assert {*kept["halfway"]} == {*SYNCHRONOUS_PARTS, "acting_generator", "ahead"}
    assert {*kept["at the end"]} == {*SYNCHRONOUS_PARTS, "acting_generator"}


def test_it_goes_on_in_turn_and_says_that_a_rollout_is_dropped(
    calm: CalmRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    halfway(calm, tmp_path)
    arguments = (f"--config_path={calm.recipe}", "--resume", "--set", "OverlapCollection=False")
    launch(tmp_path, None, *arguments)
    notes = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert "changed since the checkpoint: OverlapCollection True -> False" in notes
    assert DROPPED in notes
    assert load_payload(checkpoint_path(tmp_path, NAME))["env_steps"] == calm.total


def test_a_run_in_turn_goes_on_with_overlap_and_drops_nothing(
    in_turn: CalmRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    halfway(in_turn, tmp_path)
    arguments = (f"--config_path={in_turn.recipe}", "--resume", "--set", "OverlapCollection=True")
    launch(tmp_path, None, *arguments)
    notes = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert "changed since the checkpoint: OverlapCollection False -> True" in notes
    assert "dropped" not in notes
    assert load_payload(checkpoint_path(tmp_path, NAME))["env_steps"] == in_turn.total


def test_a_gradient_that_is_not_finite_ends_the_run_as_it_does_in_turn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipe(tmp_path, OVERLAP)
    arguments = (f"--config_path={recipe}", f"--log_name={NAME}", "--set", "ValueCoef=1e38")
    assert run_here(tmp_path, "--train", *arguments) == 5
    assert "the gradient is not finite (policy" in capsys.readouterr().err
    assert read_status(tmp_path, NAME)["code"] == 5
    assert (run_path(tmp_path, NAME) / "non_finite-rank0.pt").exists()
