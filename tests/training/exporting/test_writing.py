"""A policy exported and read back: the same actions, the same scores, and no code in the files."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from commands.run_options import default_log_name
from configs.errors import CheckpointError
from tests.exports import policy_in
from tests.runs import CARTPOLE, PONG, run_here, write_recipe
from training.checkpoints.storage import load_payload
from training.exporting import policy_graph
from training.exporting.exported_policy import load_program
from training.exporting.form import spec_from_json, spec_to_json
from training.exporting.reading import load_export
from training.playing.player import open_environments, play_episodes
from workers.environments.base import EnvironmentSpec

pytestmark = pytest.mark.timeout(300)

Captured = pytest.CaptureFixture[str]
CHECKPOINT = "checkpoints/demo.ckpt"
EXPORT = "exports/demo"


def exported(folder: Path, text: str) -> Path:
    """Train a little, evaluate, and export; return the folder of the runs."""
    recipe = write_recipe(folder, text, TotalEnvSteps=32)
    common = (f"--config_path={recipe}", "--log_name=demo")
    assert run_here(folder, "--train", *common) == 0
    loading = (*common, f"--load_model_path={CHECKPOINT}")
    assert run_here(folder, "--eval", *loading, "--episodes=3") == 0
    assert run_here(folder, "--export", *loading) == 0
    return folder


@pytest.fixture(scope="module")
def cartpole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("cartpole"), CARTPOLE)


@pytest.fixture(scope="module")
def pong(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("pong"), PONG)


@pytest.fixture(params=["cartpole", "pong"])
def either(request: pytest.FixtureRequest) -> Path:
    folder: Path = request.getfixturevalue(request.param)
    return folder


@pytest.fixture
def copy(cartpole: Path, tmp_path: Path) -> Path:
    """An export that a test may spoil."""
    return Path(shutil.copytree(cartpole / EXPORT, tmp_path / "export"))


def evaluation(folder: Path) -> dict[str, Any]:
    (path,) = (folder / "logs" / "runs" / "demo" / "evaluation").glob("*.json")
    content: dict[str, Any] = json.loads(path.read_text())
    return content


@pytest.mark.parametrize("form", ["weights", "program"])
def test_it_plays_the_games_of_the_evaluation(either: Path, form: str) -> None:
    found = policy_in(either / EXPORT)
    judge = load_program(either / EXPORT) if form == "program" else None
    with open_environments(found.config, seed=1, num_environments=3) as environments:
        episodes = play_episodes(environments, found.player(seed=1, judge=judge), 3)
    assert [episode.score for episode in episodes] == evaluation(either)["scores"]


def test_the_weights_are_the_policys_and_no_others(either: Path) -> None:
    weights = safetensors.torch.load_file(either / EXPORT / "policy.safetensors")
    learner = load_payload(either / CHECKPOINT)["learner"]
    prefix = "policy."
    wanted = {k.removeprefix(prefix): v for k, v in learner.items() if k.startswith(prefix)}
    assert weights.keys() == wanted.keys()
    assert all(torch.equal(weights[name], wanted[name]) for name in wanted)


def test_the_configuration_is_strict_json_and_tells_in_and_out(pong: Path) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    text = (pong / EXPORT / "config.json").read_text()
    content = json.loads(text, parse_constant=refuse)
    assert content["input"] == {
        "name": "observation",
        "dtype": "uint8",
        "shape": ["batch", 4, 84, 84],
    }
    assert content["outputs"] == ["logits", "value_extrinsic", "value_intrinsic"]
    assert content["env_steps"] == 32


def test_a_spec_survives_json_with_its_missing_bounds() -> None:
    spec = EnvironmentSpec(
        "CartPole-v1",
        (2,),
        "float32",
        discrete=False,
        num_actions=1,
        action_low=(-math.inf,),
        action_high=(1.0,),
        observation_low=(-1.0, -math.inf),
        observation_high=(1.0, math.inf),
    )
    text = json.dumps(spec_to_json(spec), allow_nan=False)
    assert spec_from_json(json.loads(text)) == spec


def test_the_card_tells_scores_commands_and_versions(cartpole: Path) -> None:
    card = (cartpole / EXPORT / "README.md").read_text()
    report = evaluation(cartpole)
    assert card.startswith("# CartPole-v1, PPO + RND\n")
    assert "32 env steps" in card
    assert f"Mean {report['score']['mean']:.2f} over 3 full games" in card
    assert f"python -m examples.play_export {EXPORT}" in card
    assert "## License" in card
    assert f"| torch | {torch.__version__} | {torch.__version__} |" in card


def test_an_evaluation_under_another_protocol_is_named_after_that_of_training(
    cartpole: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(cartpole, tmp_path / "copy"))
    common = (f"--config_path={folder / 'recipe.conf'}", "--log_name=demo")
    loading = (*common, f"--load_model_path={CHECKPOINT}")
    other = ("--greedy", "--episodes=2", "--set", "MaxStepPerEpisode=6")
    assert run_here(folder, "--eval", *loading, *other) == 0
    assert run_here(folder, "--export", *loading) == 0
    told = json.loads((folder / EXPORT / "config.json").read_text())["evaluations"]
    assert [report["action_choice"] for report in told] == ["sampled", "greedy"]
    assert [report["score"]["mean"] == 6 for report in told] == [False, True]
    assert all("checkpoint" not in report for report in told)
    first, second = (folder / EXPORT / "README.md").read_text().split("Actions greedy")
    assert "Actions sampled, seed 1. Training's protocol." in first
    words = "**Not the protocol of training: MaxStepPerEpisode = 6 (in training auto).**"
    assert words in second


def scores_of_the_card(folder: Path, *arguments: str) -> list[Any]:
    """Export from `folder` once more; return the scores of the evaluations that are told."""
    loading = (f"--config_path={folder / 'recipe.conf'}", f"--load_model_path={CHECKPOINT}")
    assert run_here(folder, "--export", *loading, *arguments, "--out=out") == 0
    told = json.loads((folder / "out" / "config.json").read_text())["evaluations"]
    return [report["score"]["mean"] for report in told]


def change_report(folder: Path, **values: Any) -> None:
    """Write the evaluation's report anew, with `values`; None takes one out."""
    (path,) = (folder / "logs" / "runs" / "demo" / "evaluation").glob("*.json")
    content = json.loads(path.read_text()) | values
    path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))


def test_the_card_tells_no_score_of_another_training_state(cartpole: Path, tmp_path: Path) -> None:
    """As many env steps of the same environment do not make it the same one."""
    folder = Path(shutil.copytree(cartpole, tmp_path / "copy"))
    own = evaluation(folder)
    assert scores_of_the_card(folder, "--log_name=demo") == [own["score"]["mean"]]
    change_report(folder, checkpoint_digest="of another run of this name")
    assert scores_of_the_card(folder, "--log_name=demo") == []


def test_a_report_of_before_it_had_a_digest_is_one_of_its_own_run_alone(
    cartpole: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(cartpole, tmp_path / "copy"))
    change_report(folder, checkpoint_digest=None)
    of_demo = [evaluation(folder)["score"]["mean"]]
    assert scores_of_the_card(folder) == of_demo
    runs = folder / "logs" / "runs"
    (runs / "demo").rename(runs / "other")
    assert scores_of_the_card(folder, "--log_name=other") == []


def test_an_evaluation_under_another_name_is_told_where_that_is_typed_and_nowhere_else(
    cartpole: Path, tmp_path: Path
) -> None:
    """The name that a recipe's path would give is nobody's unless it is typed."""
    folder = Path(shutil.copytree(cartpole, tmp_path / "copy"))
    by_recipe = default_log_name(folder / "recipe.conf")
    shutil.rmtree(folder / "logs" / "runs" / "demo" / "evaluation")
    common = (f"--config_path={folder / 'recipe.conf'}", f"--load_model_path={CHECKPOINT}")
    named = f"--log_name={by_recipe}"
    assert run_here(folder, "--eval", *common, named, "--episodes=2") == 0
    assert scores_of_the_card(folder) == []
    assert len(scores_of_the_card(folder, named)) == 1


def test_without_an_evaluation_the_card_says_so(cartpole: Path, tmp_path: Path) -> None:
    recipe = cartpole / "recipe.conf"
    loading = (f"--config_path={recipe}", f"--load_model_path={cartpole / CHECKPOINT}")
    assert run_here(tmp_path, "--export", *loading, "--out=elsewhere") == 0
    assert "has not been evaluated" in (tmp_path / "elsewhere" / "README.md").read_text()


def test_without_the_packages_of_onnx_all_else_is_written_and_no_older_graph_stays(
    cartpole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr(policy_graph, "ONNX_PACKAGES", ("no_such_package",))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "policy.onnx").write_bytes(b"of other weights")
    loading = (
        f"--config_path={cartpole / 'recipe.conf'}",
        f"--load_model_path={cartpole / CHECKPOINT}",
    )
    assert run_here(tmp_path, "--export", *loading, "--out=out") == 0
    assert "policy.onnx: it needs no_such_package" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "README.md",
        "config.json",
        "policy.pt2",
        "policy.safetensors",
    ]


def test_after_a_run_in_bfloat16_the_card_says_that_the_graph_computes_otherwise(
    cartpole: Path, tmp_path: Path
) -> None:
    text = "the scores are those of an evaluation"
    assert text in (cartpole / EXPORT / "README.md").read_text()
    folder = exported(tmp_path, CARTPOLE.replace("[Run]", "[Run]\nPrecision = bfloat16"))
    card = (folder / EXPORT / "README.md").read_text()
    assert text not in card
    assert "the scores of `play_export` are those of an evaluation" in card
    assert "those of `play_graph` may differ: it computes in float32" in card


def test_several_processes_are_refused(
    cartpole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    loading = (
        f"--config_path={cartpole / 'recipe.conf'}",
        f"--load_model_path={cartpole / CHECKPOINT}",
    )
    assert run_here(tmp_path, "--export", *loading) == 2
    assert "exactly one process" in capsys.readouterr().err


def test_an_export_has_the_protocol_of_training_and_no_other(
    cartpole: Path, tmp_path: Path, capsys: Captured
) -> None:
    loading = (
        f"--config_path={cartpole / 'recipe.conf'}",
        f"--load_model_path={cartpole / CHECKPOINT}",
    )
    assert run_here(tmp_path, "--export", *loading, "--set", "MaxStepPerEpisode=5") == 2
    assert "MaxStepPerEpisode = 5 (in training auto)" in capsys.readouterr().err


def test_weights_of_another_network_are_refused(copy: Path) -> None:
    path = copy / "policy.safetensors"
    weights = safetensors.torch.load_file(path)
    name = next(iter(weights))
    safetensors.torch.save_file(weights | {name: torch.zeros(3, 7)}, path)
    with pytest.raises(CheckpointError, match="cannot be laid out"):
        load_export(copy)


@pytest.mark.parametrize("content", [None, b"", b"\x80\x04N.", b"\xff" * 100])
def test_weights_that_are_none_are_refused(copy: Path, content: bytes | None) -> None:
    path = copy / "policy.safetensors"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match="policy"):
        load_export(copy)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"configuration": {"NoSuchKey": "1"}},
        {"configuration": 3},
        {"environment": {"env_id": "x"}},
        {"environment": None},
    ],
)
def test_a_configuration_that_is_none_is_refused(copy: Path, change: dict[str, Any]) -> None:
    path = copy / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CheckpointError, match=str(copy)):
        load_export(copy)


def test_a_folder_without_a_policy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"config\.json"):
        load_export(tmp_path)


def test_a_module_is_imported_only_where_the_user_names_it(copy: Path) -> None:
    path = copy / "config.json"
    content = json.loads(path.read_text())
    content["configuration"] |= {"EnvType": "gymnasium", "EnvID": "evil:Env-v0"}
    path.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match="would import the module evil"):
        load_export(copy)
    assert load_export(copy, trusted_env_id="evil:Env-v0").spec.env_id == "CartPole-v1"
