"""An actor of TD3 exported: its graph, its card, what is read back and what is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor

from configs.errors import CheckpointError
from tests.off_policy_runs import FRAMES, STATES
from tests.runs import run_here, write_recipe
from training.checkpoints.storage import load_payload
from training.exporting.exported_actor import ExportedActor
from training.exporting.form import CPU
from training.exporting.policy_graph import missing_for_onnx
from training.exporting.reading import load_export
from training.folders.files import read_json
from training.playing.player import open_environments, play_episodes

pytestmark = pytest.mark.timeout(300)
# A graph computes in float32, and is compared with the actor as it was trained.
RECIPES = {
    kind: text.replace("[Run]", "[Run]\nPrecision = float32")
    for kind, text in (("states", STATES), ("frames", FRAMES))
}
SHAPES = {"states": (3,), "frames": (3, 40, 40)}


@pytest.fixture(scope="module", params=RECIPES)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train a little, evaluate in both ways, and export."""
    folder = tmp_path_factory.mktemp(request.param)
    recipe = write_recipe(folder, RECIPES[request.param], TotalEnvSteps=128)
    common = (f"--config_path={recipe}", "--log_name=demo")
    assert run_here(folder, "--train", *common) == 0
    loading = (*common, "--load_model_path=checkpoints/demo.ckpt")
    for how in ((), ("--greedy",)):
        assert run_here(folder, "--eval", *loading, "--episodes=3", *how) == 0
    assert run_here(folder, "--export", *loading) == 0
    return folder


@pytest.fixture
def kind(run: Path) -> str:
    return "frames" if "PreProcHeight" in (run / "recipe.conf").read_text() else "states"


def actor_in(run: Path) -> ExportedActor:
    found = load_export(run / "exports/demo")
    assert isinstance(found, ExportedActor)
    return found


def observations(kind: str, count: int) -> Tensor:
    if kind == "frames":
        return torch.randint(0, 256, (count, *SHAPES[kind]), dtype=torch.uint8)
    return torch.randn(count, *SHAPES[kind])


@pytest.mark.parametrize("greedy", [True, False])
def test_weights_and_graph_play_the_games_of_the_evaluation(run: Path, greedy: bool) -> None:
    actor, chosen = actor_in(run), "greedy" if greedy else "sampled"
    reports = [read_json(path) for path in (run / "logs/runs/demo/evaluation").glob("*.json")]
    (wanted,) = (each["scores"] for each in reports if each and each["action_choice"] == chosen)
    for player in (actor.player(1, greedy=greedy), actor.graph_player(1, greedy=greedy)):
        with open_environments(actor.config, seed=1, num_environments=3) as pool:
            played = [each.score for each in play_episodes(pool, player, 3)]
        assert played == pytest.approx(wanted, rel=1e-5)


def test_a_graph_gives_the_action_in_units_and_what_it_is_worth(run: Path, kind: str) -> None:
    """By the learner's own functions: Pendulum's actions reach from -2 to 2."""
    program = torch.export.load(run / "exports/demo/policy.pt2").module()
    learner = actor_in(run).actor
    for count in (1, 5):
        seen = observations(kind, count)
        mean, action, value = program(seen)
        assert torch.equal(mean, learner.act(seen))
        assert torch.equal(action, (2 * mean).clamp(-2, 2))
        torch.testing.assert_close(value, learner.values(seen, learner.act(seen)))


@pytest.mark.skipif(bool(missing_for_onnx()), reason="the packages for ONNX are not installed")
def test_an_onnx_graph_computes_nearly_the_same(run: Path, kind: str) -> None:
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(run / "exports/demo/policy.onnx")
    names = [output.name for output in session.get_outputs()]
    assert names == ["mean", "action", "value_extrinsic"]
    learner = actor_in(run).actor
    for count in (1, 3):
        seen = observations(kind, count)
        found = dict(zip(names, session.run(None, {"observation": seen.numpy()}), strict=True))
        mean = learner.act(seen)
        np.testing.assert_allclose(found["mean"], mean.numpy(), rtol=1e-4, atol=1e-5)
        worth = learner.values(seen, mean).numpy()
        np.testing.assert_allclose(found["value_extrinsic"], worth, rtol=1e-4, atol=1e-5)


def test_the_weights_are_those_that_decide_and_judge(run: Path) -> None:
    """Neither slow copies nor the buffer."""
    weights = safetensors.torch.load_file(run / "exports/demo/policy.safetensors")
    learner = load_payload(run / "checkpoints/demo.ckpt")["learner"]
    wanted = {n: v for n, v in learner.items() if n.startswith(("actor.", "critic."))}
    assert weights.keys() == wanted.keys()
    assert all(torch.equal(weights[name], wanted[name]) for name in wanted)


def test_the_card_tells_how_it_is_fed_and_how_it_explored(run: Path, kind: str) -> None:
    card = (run / "exports/demo/README.md").read_text()
    told = json.loads((run / "exports/demo/config.json").read_text())
    assert card.startswith("# Pendulum-v1, TD3\n")
    assert told["outputs"] == ["mean", "action", "value_extrinsic"]
    assert "log_std" not in card
    drawn = "clip(offset + scale * clip(mean + 0.1 * noise, -1, 1), low, high)"
    assert drawn in card
    assert told["play"]["actions"]["sampled"].startswith(drawn)
    assert told["play"]["actions"]["greedy"] == "clip(offset + scale * mean, low, high)"
    assert told["input"]["shape"] == ["batch", *SHAPES[kind]]
    assert [report["action_choice"] for report in told["evaluations"]] in (
        ["greedy", "sampled"],
        ["sampled", "greedy"],
    )
    assert "python -m examples.play_export exports/demo" in card


def test_a_model_of_the_users_that_td3_does_not_look_at_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor is its file asked for, to evaluate or to export without a recipe."""
    recipe = write_recipe(tmp_path, f"[PPO]\nCustomModel = customnet\n\n{RECIPES['states']}")
    assert run_here(tmp_path, "--train", f"--config_path={recipe}", "--log_name=demo") == 0
    loading = "--load_model_path=checkpoints/demo.ckpt"
    capsys.readouterr()
    assert run_here(tmp_path, "--eval", loading, "--episodes=1") == 0
    assert run_here(tmp_path, "--export", loading) == 0
    assert "customnet" not in capsys.readouterr().err
    assert "examples.play_export" in (tmp_path / "exports/demo/README.md").read_text()


@pytest.mark.parametrize("change", ["another shape", "one is missing", "one too many"])
def test_weights_of_another_network_are_refused(run: Path, change: str, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run / "exports/demo", tmp_path / "copy"))
    weights = safetensors.torch.load_file(copy / "policy.safetensors")
    name = next(iter(weights))
    if change == "one is missing":
        del weights[name]
    else:
        weights[name if change == "another shape" else "more"] = torch.zeros(3, 7, device=CPU)
    safetensors.torch.save_file(weights, copy / "policy.safetensors")
    with pytest.raises(CheckpointError, match="cannot be laid out"):
        load_export(copy)
