"""Every example runs, and says what it should."""

import importlib
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from tests.architecture.test_floors import ROOT
from tests.runs import CARTPOLE, PONG, run_here, write_recipe

pytestmark = pytest.mark.timeout(300)

EXAMPLES = "examples."
SCORES = re.compile(r"score (\S+) in \d+ steps")


def run(name: str, *arguments: Path) -> str:
    """Run an example from the project's folder; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", f"examples.{name}", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    recipe = write_recipe(folder, CARTPOLE, TotalEnvSteps=32)
    common = (f"--config_path={recipe}", "--log_name=demo")
    assert run_here(folder, "--train", *common) == 0
    assert run_here(folder, "--export", *common, "--load_model_path=checkpoints/demo.ckpt") == 0
    return folder


@pytest.mark.slow
def test_checkpoint_weights_and_graph_play_the_same_games(trained: Path) -> None:
    outputs = [
        run("play_checkpoint", trained / "recipe.conf", trained / "checkpoints" / "demo.ckpt"),
        run("play_export", trained / "exports" / "demo"),
        run("play_graph", trained / "exports" / "demo"),
    ]
    assert len(SCORES.findall(outputs[0])) == 20
    assert outputs[0] == outputs[1] == outputs[2]


@pytest.mark.parametrize("name", ["play_export", "play_graph"])
def test_an_export_that_is_none_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"examples.{name}", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {tmp_path}")
    assert len(done.stderr.splitlines()) == 1
    done = subprocess.run(
        [sys.executable, "-m", f"examples.{name}", str(tmp_path / "x")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert (
        done.stderr == f"error: {tmp_path / 'x'}: there is no such folder; make export writes one\n"
    )


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("nes_py") is None, reason="gym-super-mario-bros is not installed"
)
def test_a_checkpoint_of_mario_with_a_bonus_plays(tmp_path: Path) -> None:
    """rllte 49, RLeXplore 16: what was trained there could not be played."""
    text = PONG.replace("EnvType = atari", "EnvType = mario")
    recipe = write_recipe(tmp_path, text, EnvID="SuperMarioBros-v0", TotalEnvSteps=16)
    assert run_here(tmp_path, "--train", f"--config_path={recipe}", "--log_name=demo") == 0
    told = run("play_checkpoint", recipe, tmp_path / "checkpoints" / "demo.ckpt")
    assert len(SCORES.findall(told)) == 20


def test_the_bonus_alone_fades_and_comes_back_where_nobody_had_been() -> None:
    """RLeXplore 3: a bonus on another library's rollouts."""
    told = run("bonus_alone")
    fading = [float(reward) for reward in re.findall(r"reward (\S+) a step", told)]
    assert fading == sorted(fading, reverse=True)
    assert fading[-1] < fading[0] / 20
    (before,), (behind,) = (
        re.findall(rf"(\d\S+) {side}", told) for side in ("before the", "behind")
    )
    assert float(behind) > 100 * float(before)


def test_the_pool_plays_without_an_agent() -> None:
    """Half of the games are stopped and a sixth of the others lost: 12 / 7 steps are expected."""
    assert re.search(r"\d+ episodes of random play, 1\.[78] steps each", run("worker_pool_alone"))


def test_the_losses_alone_find_the_goal() -> None:
    shares = [float(share) for share in re.findall(r"reached (\S+) times", run("losses_alone"))]
    assert shares[0] < 0.5
    assert shares[-1] > 1.5


def test_hidden_velocities_leave_position_and_angle_of_the_same_cartpole() -> None:
    importlib.import_module(EXAMPLES + "hidden_velocities")
    hidden, whole = gymnasium.make("CartPoleHidden-v0"), gymnasium.make("CartPole-v1")
    seen, all_of_it = hidden.reset(seed=3)[0], whole.reset(seed=3)[0]
    for _ in range(5):
        np.testing.assert_array_equal(seen, all_of_it[[0, 2]])
        assert hidden.observation_space.contains(seen)
        seen, all_of_it = hidden.step(1)[0], whole.step(1)[0]


def test_whoever_recalls_the_cue_is_right_and_the_other_answer_is_wrong() -> None:
    recall = importlib.import_module(EXAMPLES + "recall").Recall(delay=3)
    for seed in range(4):
        cue = int(np.argmax(recall.reset(seed=seed)[0][:2]))
        steps = [recall.step(np.int64(0)) for _ in range(3)]
        assert [reward for _, reward, *_ in steps] == [0.0] * 3
        assert steps[-1][0].tolist() == [0.0, 0.0, 1.0]
        right = seed % 2 == 0
        _, reward, ended, *_ = recall.step(np.int64(cue if right else 1 - cue))
        assert (reward, ended) == (float(right), True)


def test_every_example_is_run_here() -> None:
    names = {path.stem for path in (ROOT / "examples").glob("*.py")} - {"__init__"}
    text = Path(__file__).read_text()
    assert {name for name in names if f'"{name}"' not in text} == set()


def test_a_checkpoint_without_its_recipe_is_answered_with_the_usage() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.play_checkpoint", "demo.ckpt"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "usage: python -m examples.play_checkpoint [RECIPE CHECKPOINT]\n"
