"""An encoder read back from its model's folder, or refused in words."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from configs.errors import CheckpointError
from tests.training.offline.made import squares, train
from training.checkpoints.dynamics import load_dynamics
from training.checkpoints.encoder import load_encoder
from training.checkpoints.storage import MAGIC, Payload, Saver, companions, load_payload


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small encoder with a memory."""
    folder = tmp_path_factory.mktemp("trained")
    squares(folder / "D", 20)
    arguments = (
        "--model=reward_induced",
        "--train_steps=4",
        "--batch_size=2",
        "--representation_size=4",
    )
    assert train(folder, *arguments, "--set=ValidateEveryNSteps=2") == 0
    return folder / "E"


@pytest.fixture
def model(trained: Path, tmp_path: Path) -> Path:
    """A copy of it, with its newest checkpoint alone."""
    (tmp_path / "E").mkdir()
    shutil.copy(trained / "model.ckpt", tmp_path / "E")
    return tmp_path / "E"


def changed(model: Path, change: Callable[[Payload], None]) -> None:
    payload = load_payload(model / "model.ckpt")
    change(payload)
    Saver(model / "model.ckpt").save(payload, is_best=False)


def test_it_answers_as_the_one_that_was_trained(model: Path) -> None:
    found = load_encoder(model)
    payload = load_payload(model / "model.ckpt")
    assert (found.model, found.steps, found.environment_id) == ("reward_induced", 4, "Square-v0")
    assert found.path == model / "model.ckpt"
    assert not found.encoder.training
    for name, value in found.encoder.state_dict().items():
        assert torch.equal(value, payload["module"][f"encoder.{name}"])
    assert not any(parameter.requires_grad for parameter in found.encoder.parameters())
    features, _ = found.encoder.encode(torch.zeros(2, 64, 64, 3, dtype=torch.uint8))
    assert features.shape == (2, 4)


def test_a_folder_means_its_best_checkpoint_and_a_file_itself(trained: Path) -> None:
    newest, _, best = companions(trained / "model.ckpt")
    assert load_encoder(trained).path == best
    assert load_encoder(newest).path == newest


def test_the_digest_is_that_of_what_it_answers_and_not_of_how_it_was_saved(model: Path) -> None:
    first = load_encoder(model).digest
    changed(model, lambda payload: payload.update(updates=9))
    assert load_encoder(model).digest == first
    changed(model, lambda payload: payload["module"]["encoder.lstm.bias_ih_l0"].add_(1e-3))
    assert load_encoder(model).digest != first


def torn(model: Path) -> None:
    file = model / "model.ckpt"
    file.write_bytes(file.read_bytes()[:-100])


def foreign(model: Path) -> None:
    (model / "model.ckpt").write_bytes(b"PK\3\4")


def newer(model: Path) -> None:
    file = model / "model.ckpt"
    content = file.read_bytes()
    file.write_bytes(MAGIC + b"\0\0\0\2" + content[len(MAGIC) + 4 :])


def of_another_kind(payload: Payload) -> None:
    payload["facts"]["module"] = payload["facts"]["module"].replace('"recurrent"', '"x"')


def renamed(payload: Payload) -> None:
    payload["module"]["encoder.lstm.bias"] = payload["module"].pop("encoder.lstm.bias_ih_l0")


REFUSED: dict[str, tuple[Callable[[Path], None], str]] = {
    "missing": (lambda model: (model / "model.ckpt").unlink(), "holds no model (model.ckpt)"),
    "torn": (torn, "torn or changed"),
    "foreign": (foreign, "not a checkpoint of this"),
    "newer": (newer, "format 2, but this program reads 1"),
    "of an unknown kind": (lambda m: changed(m, of_another_kind), "there is no encoder 'x'"),
    "with other weights": (lambda m: changed(m, renamed), "its encoder cannot be laid out"),
    "of a policy": (lambda m: changed(m, lambda p: p.update(learner={})), "name the folder"),
    "no encoder": (
        lambda m: changed(m, lambda p: p["facts"].update(trained="dynamics")),
        "holds a model of kind 'dynamics', no encoder",
    ),
    "without its facts": (
        lambda m: changed(m, lambda p: p["facts"].pop("dataset")),
        "facts.dataset: wanted text, found nothing",
    ),
    "with nonsense for facts": (
        lambda m: changed(m, lambda p: p["facts"].update(module="[")),
        "what it tells of itself cannot be read",
    ),
    "without weights": (lambda m: changed(m, lambda p: p.pop("module")), "module: wanted a table"),
}


@pytest.mark.parametrize(("damage", "told"), REFUSED.values(), ids=list(REFUSED))
def test_what_is_no_encoder_is_refused(
    damage: Callable[[Path], None], told: str, model: Path
) -> None:
    damage(model)
    with pytest.raises(CheckpointError) as caught:
        load_encoder(model)
    assert told in str(caught.value)
    assert str(model) in str(caught.value)


def test_a_model_that_is_not_there_is_told_which_one_is(model: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        load_encoder(model.with_name(f"{model.name}s"))
    assert f"there is no such model; did you mean {model}? --train_encoder" in str(caught.value)
    with pytest.raises(CheckpointError) as caught:
        load_dynamics(model.with_name("another"))
    assert str(caught.value).endswith(
        "there is no such model; --train_dynamics trains one on rollouts (see docs/world_models.md)"
    )


def test_a_dataset_in_the_place_of_a_model_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(CheckpointError, match="holds a dataset and no model; train one on it"):
        load_encoder(tmp_path)
