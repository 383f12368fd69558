"""PPO in a dream, from the command line: trained, stopped, gone on with, evaluated."""

import json
from pathlib import Path

import pytest

from tests.records import differences, run_path
from tests.runs import run_here
from tests.training.offline.made import VECTORS, train, vectors, write
from training.checkpoints.storage import load_payload

Captured = pytest.CaptureFixture[str]
RECIPE = """\
[Environment]
EnvType = dream
EnvID = E
MaxStepPerEpisode = 9

[PPO]
NumStep = 8
Epoch = 1
MiniBatch = 2
StateHiddenSizes = 8, 8
ObservationScaling = running

[Intrinsic]
IntrinsicReward = none
ObsNormStep = 1

[Run]
TotalEnvSteps = 192
NumEnv = 4
saveCkptEvery = 2
"""


@pytest.fixture(
    scope="module",
    params=["mdn_rnn", pytest.param("causal_transformer", marks=pytest.mark.slow)],
)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, and the recipe of a dream in it."""
    path = tmp_path_factory.mktemp("dream")
    write(path / "D", [vectors(seed) for seed in range(20)], VECTORS)
    arguments = (f"--model={request.param}", "--sequence_length=4", "--batch_size=4")
    assert train(path, *arguments, "--train_steps=2", verb="--train_dynamics") == 0
    (path / "dream.conf").write_text(RECIPE)
    return path


def run(folder: Path, name: str, *arguments: str) -> int:
    typed = ("--config_path=dream.conf", f"--log_name={name}")
    return run_here(folder, "--train", *typed, *arguments)


def test_ppo_learns_in_a_dream_goes_on_to_the_last_bit_and_is_evaluated(
    folder: Path, capsys: Captured
) -> None:
    assert run(folder, "calm") == 0
    assert "dreamt in the rank itself by E/model" in capsys.readouterr().out
    assert run(folder, "cut", "--max_env_steps=96") == 0
    assert run(folder, "cut", "--resume") == 0
    assert "not exact" not in capsys.readouterr().out
    calm, cut = (load_payload(folder / f"checkpoints/{name}.ckpt") for name in ("calm", "cut"))
    for payload in (calm, cut):
        del payload["facts"]
    assert differences(calm, cut) == []
    checkpoint = "--load_model_path=checkpoints/calm.ckpt"
    typed = ("--eval", "--config_path=dream.conf", checkpoint, "--episodes=3", "--video")
    assert run_here(folder, *typed) == 0
    said = capsys.readouterr().out
    assert "no video    a dream draws no pictures" in said
    (report,) = (run_path(folder, "calm") / "evaluation").glob("*.json")
    assert json.loads(report.read_text())["episodes"] == 3


def test_what_a_dream_does_not_have_is_refused(folder: Path, capsys: Captured) -> None:
    def said(code: int, *arguments: str) -> str:
        assert run(folder, "refused", *arguments) == code
        return capsys.readouterr().err

    assert "what is dreamt are latents" in said(2, "--set=ObservationType=pixels")
    assert "dreams step in the rank itself" in said(2, "--set=WorkerBackend=processes")
    assert "dreams step in the rank itself" in said(2, "--num_workers=2")
    assert "elsewhere: there is no such model" in said(3, "--set=EnvID=elsewhere")
    collected = ("--collect", "--config_path=dream.conf", "--num_rollouts=2", "--out_dir=C")
    assert run_here(folder, *collected) == 2
    assert "can be trained in and evaluated" in capsys.readouterr().err
