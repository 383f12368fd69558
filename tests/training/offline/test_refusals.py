"""What is refused before anything is trained: one message, the right code, nothing lost."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.offline.made import (
    DESCRIPTION,
    FRAMES,
    VECTORS,
    rows_of,
    square,
    squares,
    status_of,
    train,
    vectors,
    write,
)
from training.checkpoints.storage import Saver, load_payload
from training.offline.model_folder import ModelFolder
from trajectories.manifest import Description

Captured = pytest.CaptureFixture[str]
SMALL = ("--model=transition", "--batch_size=4", "--train_steps=2")
VAE = ("--model=vae", "--batch_size=4", "--train_steps=2", "--representation_size=4")


def missing(folder: Path) -> None:
    del folder


def vectors_alone(folder: Path) -> None:
    write(folder / "D", [vectors(seed) for seed in range(8)], VECTORS)


def without_labels(folder: Path) -> None:
    squares(folder / "D", 8, labels=())


def with_unknown_labels(folder: Path) -> None:
    episodes = [square(seed) for seed in range(8)]
    for episode in episodes:
        episode.labels["top"][3] = float("nan")
    write(folder / "D", episodes)


def without_states(folder: Path) -> None:
    squares(folder / "D", 8, state=(), labels=("left", "top"))


def larger(folder: Path) -> None:
    squares(folder / "D", 8, observation_shape=(96, 96, 3))


def of_a_foreign_type(folder: Path) -> None:
    schema = replace(FRAMES, observation_dtype="int32")
    episodes = [square(seed) for seed in range(8)]
    wide = [replace(e, observations=e.observations.astype("int32")) for e in episodes]
    write(folder / "D", wide, schema)


def usual(folder: Path) -> None:
    squares(folder / "D", 8)


def a_file(folder: Path) -> None:
    (folder / "D").write_text("rollouts")


def damaged(folder: Path) -> None:
    usual(folder)
    manifest = folder / "D" / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"random", b"rand0m"))


CASES = {
    "no such dataset": (missing, SMALL, 2, "--dataset D: there is no such folder"),
    "a file for a dataset": (a_file, SMALL, 2, "D is a file; name the dataset's folder"),
    "a damaged dataset": (damaged, SMALL, 8, "manifest.json"),
    "no frames": (vectors_alone, VAE, 2, "D: vae is trained on frames, and the dataset has vec"),
    "no labels": (
        without_labels,
        ("--model=reward_induced", "--batch_size=2"),
        2,
        "D: reward_induced predicts labels, and the dataset has none",
    ),
    "labels with gaps": (
        with_unknown_labels,
        ("--model=reward_induced", "--batch_size=2"),
        2,
        "label 'top' has no value at some observations",
    ),
    "no states": (without_states, SMALL, 2, "transition needs states and actions"),
    "frames of another size": (larger, VAE, 2, "64 x 64 pixels, not 96 x 96"),
    "frames of a foreign type": (
        of_a_foreign_type,
        VAE,
        2,
        "D holds frames of int32, and an encoder takes uint8, int16, float32; convert them",
    ),
    "an unknown model": (usual, ("--model=vaee",), 2, "no objective 'vaee'; there are vae,"),
    "a model near it": (usual, ("--model=vea.Vae",), 2, "did you mean vae.vae?"),
    "a model of another": (
        usual,
        ("--model=frame_decoder",),
        2,
        "needs an encoder of frames that has",
    ),
    "another environment": (
        usual,
        (*SMALL, "--environment=CarRacing-v3"),
        2,
        "--environment CarRacing-v3: D holds rollouts of Square-v0",
    ),
    "no such split": (usual, (*SMALL, "--split=tran"), 2, "has no split 'tran', but train"),
    "too few samples": (usual, ("--batch_size=5000",), 2, "too few for a batch of 5,000"),
    "draws of windows": (
        usual,
        ("--model=transition", "--obs_sampled_per_rollout=3"),
        2,
        "--obs_sampled_per_rollout (ObsSampledPerRollout) says",
    ),
    "a rate that is none": (usual, (*SMALL, "--learning_rate=fast"), 2, "is not a number"),
}


@pytest.mark.parametrize(("prepare", "arguments", "code", "told"), CASES.values(), ids=list(CASES))
def test_what_cannot_be_trained_is_refused_in_one_message(
    prepare: Callable[[Path], None],
    arguments: tuple[str, ...],
    code: int,
    told: str,
    tmp_path: Path,
    capsys: Captured,
) -> None:
    prepare(tmp_path)
    assert train(tmp_path, *arguments) == code
    said = capsys.readouterr().err
    assert told in said
    assert said.count("error:") == 1
    assert not (tmp_path / "E" / "model.ckpt").exists()
    assert not ModelFolder.at(tmp_path / "E").holds_results()  # the mended command may be typed


def test_a_name_in_capitals_means_the_environment_of_any_version(tmp_path: Path) -> None:
    usual(tmp_path)
    assert train(tmp_path, *SMALL, "--environment=SQUARE") == 0


def test_a_model_that_is_there_is_kept_unless_it_is_to_be_replaced(
    tmp_path: Path, capsys: Captured
) -> None:
    usual(tmp_path)
    assert train(tmp_path, *SMALL) == 0
    (tmp_path / "E" / "notes.txt").write_text("mine")
    assert train(tmp_path, *SMALL) == 2
    assert "already holds a model; continue it with --resume" in capsys.readouterr().err
    assert load_payload(tmp_path / "E" / "model.ckpt")["updates"] == 2
    assert train(tmp_path, *SMALL, "--train_steps=1", "--overwrite") == 0
    assert load_payload(tmp_path / "E" / "model.ckpt")["updates"] == 1
    assert [row["step"] for row in rows_of(tmp_path / "E")] == [1]
    assert (tmp_path / "E" / "notes.txt").read_text() == "mine"


def test_a_dataset_is_not_taken_for_the_models_folder(tmp_path: Path, capsys: Captured) -> None:
    usual(tmp_path)
    before = (tmp_path / "D" / "manifest.json").read_bytes()
    for more in ((), ("--overwrite",)):
        assert train(tmp_path, *SMALL, *more, model_dir="D") == 2
        assert "holds something else than a model" in capsys.readouterr().err
    assert (tmp_path / "D" / "manifest.json").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--model=vae", "--representation_size=4"), "model: kind: wanted vae, found transition"),
        (("--batch_size=8",), "EncoderBatchSize: wanted 8, found 4"),
        (("--seed=5",), "Seed: wanted 5, found 1"),
        (("--split=test",), "dataset: split: wanted test, found train"),
    ],
)
def test_going_on_with_something_else_is_refused_with_what_differs(
    arguments: tuple[str, ...], told: str, tmp_path: Path, capsys: Captured
) -> None:
    squares(tmp_path / "D", 20)
    assert train(tmp_path, *SMALL) == 0
    before = (tmp_path / "E" / "model.ckpt").read_bytes()
    assert train(tmp_path, *SMALL, *arguments, "--resume") == 3
    assert told in capsys.readouterr().err
    assert (tmp_path / "E" / "model.ckpt").read_bytes() == before


def test_going_on_with_more_episodes_is_refused(tmp_path: Path, capsys: Captured) -> None:
    usual(tmp_path)
    assert train(tmp_path, *SMALL) == 0
    write(tmp_path / "D", [square(seed) for seed in range(30, 40)])
    assert train(tmp_path, *SMALL, "--resume") == 3
    assert "dataset: episodes: wanted" in capsys.readouterr().err


def test_a_policys_checkpoint_and_a_damaged_one_are_refused(
    tmp_path: Path, capsys: Captured
) -> None:
    usual(tmp_path)
    saver = Saver(tmp_path / "E" / "model.ckpt")
    saver.save({"learner": {}, "facts": {"log_name": "demo"}}, is_best=False)
    assert train(tmp_path, *SMALL, "--resume") == 3
    assert "is the checkpoint of a policy" in capsys.readouterr().err
    saver.path.write_bytes(saver.path.read_bytes()[:-1])
    assert train(tmp_path, *SMALL, "--resume") == 3
    assert "torn or changed" in capsys.readouterr().err


def test_resuming_nothing_begins(tmp_path: Path, capsys: Captured) -> None:
    usual(tmp_path)
    assert train(tmp_path, *SMALL, "--resume") == 0
    assert "has nothing to continue: training begins" in capsys.readouterr().out


def test_a_training_that_is_done_says_so_and_loads_nothing(
    tmp_path: Path, capsys: Captured
) -> None:
    usual(tmp_path)
    assert train(tmp_path, *SMALL) == 0
    capsys.readouterr()
    for more in ((), ("--train_steps=1",)):
        assert train(tmp_path, *SMALL, *more, "--resume") == 0
        said = " ".join(capsys.readouterr().out.split())
        assert "nothing is left to train: 2 steps are done; a higher --train_steps goes on" in said
        assert "done: 2 steps; nothing new to save since" in said
        assert "reading the first batch" not in said


def test_two_trainings_never_write_into_one_folder(tmp_path: Path, capsys: Captured) -> None:
    usual(tmp_path)
    with ModelFolder.open(tmp_path, "E", mode="fresh"):
        assert train(tmp_path, *SMALL, model_dir=str(tmp_path / "E")) == 2
    assert "is in use by process" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path, capsys: Captured) -> None:
    usual(tmp_path)
    (tmp_path / "E").mkdir()
    (tmp_path / "E" / "tensorboard").write_text("a file")
    assert train(tmp_path, *SMALL) == 2
    assert "cannot be used: File exists" in capsys.readouterr().err


def test_several_datasets_are_trained_on_as_one_if_they_are_alike(
    tmp_path: Path, capsys: Captured
) -> None:
    for name, first in (("part_1", 0), ("part_2", 10)):
        write(tmp_path / name, [square(seed) for seed in range(first, first + 10)])
    assert train(tmp_path, *SMALL, dataset="part_*") == 0
    facts = json.loads(load_payload(tmp_path / "E" / "model.ckpt")["facts"]["dataset"])
    assert 10 < facts["episodes"] <= 20
    other = Description({"id": "Circle-v0"}, "random")
    write(tmp_path / "part_3", [square(50)], description=other)
    assert train(tmp_path, *SMALL, dataset="part_*", model_dir="F") == 2
    assert "part_1 and part_3 differ in environment.id" in capsys.readouterr().err
    for name, seed, facts in (("old", 60, {}), ("told", 70, {"max_episode_steps": 9})):
        told = replace(DESCRIPTION, facts=facts)  # one from before limits were told goes with it
        episodes = [square(number) for number in range(seed, seed + 10)]
        write(tmp_path / f"limit_{name}", episodes, description=told)
    assert train(tmp_path, *SMALL, dataset="limit_*", model_dir="G") == 0
    longer = replace(DESCRIPTION, facts={"max_episode_steps": 8})
    write(tmp_path / "limit_unlike", [square(80)], description=longer)
    assert train(tmp_path, *SMALL, dataset="limit_[tu]*", model_dir="F") == 2
    assert "limit_unlike differ in facts.max_episode_steps" in capsys.readouterr().err
    cut = Description({"id": "Square-v0"}, "random", {"train": 0.5, "validation": 0.5})
    write(tmp_path / "cut_1", [square(1)])
    write(tmp_path / "cut_2", [square(2)], description=cut)  # encoded, they would be cut as one
    assert train(tmp_path, *SMALL, dataset="cut_*", model_dir="F") == 2
    assert "cut_1 and cut_2 differ in splits" in capsys.readouterr().err
    write(tmp_path / "copy_1", [square(1)])
    write(tmp_path / "copy_2", [square(1)])
    assert train(tmp_path, *SMALL, dataset="copy_*", model_dir="F") == 8
    assert "episode square-1 is in it twice" in capsys.readouterr().err


def test_the_last_word_of_a_refusal_does_not_take_away_what_is_known(tmp_path: Path) -> None:
    usual(tmp_path)
    assert train(tmp_path, *SMALL) == 0
    assert train(tmp_path, *SMALL, "--batch_size=8", "--resume") == 3
    status = status_of(tmp_path / "E")
    assert (status["code"], status["update"]) == (0, 2)
