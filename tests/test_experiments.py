"""Experiment files from the command line to a checkpoint; models of the user's; local mode."""

import functools
import json
import shutil
import sys
from pathlib import Path

import pytest
import torch

from configs.errors import CheckpointError
from tests.exports import policy_in
from tests.halves import assert_equal_runs, halfway, launch, run_calmly
from tests.on_terminal import OnTerminal, on_terminal
from tests.runs import CARTPOLE, MAIN, Ended, run_here, run_main
from training.checkpoints.storage import load_payload
from training.exporting import policy_graph
from training.exporting.exported_policy import load_program
from training.playing.player import open_environments, play_episodes

pytestmark = pytest.mark.timeout(300)

ROOT = MAIN.parent
EXAMPLES = sorted((ROOT / "configs" / "experiments").glob("*.yaml"))
SMALL_KEYS = ["NumStep=8", "MiniBatch=2", "Epoch=1", "ConvChannels=4,8,8", "HiddenSize=16"]
SMALL = (*(f"--set={key}" for key in SMALL_KEYS), "--max_env_steps=128")
CUSTOM, CUSTOM_RECURRENT = (
    CARTPOLE.replace("[PPO]", f"[PPO]\nCustomModel = {name}").replace(
        "[Intrinsic]", 'CustomModelConfig = {"hidden": 8, "num_values": 2}\n[Intrinsic]'
    )
    for name in ("customnet", "customrnn")
)
BREAKS = """
_forward = CustomModel.forward

def _stopping(self, observations):
    if len(observations) == 8:
        CustomModel.forward = _forward
        breakpoint()
    return _forward(self, observations)

CustomModel.forward = _stopping
"""
WALK = """
import gymnasium, numpy as np
from gymnasium.envs.registration import register

class Walk(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return np.zeros(2, np.float32), {}

    def step(self, action):
        self.steps += 1
        if self.steps == 3:
            breakpoint()
        return np.zeros(2, np.float32), 1.0, self.steps == 9, False, {}

register("Walk-v0", Walk)
"""


def with_model(folder: Path, more: str = "") -> Path:
    """Lay out the example models in a folder, customnet.py with `more`; return that file."""
    (folder / "models").mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "models" / "customrnn.py", folder / "models")
    path = folder / "models" / "customnet.py"
    source = (ROOT / "models" / "customnet.py").read_text(encoding="utf-8")
    path.write_text(source + more, encoding="utf-8")
    return path


def experiment(folder: Path, name: str = "customnet", **changes: str) -> Path:
    """Lay out the example with a custom model, small; return its path."""
    text = (ROOT / f"configs/experiments/cartpole_{name}.yaml").read_text(encoding="utf-8")
    small = {
        "timesteps_total: ": "timesteps_total: 128  # ",
        "train_batch_size: ": "train_batch_size: 64  # ",
        "minibatch_size: ": "minibatch_size: 32  # ",
        "num_sgd_iter: ": "num_sgd_iter: 1  # ",
    }
    for before, after in (small | changes).items():
        assert before in text
        text = text.replace(before, after)
    path = folder / "walk.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_train_and_what_they_became_is_the_runs_recipe(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_model(tmp_path)
    arguments = ("--train", "-f", str(path), "--local-dir", "there", *SMALL)
    assert run_here(tmp_path, *arguments, "--checkpoint-freq=1", "--checkpoint-at-end") == 0
    name = path.stem.replace("_", "-")
    printed = capsys.readouterr().out
    recipe = (tmp_path / "there/logs/runs" / name / "config.conf").read_text(encoding="utf-8")
    for line in printed.partition("as a recipe\n")[2].splitlines():
        if line.startswith("run "):
            break
        assert line.partition("  ")[0].rstrip() in recipe
    assert (tmp_path / "there/logs/tb_logs" / name).is_dir()
    payload = load_payload(tmp_path / "there/checkpoints" / f"{name}.ckpt")
    assert payload["facts"]["config"]["saveCkptEvery"] == "1"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["models", "there"]


def test_a_checkpoint_alone_is_played_into_a_dataset_and_a_film(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = ROOT / "configs/experiments/cartpole_fcnet.yaml"
    assert run_here(tmp_path, "--train", "-f", str(path), *SMALL) == 0
    rollout = ("--rollout", "checkpoints/cartpole-fcnet.ckpt", "--episodes=3")
    assert run_here(tmp_path, *rollout, "--save-info", "--monitor") == 0
    there = tmp_path / "checkpoints" / "cartpole-fcnet_rollout"
    assert (there / "monitor" / "cartpole-fcnet.mp4").stat().st_size > 0
    rows = (there / "rollout" / "episodes.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1 + 3
    assert run_here(tmp_path, "--data", "verify", str(there / "rollout")) == 0
    before = (there / "rollout" / "manifest.json").read_bytes()
    capsys.readouterr()
    assert run_here(tmp_path, *rollout) == 2
    assert "is there already; replace it with --overwrite" in capsys.readouterr().err
    assert run_here(tmp_path, *rollout, "--set=CustomModel=nowhere") in (2, 3)
    assert "is there already" not in capsys.readouterr().err  # what is wrong besides comes first
    assert (there / "rollout" / "manifest.json").read_bytes() == before
    assert run_here(tmp_path, *rollout, "--out=elsewhere") == 0
    assert (tmp_path / "elsewhere" / "rollout" / "manifest.json").exists()


def test_a_rollout_plays_the_games_of_an_evaluation(tmp_path: Path) -> None:
    path = ROOT / "configs/experiments/cartpole_fcnet.yaml"
    assert run_here(tmp_path, "--train", "-f", str(path), "--local_dir=x", *SMALL) == 0
    recipe = "x/logs/runs/cartpole-fcnet/config.conf"
    checkpoint = "x/checkpoints/cartpole-fcnet.ckpt"
    common = ("--episodes=3", "--seed=4")
    evaluate = ("--eval", f"--config_path={recipe}", f"--load_model_path={checkpoint}")
    assert run_here(tmp_path, *evaluate, "--local-dir=x", *common) == 0
    (report,) = (tmp_path / "x/logs/runs/cartpole-fcnet/evaluation").glob("*.json")
    assert not (tmp_path / "logs").exists()
    assert run_here(tmp_path, "--rollout", checkpoint, *common) == 0
    table = tmp_path / "x/checkpoints/cartpole-fcnet_rollout/rollout/episodes.csv"
    returns = [float(row.split(",")[2]) for row in table.read_text().splitlines()[1:]]
    assert returns == json.loads(report.read_text())["scores"]


def test_a_checkpoint_never_runs_a_model_that_nobody_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = with_model(tmp_path)
    assert run_here(tmp_path, "--train", "-f", str(experiment(tmp_path))) == 0
    source.write_text(source.read_text() + "\nprint('it was run')\n")
    rollout = ("--rollout", "checkpoints/cartpole-customnet.ckpt", "--episodes=1")
    named = ("--set", "CustomModel=customnet", "--overwrite")
    capsys.readouterr()
    assert run_here(tmp_path, *rollout) == 3
    captured = capsys.readouterr()
    assert "would run models/customnet.py; where you trust that" in captured.err
    assert "it was run" not in captured.out
    assert run_here(tmp_path, *rollout, *named) == 0
    captured = capsys.readouterr()
    assert "models/customnet.py has changed since checkpoints/cartpole" in captured.out
    assert "it was run" in captured.out
    source.unlink()
    assert run_here(tmp_path, *rollout, *named) == 2
    assert "models/customnet.py cannot be read (No such file" in capsys.readouterr().err


def test_weights_that_no_longer_fit_a_changed_model_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = with_model(tmp_path)
    assert run_here(tmp_path, "--train", "-f", str(experiment(tmp_path))) == 0
    source.write_text(source.read_text().replace("self.critic", "self.judge"))
    rollout = ("--rollout", "checkpoints/cartpole-customnet.ckpt", "--episodes=1")
    assert run_here(tmp_path, *rollout, "--set", "CustomModel=customnet") == 3
    assert capsys.readouterr().err.startswith("error: checkpoints/cartpole-customnet.ckpt: ")


def test_a_model_that_remembers_something_else_than_its_checkpoint_is_refused_in_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_model(tmp_path)
    source = tmp_path / "models" / "customrnn.py"
    train = ("--train", "-f", str(experiment(tmp_path, "customrnn")))
    assert run_here(tmp_path, *train) == 0
    text = source.read_text()
    start = "return [torch.zeros(self.hidden), torch.zeros(self.hidden)]"
    assert start in text
    text = text.replace(start, "return [torch.zeros(2 * self.hidden)]")
    source.write_text(
        text.replace(
            "before = (state[0].unsqueeze(0), state[1].unsqueeze(0))",
            "before = tuple(half.contiguous() for half in state[0].unsqueeze(0).chunk(2, dim=2))",
        ).replace("[output.squeeze(0), cell.squeeze(0)]", "[torch.cat([output, cell], 2)[0]]")
    )
    said = "its model remembered 2 tensors, [64] and [64]; get_initial_state in models/customrnn.py"
    checkpoint = "checkpoints/cartpole-customrnn.ckpt"
    recipe = "--config_path=logs/runs/cartpole-customrnn/config.conf"
    playing = ("--eval", recipe, f"--load_model_path={checkpoint}", "--episodes=1")
    for command in ((*train, "--resume", "--max_env_steps=256"), playing):
        capsys.readouterr()
        assert run_here(tmp_path, *command) == 3
        assert f"error: {checkpoint}: {said}" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["customnet", "customrnn"])
def test_an_exported_graph_plays_as_its_checkpoint_is_evaluated(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And rolled out; the weights alone are no policy: their code is not there."""
    monkeypatch.setattr(policy_graph, "ONNX_PACKAGES", ("no such package",))
    with_model(tmp_path)
    assert run_here(tmp_path, "--train", "-f", str(experiment(tmp_path, name))) == 0
    run, checkpoint = f"cartpole-{name}", f"checkpoints/cartpole-{name}.ckpt"
    recipe = f"--config_path=logs/runs/{run}/config.conf"
    loading = (recipe, f"--load_model_path={checkpoint}")
    assert run_here(tmp_path, "--eval", *loading, "--episodes=3") == 0
    (report,) = (tmp_path / "logs/runs" / run / "evaluation").glob("*.json")
    wanted = json.loads(report.read_text())["scores"]
    assert run_here(tmp_path, "--export", *loading) == 0
    folder = tmp_path / "exports" / run
    names = ("EnvType", "EnvID", "CustomModel")
    stored = load_payload(tmp_path / checkpoint)["facts"]["config"]
    env_id = stored["EnvID"]
    export = policy_in(folder, trusted_env_id=env_id)
    player = export.player(seed=1, judge=load_program(folder))
    with open_environments(export.config, seed=1, num_environments=3) as pool:
        assert [each.score for each in play_episodes(pool, player, 3)] == wanted
    with pytest.raises(CheckpointError, match="code which no export holds; play its graph"):
        export.player(seed=1)
    card = (folder / "README.md").read_text()
    assert "play_graph" in card
    assert "play_export" not in card
    assert ("| `next_memory` | out | float32 [batch, 128] |" in card) == (name == "customrnn")
    trusted = [word for key in names for word in ("--set", f"{key}={stored[key]}")]
    assert run_here(tmp_path, "--rollout", checkpoint, "--episodes=3", *trusted) == 0
    table = tmp_path / f"checkpoints/cartpole-{name}_rollout/rollout/episodes.csv"
    returns = [float(row.split(",")[2]) for row in table.read_text().splitlines()[1:]]
    assert returns == wanted


def test_what_torch_makes_no_graph_of_is_told_in_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    late = (
        "\ndef _odd(self, seen):\n    return _whole(self, seen if seen.sum() < 9e9 else -seen)\n\n"
    )
    late += "_whole, CustomModel.forward = CustomModel.forward, _odd\n"
    with_model(tmp_path, late)
    assert run_here(tmp_path, "--train", "-f", str(experiment(tmp_path))) == 0
    recipe = "--config_path=logs/runs/cartpole-customnet/config.conf"
    checkpoint = "--load_model_path=checkpoints/cartpole-customnet.ckpt"
    capsys.readouterr()
    assert run_here(tmp_path, "--export", recipe, checkpoint) == 2
    told = capsys.readouterr().err
    assert "error: models/customnet.py: torch.export makes no graph of forward (" in told
    assert "Traceback" not in told
    assert not (tmp_path / "exports").exists()


@pytest.mark.parametrize("text", [CUSTOM, CUSTOM_RECURRENT], ids=["feed-forward", "recurrent"])
def test_a_run_with_a_model_and_a_bonus_goes_on_as_if_nothing_had_been(
    text: str, tmp_path: Path
) -> None:
    for name in ("calm", "resumed"):
        with_model(tmp_path / name)
    calm = run_calmly(tmp_path / "calm", text)
    halfway(calm, tmp_path / "resumed")
    launch(tmp_path / "resumed", None, f"--config_path={calm.recipe}", "--resume")
    assert_equal_runs(calm, tmp_path / "resumed")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["customnet", "customrnn"])
def test_two_ranks_train_one_model_and_share_its_environments(name: str, tmp_path: Path) -> None:
    with_model(tmp_path)
    ended = run_main(tmp_path, "--train", "-f", str(experiment(tmp_path, name)), ranks=2)
    assert ended.code == 0, ended.output
    assert ended.output.count("as a recipe") == 1
    payload = load_payload(tmp_path / "checkpoints" / f"cartpole-{name}.ckpt")
    assert payload["facts"]["config"]["NumEnv"] == "4"
    assert payload["env_steps"] == 128
    assert all(torch.isfinite(value).all() for value in payload["learner"].values())


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("\nraise ValueError('mine')\n", "ValueError: mine"),
        ("\nCustomModel.forward = lambda self, seen: seen / 0\n", "it returns two tensors"),
    ],
)
def test_a_model_that_fails_ends_the_run_with_one_message_and_nothing_is_written(
    more: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_model(tmp_path, more)
    assert run_here(tmp_path, "--train", "-f", str(experiment(tmp_path))) == 2
    captured = capsys.readouterr()
    assert captured.err.count("error: ") == 1
    assert said in captured.err
    assert "custom_policy.py" not in captured.err
    assert "as a recipe" not in captured.out  # the error would stand below all of it
    assert not list(tmp_path.glob("checkpoints/*"))


def test_a_model_that_fails_costs_no_run_that_it_was_to_replace(tmp_path: Path) -> None:
    with_model(tmp_path)
    arguments = ("--train", "-f", str(experiment(tmp_path)))
    assert run_here(tmp_path, *arguments) == 0
    before = (tmp_path / "checkpoints" / "cartpole-customnet.ckpt").read_bytes()
    with_model(tmp_path, "\nCustomModel.forward = lambda self, seen: seen\n")
    assert run_here(tmp_path, *arguments, "--overwrite") == 2
    assert (tmp_path / "checkpoints" / "cartpole-customnet.ckpt").read_bytes() == before
    assert (tmp_path / "logs/runs/cartpole-customnet/metrics.jsonl").stat().st_size > 0


def test_a_model_that_fails_on_the_way_shows_its_own_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    late = "\ndef _late(self, seen):\n    if len(seen) == 8: raise ValueError('late')\n"
    late += "    return _whole(self, seen)\n\n"
    late += "_whole, CustomModel.forward = CustomModel.forward, _late\n"
    with_model(tmp_path, late)
    assert run_here(tmp_path, "--train", "-f", str(experiment(tmp_path))) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: models/customnet.py: forward raised\n")
    assert 'File "models/customnet.py", line' in captured.err
    assert captured.err.count("ValueError: late") == 1


def on_pdb(folder: Path, answers: list[bytes], *arguments: str) -> Ended:
    """Train in local mode on a terminal where nothing is dumb, and answer pdb's prompts."""
    command = (sys.executable, str(MAIN), "--train", "--local-mode", *arguments)
    with on_terminal(folder, *command, more={"TERM": "xterm"}) as program:
        for number, answer in enumerate(answers, start=1):
            program.wait_until(functools.partial(_has_asked, program, number))
            program.press(answer + b"\n")
        code = program.wait()
        return Ended(code, "\n".join(program.lines))


def _has_asked(program: OnTerminal, times: int) -> bool:
    return "\n".join(program.lines).count("(Pdb)") == times


def test_a_breakpoint_in_the_model_waits_for_its_user(tmp_path: Path) -> None:
    with_model(tmp_path, BREAKS)
    path = str(experiment(tmp_path))
    ended = on_pdb(tmp_path, [b"p tuple(observations.shape)", b"c"], "-f", path)
    assert ended.code == 0, ended.output
    assert "(8, 4)" in ended.output
    assert "done: 128 env steps" in ended.last_line
    left = on_pdb(tmp_path, [b"q"], "-f", path, "--overwrite")
    assert left.code == 130, left.output
    assert left.last_line == "the debugger was left; what came after the last save is lost"


def test_a_breakpoint_in_the_environment_waits_for_its_user(tmp_path: Path) -> None:
    (tmp_path / "walk.py").write_text(WALK)
    text = "walk:\n  run: PPO\n  env: walk:Walk-v0\n  stop: {timesteps_total: 4}\n  config:\n"
    text += "    {num_workers: 1, train_batch_size: 4, sgd_minibatch_size: 2, num_sgd_iter: 1}\n"
    (tmp_path / "walk.yaml").write_text(text)
    ended = on_pdb(tmp_path, [b"p self.steps", b"c"], "-f", "walk.yaml")
    assert ended.code == 0, ended.output
    assert "\n3\n" in ended.output


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("-f", "x.yaml", "--config_path=y.conf"), "--file is in the place of a recipe"),
        (("-f", "x.conf"), "--file takes YAML; a recipe is read by --config_path=x.conf"),
        (("-f", "x.yaml"), "x.yaml: no such configuration file; name an experiment with --file"),
        (("x.yaml",), "unknown argument x.yaml; did you mean -f x.yaml?"),
        (("--local-dirr=x",), "unknown argument --local-dirr; did you mean --local-dir?"),
        (("--checkpoint-frq=1",), "did you mean --checkpoint-freq?"),
        (("--experiment=a",), "--experiment names one of an experiment file: it needs --file"),
        (("--local-mode", "--num_workers=2"), "--local_mode has no worker processes"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(
    typed: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = run_here(tmp_path, "--train", *typed)
    except SystemExit as end:
        code = int(end.code or 0)
    assert code == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_yaml_is_no_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = EXAMPLES[0]
    assert run_here(tmp_path, "--train", f"--config_path={path}") == 2
    assert f"{path}: is YAML, and a recipe is a .conf; " in capsys.readouterr().err


def test_local_mode_is_no_rank_of_torchrun(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")  # as torchrun sets it for its processes
    with pytest.raises(SystemExit):
        run_here(tmp_path, "--train", "--local-mode")
    assert "--local_mode is one process, without torchrun" in capsys.readouterr().err


def test_the_file_of_a_stopped_experiment_continues_it(tmp_path: Path) -> None:
    path = str(experiment(tmp_path, **{"custom_model: customnet": "fcnet_hiddens: [8]"}))
    text = Path(path).read_text().partition("      custom_model_config")[0]
    Path(path).write_text(text)
    assert run_here(tmp_path, "--train", "-f", path, "--max_env_steps=64") == 0
    assert run_here(tmp_path, "--train", "-f", path) == 2
    assert run_here(tmp_path, "--train", "-f", path, "--resume") == 0
    assert load_payload(tmp_path / "checkpoints/cartpole-customnet.ckpt")["env_steps"] == 128
