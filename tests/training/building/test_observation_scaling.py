"""States scaled by running statistics: part of the checkpoint, still in evaluation, exported."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.exports import policy_in
from tests.runs import CARTPOLE, run_here, write_recipe
from training.checkpoints.storage import load_payload
from training.exporting.exported_policy import load_program
from training.playing.player import open_environments, play_episodes

pytestmark = pytest.mark.timeout(300)

Captured = pytest.CaptureFixture[str]
RECIPE = CARTPOLE.replace("[PPO]", "[PPO]\nObservationScaling = running")
CHECKPOINT = "checkpoints/demo.ckpt"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train for two updates without a bonus, evaluate, and export."""
    folder = tmp_path_factory.mktemp("running")
    recipe = write_recipe(folder, RECIPE, TotalEnvSteps=64, IntrinsicReward="none")
    common = (f"--config_path={recipe}", "--log_name=demo", "--num_workers=1")
    assert run_here(folder, "--train", *common) == 0
    loading = (*common, f"--load_model_path={CHECKPOINT}")
    assert run_here(folder, "--eval", *loading, "--episodes=3", "--video") == 0
    assert run_here(folder, "--export", *loading) == 0
    return folder


def test_warm_up_and_updates_are_counted_and_an_evaluation_is_not(run: Path) -> None:
    learner = load_payload(run / CHECKPOINT)["learner"]
    assert learner["policy.scaling.count"].item() == 3 * 16 * 2  # a warm-up, and two updates
    assert (learner["policy.scaling.m2"] > 0).all()
    weights = policy_in(run / "exports/demo")
    assert weights.config.ppo.observation_scaling == "running"


def test_what_is_exported_plays_the_games_of_the_evaluation(run: Path) -> None:
    found = policy_in(run / "exports/demo")
    played = []
    for judge in (None, load_program(run / "exports/demo")):
        with open_environments(found.config, 1, 3, num_processes=1) as environments:
            games = play_episodes(environments, found.player(seed=1, judge=judge), 3)
            played.append([game.score for game in games])
    (report,) = (run / "logs/runs/demo/evaluation").glob("*.json")
    wanted: dict[str, Any] = json.loads(report.read_text())
    assert played == [wanted["scores"]] * 2


def test_another_scaling_than_the_checkpoints_is_refused(run: Path, capsys: Captured) -> None:
    loading = (f"--config_path={run / 'recipe.conf'}", f"--load_model_path={run / CHECKPOINT}")
    stated = ("--set", "ObservationScaling=auto", "--log_name=refused")
    assert run_here(run, "--eval", *loading, *stated) == 3
    assert re.search(r"ObservationScaling +bounds +running", capsys.readouterr().err)
