"""Training an encoder on a dataset, from the command line to what lies in the model's folder."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
    EventAccumulator,
)

from agents.encoders.objective import Losses, Samples
from agents.encoders.vae import VAE
from tests.records import differences
from tests.training.offline.made import (
    VECTORS,
    rows_of,
    square,
    squares,
    state_of,
    status_of,
    stop_after,
    train,
    vectors,
    write,
)
from training.building import precision
from training.checkpoints import storage
from training.checkpoints.storage import Saver, companions, load_payload
from training.offline.showing import Showing
from training.offline.validation import LOSS, Validation

Captured = pytest.CaptureFixture[str]
MODELS = {
    "vae": ("--batch_size=4", "--obs_sampled_per_rollout=5", "--representation_size=8"),
    "reward_induced": ("--batch_size=2", "--representation_size=8"),
    "transition": ("--batch_size=8",),
    "byol": ("--batch_size=4", "--representation_size=8"),
}
OFTEN = ("--set=ValidateEveryNSteps=3", "--set=LogEveryNSteps=1", "--set=ValidationSamples=8")


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return squares(tmp_path_factory.mktemp("frames") / "D")


def arguments_of(model: str, steps: int) -> tuple[str, ...]:
    return (f"--model={model}", f"--train_steps={steps}", *MODELS[model], *OFTEN)


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "model",
    [
        "vae",
        "transition",
        pytest.param("reward_induced", marks=SLOW),
        pytest.param("byol", marks=SLOW),
    ],
)
def test_a_stop_is_saved_and_gone_on_with_to_the_last_bit(
    model: str,
    frames: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Captured,
) -> None:
    arguments, data = arguments_of(model, 8), str(frames)
    assert train(tmp_path, *arguments, dataset=data, model_dir="calm") == 0
    with monkeypatch.context() as patched:
        stop_after(5, patched)
        assert train(tmp_path, *arguments, dataset=data) == 75
    assert "with --resume continues" in capsys.readouterr().out
    assert status_of(tmp_path / "E")["code"] == 75
    assert load_payload(tmp_path / "E" / "model.ckpt")["updates"] == 5
    assert train(tmp_path, *arguments, "--resume", dataset=data) == 0
    calm, stopped = (tmp_path / name / "model.ckpt" for name in ("calm", "E"))
    assert differences(state_of(calm), state_of(stopped)) == []
    assert rows_of(tmp_path / "calm") == rows_of(tmp_path / "E")


def test_rows_of_a_killed_training_that_had_saved_at_0_steps_are_not_written_twice(
    frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, path = arguments_of("transition", 3), tmp_path / "E" / "model.ckpt"

    def stopped(*of: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patched:
        patched.setattr(Showing, "begin", stopped)
        assert train(tmp_path, *arguments, dataset=str(frames)) == 75
    at_0 = path.read_bytes()
    assert load_payload(path)["updates"] == 0
    for _ in range(2):
        path.write_bytes(at_0)  # as a kill before the next save leaves it
        assert train(tmp_path, *arguments, "--resume", dataset=str(frames)) == 0
    assert [row["step"] for row in rows_of(tmp_path / "E")] == [1, 2, 3]


def test_the_best_by_held_out_loss_is_kept_beside_the_last(frames: Path, tmp_path: Path) -> None:
    assert train(tmp_path, *arguments_of("transition", 9), dataset=str(frames)) == 0
    newest, _, best = companions(tmp_path / "E" / "model.ckpt")
    looked = {
        r["step"]: r["validation/loss"] for r in rows_of(tmp_path / "E") if "validation/loss" in r
    }
    assert set(looked) == {3, 6, 9}
    assert load_payload(best)["updates"] == min(looked, key=lambda step: looked[step])
    assert load_payload(newest)["best_loss"] == min(looked.values())
    assert status_of(tmp_path / "E")["update"] == 9


def test_a_best_loss_that_a_full_disk_took_is_no_loss_to_beat(
    frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, losses, write = Validation.look, iter((1.0, 2.0, 3.0)), storage._write_temporary
    saves = 0

    def told(validation: Validation) -> dict[str, float]:
        return {**look(validation), LOSS: next(losses)}

    def full_at_first(path: Path, data: bytes) -> Path:
        nonlocal saves
        saves += 1
        if saves == 1:
            raise OSError(28, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Validation, "look", told)
    monkeypatch.setattr(storage, "_write_temporary", full_at_first)
    arguments = (*arguments_of("transition", 9), "--set=EarlyStopPatience=2")
    assert train(tmp_path, *arguments, dataset=str(frames)) == 0
    newest, _, best = companions(tmp_path / "E" / "model.ckpt")
    kept, last = load_payload(best), load_payload(newest)
    assert (kept["updates"], kept["best_loss"], kept["since_best"]) == (6, 2.0, 0)
    assert (last["updates"], last["best_loss"], last["since_best"]) == (9, 2.0, 1)


def test_where_the_best_was_lost_there_is_no_loss_to_beat(
    frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, losses = Validation.look, iter((1.0, 2.0))
    monkeypatch.setattr(Validation, "look", lambda held: {**look(held), LOSS: next(losses)})
    assert train(tmp_path, *arguments_of("transition", 3), dataset=str(frames)) == 0
    best = companions(tmp_path / "E" / "model.ckpt")[2]
    best.unlink()
    arguments = (*arguments_of("transition", 6), "--resume")
    assert train(tmp_path, *arguments, dataset=str(frames)) == 0
    assert load_payload(best)["best_loss"] == 2.0


def test_training_ends_when_it_gets_no_better(
    frames: Path, tmp_path: Path, capsys: Captured
) -> None:
    arguments = (*arguments_of("transition", 200), "--learning_rate=1", "--set=EarlyStopPatience=2")
    assert train(tmp_path, *arguments, dataset=str(frames)) == 0
    assert "no better for 2 validations" in capsys.readouterr().out
    payload = load_payload(tmp_path / "E" / "model.ckpt")
    assert payload["updates"] < 200
    assert payload["since_best"] == 2


def test_the_loss_falls_on_vectors_and_choices(tmp_path: Path) -> None:
    write(tmp_path / "D", [vectors(seed) for seed in range(20)], VECTORS)
    arguments = ("--model=transition", "--batch_size=32", "--train_steps=150")
    assert train(tmp_path, *arguments, "--set=ValidateEveryNSteps=50") == 0
    rows = rows_of(tmp_path / "E")
    assert rows[-1]["losses/total"] < 0.2 * rows[0]["losses/total"]
    assert rows[-1]["transition/ratio_to_persistence"] < 0.2


def test_a_gradient_that_is_not_finite_ends_with_5_and_changes_nothing(
    frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    whole, calls = VAE.forward, 0

    def broken(self: VAE, samples: Samples, generator: torch.Generator) -> Losses:
        nonlocal calls
        calls += self.training
        losses = whole(self, samples, generator)
        return Losses(losses.total * float("nan"), losses.parts) if calls == 3 else losses

    monkeypatch.setattr(VAE, "forward", broken)
    arguments = (*arguments_of("vae", 8), "--save_every_n_steps=1")
    assert train(tmp_path, *arguments, dataset=str(frames)) == 5
    said = capsys.readouterr().err
    assert "the gradient is not finite" in said
    assert "lower EncoderLearningRate" in said
    kept = torch.load(tmp_path / "E" / "non_finite-rank0.pt", weights_only=True)
    saved = load_payload(tmp_path / "E" / "model.ckpt")
    assert kept["updates"] == 3
    assert kept["batch"]["observations"].shape == (4, 64, 64, 3)
    assert all((kept["module"][name] == saved["module"][name]).all() for name in saved["module"])
    assert status_of(tmp_path / "E")["code"] == 5


def test_a_collapsed_encoder_is_said_to_be_collapsed(tmp_path: Path, capsys: Captured) -> None:
    still = square(0)
    still.observations[:] = 7
    write(tmp_path / "D", [replace(still, values={"id": f"still-{n}"}) for n in range(20)])
    assert train(tmp_path, *arguments_of("vae", 3)) == 0
    assert "the representation has collapsed: the encoder fills 1.0 directions" in (
        capsys.readouterr().out
    )


def test_too_few_episodes_to_hold_any_out_are_said_to_be_so(
    tmp_path: Path, capsys: Captured
) -> None:
    squares(tmp_path / "D", 2)
    assert train(tmp_path, *arguments_of("transition", 3)) == 0
    assert "nothing is held out" in capsys.readouterr().out
    assert not companions(tmp_path / "E" / "model.ckpt")[2].exists()


def test_drawings_are_shown_beside_the_curves(frames: Path, tmp_path: Path) -> None:
    assert train(tmp_path, *arguments_of("vae", 3), dataset=str(frames)) == 0
    events = EventAccumulator(str(tmp_path / "E" / "tensorboard"))
    events.Reload()
    assert events.Tags()["images"] == ["reconstruction"]
    (image,) = events.Images("reconstruction")
    assert (image.width, image.height) == (8 * 64, 3 * 64)
    assert [point.step for point in events.Scalars("losses/total")] == [1, 2, 3]


def test_a_full_disk_ends_with_7_and_keeps_what_was_saved(
    frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    assert train(tmp_path, *arguments_of("transition", 3), dataset=str(frames)) == 0

    def full(path: Path, data: bytes) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("training.checkpoints.storage._write_temporary", full)
    arguments = (*arguments_of("transition", 6), "--resume")
    assert train(tmp_path, *arguments, dataset=str(frames)) == 7
    told = capsys.readouterr().err
    assert "No space left on device" in told
    assert "then the same command with --resume goes on" in told
    assert load_payload(tmp_path / "E" / "model.ckpt")["updates"] == 3
    assert train(tmp_path, *arguments_of("transition", 6), "--overwrite", dataset=str(frames)) == 7
    told = capsys.readouterr().err
    assert "nothing was saved before" in told
    assert "then the same command with --resume begins anew" in told


def test_a_key_that_is_newer_than_the_checkpoint_is_no_change(
    frames: Path, tmp_path: Path, capsys: Captured
) -> None:
    assert train(tmp_path, *arguments_of("transition", 3), dataset=str(frames)) == 0
    payload = load_payload(tmp_path / "E" / "model.ckpt")
    del payload["facts"]["config"]["SequenceLength"]
    Saver(tmp_path / "E" / "model.ckpt").save(payload, is_best=False)
    capsys.readouterr()
    arguments = (*arguments_of("transition", 4), "--resume")
    assert train(tmp_path, *arguments, dataset=str(frames)) == 0
    assert "changed since the checkpoint: TrainSteps 3 -> 4\n" in capsys.readouterr().out


def test_a_precision_that_this_machine_settles_otherwise_is_told_in_one_line(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "D", [vectors(seed) for seed in range(8)], VECTORS)
    auto = "--set=Precision=auto"
    monkeypatch.setattr(precision, "bfloat16_pays", lambda *of: False)
    assert train(tmp_path, *arguments_of("transition", 2), auto) == 0
    assert "Precision = auto means" not in capsys.readouterr().out
    monkeypatch.setattr(precision, "bfloat16_pays", lambda *of: True)
    assert train(tmp_path, *arguments_of("transition", 4), auto, "--resume") == 0
    said = (
        "WARNING: E/model.ckpt was trained in float32, and Precision = auto means bfloat16 on this "
        "machine: it goes on in bfloat16; to keep what it had: --set Precision=float32"
    )
    assert capsys.readouterr().out.count(said) == 1
