"""A policy on another environment than that of its training, as the command line names it."""

import json
from pathlib import Path

import pytest

from tests.runs import CARTPOLE, run_here, write_recipe

CHECKPOINT = "checkpoints/demo.ckpt"
PROBES = "tests.training.playing.variant_probes"
SHORT = ("--set=EnvType=gymnasium", f"--set=EnvID={PROBES}:ShortPole-v0")
FIFTH = ("--set=EnvType=gymnasium", f"--set=EnvID={PROBES}:FifthPole-v0")
Captured = pytest.CaptureFixture[str]

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("variants")
    recipe = write_recipe(folder, CARTPOLE, TotalEnvSteps=32)
    assert run_here(folder, "--train", f"--config_path={recipe}", "--log_name=demo") == 0
    return folder


def ask(folder: Path, verb: str, *arguments: str) -> int:
    common = (f"--config_path={folder / 'recipe.conf'}", f"--load_model_path={CHECKPOINT}")
    return run_here(folder, verb, *common, *arguments)


def test_a_variant_of_the_same_spaces_is_played_and_named_everywhere(
    trained: Path, capsys: Captured
) -> None:
    assert ask(trained, "--eval", "--episodes=2", "--num_workers=1", *SHORT) == 0
    assert f"EnvID = {PROBES}:ShortPole-v0 (in training CartPole-v1)" in capsys.readouterr().out
    (path,) = (trained / "logs/runs/demo/evaluation").glob("*ShortPole-v0*.json")
    report = json.loads(path.read_text())
    assert report["env_id"] == f"{PROBES}:ShortPole-v0"
    assert report["protocol_changes"]["EnvID"] == {
        "trained": "CartPole-v1",
        "evaluated": f"{PROBES}:ShortPole-v0",
    }
    assert report["length"]["max"] <= 7
    assert run_here(trained, "--report", "demo", "--out=page.html") == 0
    assert "ShortPole-v0 (in training CartPole-v1)" in (trained / "page.html").read_text()


def test_other_spaces_are_refused_and_nothing_is_written(trained: Path, capsys: Captured) -> None:
    assert ask(trained, "--eval", "--save_rollouts", *FIFTH) == 3
    assert "FifthPole-v0: they differ in observation_shape ((4,) and (5,))" in (
        capsys.readouterr().err
    )
    assert not list((trained / "logs/runs/demo").glob("evaluation/*FifthPole*"))


def test_a_rollout_on_other_spaces_is_refused_and_an_earlier_one_stays(
    trained: Path, capsys: Captured
) -> None:
    rollout = ("--rollout", CHECKPOINT, "--episodes=1")
    assert run_here(trained, *rollout) == 0
    dataset = trained / "checkpoints" / "demo_rollout" / "rollout"
    before = {path.name: path.read_bytes() for path in dataset.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert run_here(trained, *rollout, *FIFTH, "--overwrite") == 3
    told = capsys.readouterr().err
    assert "FifthPole-v0: they differ in observation_shape ((4,) and (5,))" in told
    assert "Traceback" not in told
    after = {path.name: path.read_bytes() for path in dataset.rglob("*") if path.is_file()}
    assert after == before


def test_an_export_describes_the_environment_of_training(trained: Path, capsys: Captured) -> None:
    assert ask(trained, "--export", *SHORT) == 2
    assert "ShortPole-v0 (in training CartPole-v1); leave that out" in capsys.readouterr().err
    assert not (trained / "exports").exists()
