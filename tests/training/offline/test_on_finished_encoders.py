"""What is trained on the features of an encoder that has been trained, and stands still."""

from pathlib import Path

import pytest
import torch

from tests.training.offline.made import rows_of, squares, train
from training.checkpoints.encoder import load_encoder, load_model

STEPS = ("--batch_size=8", "--train_steps=20", "--set=ValidateEveryNSteps=10")
ON_IT = "--set=FinishedEncoder=E"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    squares(folder / "D")
    assert train(folder, "--model=vae", *STEPS) == 0
    return folder


@pytest.mark.parametrize("model", ["frame_decoder", "transition"])
def test_the_encoder_stays_as_it_was_to_the_last_bit(trained: Path, model: str) -> None:
    arguments = (f"--model={model}", ON_IT, *STEPS)
    assert train(trained, *arguments, model_dir=model) == 0
    before, after = load_encoder(trained / "E"), load_encoder(trained / model)
    assert after.digest == before.digest
    rows = rows_of(trained / model)
    assert rows[-1]["validation/loss"] < rows[0]["losses/total"]


def test_a_decoder_of_features_draws_frames(trained: Path) -> None:
    assert train(trained, "--model=frame_decoder", ON_IT, *STEPS, model_dir="drawn") == 0
    model = load_model(trained / "drawn").objective
    frames = torch.zeros(2, 64, 64, 3, dtype=torch.uint8)
    features, _ = model.encoder.encode(frames)
    assert model.draw(features).shape == (2, 3, 64, 64)  # type: ignore[operator]


REFUSED = {
    "an encoder of its own": (("--model=vae", ON_IT), 2, "vae trains an encoder of its own"),
    "nothing there": (
        ("--model=frame_decoder", "--set=FinishedEncoder=nowhere"),
        3,
        "nowhere: there is no such model",
    ),
}


@pytest.mark.parametrize(("arguments", "code", "told"), REFUSED.values(), ids=list(REFUSED))
def test_an_encoder_that_cannot_be_built_on_is_refused(
    trained: Path,
    arguments: tuple[str, ...],
    code: int,
    told: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert train(trained, *arguments, *STEPS, model_dir="none") == code
    assert told in capsys.readouterr().err
    assert not (trained / "none" / "model.ckpt").exists()


def test_frames_that_the_encoder_was_not_trained_on_are_refused(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    squares(tmp_path / "D", observation_shape=(96, 96, 3))
    arguments = ("--model=frame_decoder", f"--set=FinishedEncoder={trained / 'E'}", *STEPS)
    assert train(tmp_path, *arguments) == 2
    assert "96" in capsys.readouterr().err


def test_training_goes_on_with_the_encoder_that_it_began_with(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(trained, "--model=transition", ON_IT, *STEPS, model_dir="began") == 0
    more = ("--batch_size=8", "--train_steps=25", "--resume")
    other = f"--set=FinishedEncoder={trained / 'E'}"
    assert train(trained, "--model=transition", other, *more, model_dir="began") != 0
    assert "FinishedEncoder" in capsys.readouterr().err
