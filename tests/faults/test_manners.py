"""Runs whose environments treat the process they live in as their own: it is never the run's."""

import os
import signal
import threading
from pathlib import Path

import pytest
import torch

from configs.errors import EnvironmentFailure
from configs.loading import load_config
from tests.records import read_status
from tests.runs import CARTPOLE, STOP_SIGNALS, run_here, started, write_recipe
from training.playing.loaded_agent import load_agent
from training.playing.player import open_environments, play_episodes

NAME = "demo"
CHECKPOINT = f"checkpoints/{NAME}.ckpt"
MODULE = "tests.faults.manners"  # its import reads the command line: here it would fail
MOMENT = "SCOUT_TEST_MOMENT"  # see there

pytestmark = pytest.mark.timeout(600)

Captured = pytest.CaptureFixture[str]


def recipe_of(folder: Path, kind: str, **values: object) -> Path:
    env_id = f"{MODULE}:Scout{kind}-v0"
    steps = values.pop("TotalEnvSteps", 64)
    return write_recipe(
        folder, CARTPOLE, EnvType="gymnasium", EnvID=env_id, TotalEnvSteps=steps, **values
    )


def train(folder: Path, recipe: Path, *arguments: str) -> int:
    common = (f"--config_path={recipe}", f"--log_name={NAME}", "--num_workers=1")
    return run_here(folder, "--train", *common, "--set=MaxWorkerRestarts=0", *arguments)


def evaluate(folder: Path, recipe: Path, *arguments: str) -> int:
    common = (f"--config_path={recipe}", f"--load_model_path={CHECKPOINT}", "--num_workers=1")
    return run_here(folder, "--eval", *common, f"--log_name={NAME}", "--episodes=1", *arguments)


def state_of_this_process() -> tuple[object, ...]:
    handlers = [signal.getsignal(number) for number in STOP_SIGNALS]
    return os.getcwd(), handlers, threading.active_count()


def test_an_environment_moves_no_run_and_takes_no_signal_of_it(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, "Moving")
    before = state_of_this_process()
    assert train(tmp_path, recipe) == 0
    assert train(tmp_path, recipe, "--overwrite") == 0
    assert evaluate(tmp_path, recipe, "--video") == 0
    assert state_of_this_process() == before
    assert (tmp_path / CHECKPOINT).is_file()
    evaluation = tmp_path / "logs" / "runs" / NAME / "evaluation"
    assert sorted(file.suffix for file in evaluation.iterdir()) == [".json", ".mp4"]
    assert not (Path(__file__).parent / "logs").exists()


@pytest.mark.parametrize("moment", ["init", "reset", "step"])
def test_an_environment_that_leaves_the_program_has_failed(
    moment: str, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MOMENT, moment)
    assert train(tmp_path, recipe_of(tmp_path, "Leaving"), "--overwrite") == 4
    message = capsys.readouterr().err
    assert message.count("error: ") == 1
    assert "it asked to leave the program" in message
    if moment != "init":  # that is found before the run's folder is touched
        assert read_status(tmp_path, NAME)["code"] == 4


def test_an_environment_that_leaves_costs_no_run_that_it_was_to_replace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = recipe_of(tmp_path, "Leaving")
    monkeypatch.setenv(MOMENT, "close")
    assert train(tmp_path, recipe) == 0
    before = (tmp_path / CHECKPOINT).read_bytes()
    monkeypatch.setenv(MOMENT, "init")
    assert train(tmp_path, recipe, "--overwrite") == 4
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    assert read_status(tmp_path, NAME)["code"] == 0


def test_an_environment_that_leaves_while_it_is_drawn_costs_the_film_and_nothing_else(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = recipe_of(tmp_path, "Leaving")
    monkeypatch.setenv(MOMENT, "render")
    assert train(tmp_path, recipe) == 0
    assert evaluate(tmp_path, recipe, "--video") == 0
    said = capsys.readouterr().out
    assert "no video    the environment" in said
    assert "was lost while drawing" in said
    assert "it asked to leave the program" in said
    assert "evaluated " in said


def test_an_evaluation_without_end_ends_with_a_reason(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, "Endless")
    assert train(tmp_path, recipe) == 0
    loaded = load_config(recipe)
    agent = load_agent(tmp_path / CHECKPOINT, loaded, torch.device("cpu"), greedy=False)
    shown: list[int] = []
    with (
        open_environments(agent.config, 1, 2, 1) as pool,
        pytest.raises(EnvironmentFailure, match=r"30 env steps.*MaxStepPerEpisode") as caught,
    ):
        play_episodes(pool, agent.player, 2, lambda steps, _: shown.append(steps), 30)
    assert caught.value.exit_code == 4
    assert shown[-1] == 60


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_programs_of_environments_end_with_a_run_that_is_told_to_end(
    number: signal.Signals, tmp_path: Path
) -> None:
    recipe = recipe_of(tmp_path, "Forgetful", TotalEnvSteps=1_000_000)
    arguments = (f"--config_path={recipe}", f"--log_name={NAME}", "--num_workers=1")
    root = str(Path(__file__).parents[2])
    with started(tmp_path, "--train", *arguments, environment={"PYTHONPATH": root}) as run:
        run.wait_for_rows(NAME, 1)
        assert [p for p in run.processes() if p.name() == "sleep"]
        run.process.send_signal(number)
        run.process.wait(250)
        assert run.left_after(20) == []
