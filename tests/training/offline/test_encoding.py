"""--encode: a dataset of latents, the same bits whoever encodes which part of it."""

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.runs import run_here, run_main
from tests.training.offline.made import (
    DESCRIPTION,
    FRAMES,
    VECTORS,
    square,
    squares,
    train,
    vectors,
    write,
)
from training.checkpoints.encoder import load_encoder
from training.offline import encoding
from trajectories.episode import Episode
from trajectories.manifest import Description
from trajectories.reader import Dataset, open_dataset
from trajectories.verify import verify_folder
from trajectories.writer import ShardWriter

Captured = pytest.CaptureFixture[str]
EPISODES = 14


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with squares in D, a VAE of them in E, and an encoder with a memory in M."""
    folder = tmp_path_factory.mktemp("home")
    write(folder / "D", [square(n, steps=5 + 3 * n) for n in range(EPISODES)])
    small = ("--train_steps=2", "--batch_size=2", "--representation_size=4")
    assert train(folder, "--model=vae.Vae", *small) == 0
    assert train(folder, "--model=reward_induced", *small, model_dir="M") == 0
    return folder


def encode(home: Path, out: Path, *arguments: str, model: str = "E", dataset: str = "D") -> int:
    """Encode in this process; return the exit code."""
    places = (f"--model={model}", f"--dataset={dataset}", f"--out_dir={out}")
    return run_here(home, "--encode", "--config_path=recipe.conf", *places, *arguments)


def episodes_of(folder: Path) -> dict[str, Episode]:
    found = list(open_dataset(folder).scan())
    assert len(found) == len({episode.id for episode in found})
    return {episode.id: episode for episode in found}


def assert_equal(one: dict[str, Episode], other: dict[str, Episode]) -> None:
    assert one.keys() == other.keys()
    for name, episode in one.items():
        for field in ("observations", "latent_std", "actions", "rewards", "states"):
            mine, theirs = getattr(episode, field), getattr(other[name], field)
            assert mine is theirs is None or mine.tobytes() == theirs.tobytes(), (name, field)


@pytest.fixture(scope="module")
def whole(home: Path) -> Dataset:
    assert encode(home, home / "Z") == 0
    return open_dataset(home / "Z")


def test_latents_are_the_encoders_own_and_all_else_is_kept(home: Path, whole: Dataset) -> None:
    trained = load_encoder(home / "E")
    assert whole.info.schema == replace(
        FRAMES, observation_shape=(4,), observation_dtype="float32", latent="gaussian"
    )
    description = whole.info.description
    assert description.environment == DESCRIPTION.environment
    assert description.facts["encoder"]["digest"] == trained.digest
    frames = {episode.id: episode for episode in open_dataset(home / "D").scan()}
    assert [e.id for e in whole.scan()] == list(frames)
    for episode in whole.scan():
        source = frames[episode.id]
        with torch.no_grad():
            latents, _ = trained.encoder.latents(torch.from_numpy(source.observations.copy()))
        np.testing.assert_allclose(episode.observations, latents.mean, atol=1e-5)
        assert episode.latent_std is not None
        assert latents.deviation is not None
        np.testing.assert_allclose(episode.latent_std, latents.deviation, rtol=1e-4)
        for field in ("actions", "rewards", "states", "terminated", "truncated", "values"):
            np.testing.assert_array_equal(getattr(episode, field), getattr(source, field))
        for name in FRAMES.labels:
            np.testing.assert_array_equal(episode.labels[name], source.labels[name])
    splits = {e.entry.id: e.entry.split for e in open_dataset(home / "D").episodes}
    assert {e.entry.id: e.entry.split for e in whole.episodes} == splits


def test_episodes_of_no_step_are_passed_over(home: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:  # older writers took those of no step
        patch.setattr("trajectories.writer.check_episode", lambda *_: None)
        write(tmp_path / "D", [square(steps, steps=steps) for steps in (6, 0, 4)])
    for _ in range(2):  # also where all is there
        assert encode(home, tmp_path / "Z", dataset=str(tmp_path / "D")) == 0
        assert [len(episode.actions) for episode in open_dataset(tmp_path / "Z").scan()] == [6, 4]


def test_twelve_parts_as_three_by_four_are_one_process_bit_for_bit(
    home: Path, whole: Dataset, tmp_path: Path
) -> None:
    wanted = {episode.id: episode for episode in whole.scan()}
    arguments = ("--num_outer_shards=3", "--num_sub_shards=4")
    for index in (2, 0, 1):
        assert encode(home, tmp_path / "parts", *arguments, f"--outer_shard_index={index}") == 0
    assert_equal(episodes_of(tmp_path / "parts"), wanted)
    shards = sorted(path.name for path in (tmp_path / "parts").glob("*.parquet"))
    assert len(shards) == 12
    assert shards[0] == "shard-encoded-00000-of-00003-0.parquet"
    assert verify_folder(tmp_path / "parts").problems == ()
    assert encode(home, tmp_path / "one", *arguments) == 0  # all parts, one after the other
    assert_equal(episodes_of(tmp_path / "one"), wanted)
    assert shards == sorted(path.name for path in (tmp_path / "one").glob("*.parquet"))


def test_more_parts_than_episodes_are_no_harm(home: Path, whole: Dataset, tmp_path: Path) -> None:
    assert encode(home, tmp_path / "Z", "--num_outer_shards=16", "--out_name=z") == 0
    assert len(open_dataset(tmp_path / "Z")) == len(whole)


def test_an_encoder_with_a_memory_begins_each_episode_without_one(
    home: Path, tmp_path: Path
) -> None:
    assert encode(home, tmp_path / "Z", model="M") == 0
    encoded = open_dataset(tmp_path / "Z")
    assert encoded.info.schema.latent == "point"
    encoder, source = load_encoder(home / "M").encoder, open_dataset(home / "D").episode(1)
    memory = None
    with torch.no_grad():
        for step, frame in enumerate(source.observations):
            features, memory = encoder.encode(torch.from_numpy(frame.copy())[None], memory)
            np.testing.assert_allclose(
                encoded.episode(1).observations[step], features[0], atol=1e-5
            )


@pytest.mark.parametrize("killed_at", [1, 9])
def test_what_was_killed_goes_on_without_doubled_or_missing_episodes(
    killed_at: int, home: Path, whole: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = {episode.id: episode for episode in whole.scan()}
    added, add = 0, ShardWriter.add

    def add_and_die(writer: ShardWriter, episode: Episode) -> None:
        nonlocal added
        added += 1
        if added == killed_at:
            raise MemoryError  # the open shard is lost, as by a kill
        add(writer, episode)

    arguments = ("--num_outer_shards=2", "--num_sub_shards=3")
    with monkeypatch.context() as patched:
        patched.setattr(ShardWriter, "add", add_and_die)
        with pytest.raises(MemoryError):
            encode(home, tmp_path / "Z", *arguments)
    assert encode(home, tmp_path / "Z", *arguments) == 0
    assert_equal(episodes_of(tmp_path / "Z"), wanted)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "Z").iterdir()}
    assert encode(home, tmp_path / "Z", *arguments) == 0
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "Z").iterdir()}


def test_while_it_runs_and_after_a_kill_the_dataset_is_whole(
    home: Path, whole: Dataset, tmp_path: Path
) -> None:
    assert encode(home, tmp_path / "Z", "--split=train") == 0
    left = tmp_path / "Z" / ".writing-encoded-00000-of-00001-abc"
    other = tmp_path / "Z" / ".writing-encoded-00000-of-00002-abc"
    for path in (left, other):
        path.write_bytes(b"PAR1")
    with encoding._locked(tmp_path / "Z", "encoded-00000-of-00001"):
        assert verify_folder(tmp_path / "Z").problems == ()
        assert not left.exists()
        assert other.exists()
    assert encode(home, tmp_path / "Z") == 0
    assert_equal(episodes_of(tmp_path / "Z"), {e.id: e for e in whole.scan()})


def test_a_stop_keeps_whole_episodes_and_ends_with_75(
    home: Path, whole: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    add, added = ShardWriter.add, 0

    def add_and_signal(writer: ShardWriter, episode: Episode) -> None:
        nonlocal added
        added += 1
        if added == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        add(writer, episode)

    with monkeypatch.context() as patched:
        patched.setattr(ShardWriter, "add", add_and_signal)
        assert encode(home, tmp_path / "Z") == 75
    assert "the same command goes on" in capsys.readouterr().out
    assert len(open_dataset(tmp_path / "Z")) == 4
    assert encode(home, tmp_path / "Z") == 0
    assert_equal(episodes_of(tmp_path / "Z"), {e.id: e for e in whole.scan()})


def test_a_split_alone_is_encoded_where_it_is_asked_for(home: Path, tmp_path: Path) -> None:
    assert encode(home, tmp_path / "Z", "--split=train") == 0
    wanted = {e.entry.id for e in open_dataset(home / "D").split("train").episodes}
    assert set(episodes_of(tmp_path / "Z")) == wanted


def other_environment(folder: Path) -> None:
    write(folder, [square(1)], description=Description({"id": "Circle-v0"}, "random"))


def other_size(folder: Path) -> None:
    squares(folder, 1, observation_shape=(96, 96, 3))


def other_kind(folder: Path) -> None:
    write(folder, [vectors(1)], VECTORS)


def other_type(folder: Path) -> None:
    squares(folder, 1, observation_dtype="int16")


@pytest.mark.parametrize(
    ("prepare", "code", "told"),
    [
        (other_type, 2, "holds frames of type int16, but"),
        (other_environment, 3, "is an encoder of Square-v0, but"),
        (other_size, 2, "holds frames of shape (96, 96, 3), but"),
        (other_kind, 2, "holds no frames (its observations are of shape (4,))"),
    ],
)
def test_a_dataset_that_the_encoder_was_not_trained_for_is_refused(
    prepare: Any, code: int, told: str, home: Path, tmp_path: Path, capsys: Captured
) -> None:
    prepare(tmp_path / "other")
    assert encode(home, tmp_path / "Z", dataset=str(tmp_path / "other")) == code
    assert told in capsys.readouterr().err
    assert not (tmp_path / "Z").exists()


@pytest.mark.parametrize(("out", "model"), [("Z", "M"), ("D", "E")])
def test_a_dataset_that_this_encoder_did_not_write_is_refused(
    out: str, model: str, home: Path, whole: Dataset, capsys: Captured
) -> None:
    before = {path.name: path.read_bytes() for path in (home / out).glob("*.*")}
    assert encode(home, home / out, model=model) == 2  # all ids are there, and are others' latents
    assert "holds a dataset that differs in" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in (home / out).glob("*.*")} == before


def test_one_part_is_done_by_one_process_at_a_time(
    home: Path, tmp_path: Path, capsys: Captured
) -> None:
    with encoding._locked(tmp_path / "Z", "encoded-00000-of-00001"):
        assert encode(home, tmp_path / "Z") == 2
    assert "is in use by process" in capsys.readouterr().err


def test_other_episodes_of_the_same_names_are_never_taken_for_those_that_are_there(
    home: Path, tmp_path: Path, capsys: Captured
) -> None:
    write(tmp_path / "D", [square(n, steps=5) for n in range(2)])
    assert encode(home, tmp_path / "Z", dataset=str(tmp_path / "D")) == 0
    assert encode(home, tmp_path / "Z", dataset=str(tmp_path / "D")) == 0
    write(tmp_path / "again", [replace(square(0, steps=5), rewards=np.ones(5))])
    assert encode(home, tmp_path / "Z", dataset=str(tmp_path / "again")) == 2
    assert "holds an episode square-0 of 5 steps" in capsys.readouterr().err


@pytest.mark.parametrize("names", [("y", "x"), ("x", "y", "z")])
def test_states_of_other_numbers_are_refused_before_anything_is_written(
    names: tuple[str, ...], home: Path, tmp_path: Path, capsys: Captured
) -> None:
    small = ("--model=state_autoencoder", "--train_steps=1", "--batch_size=2")
    data = f"--dataset={home / 'D'}"
    assert train(tmp_path, *small, "--representation_size=4", data) == 0
    made = square(0)
    assert made.states is not None
    states = np.zeros((len(made.states), len(names)), np.float32)
    write(tmp_path / "D", [replace(made, states=states)], replace(FRAMES, state=names))
    assert encode(tmp_path, tmp_path / "Z") == 2
    told = capsys.readouterr().err
    assert f"holds states of {len(names)} numbers ({', '.join(names)}), but " in told
    assert "was trained on 2 (x, y)" in told
    assert not (tmp_path / "Z").exists()


@pytest.mark.parametrize("model", ["nothing", "D"])
def test_what_is_no_model_is_refused(
    model: str, home: Path, tmp_path: Path, capsys: Captured
) -> None:
    assert encode(home, tmp_path / "Z", model=model) == 3
    assert "train" in capsys.readouterr().err


@pytest.mark.slow
def test_a_rank_is_an_outer_shard(home: Path, whole: Dataset, tmp_path: Path) -> None:
    places = ("--model=E", "--dataset=D", f"--out_dir={tmp_path / 'Z'}")
    ended = run_main(home, "--encode", "--config_path=recipe.conf", *places, ranks=2)
    assert ended.code == 0, ended.output
    assert_equal(episodes_of(tmp_path / "Z"), {e.id: e for e in whole.scan()})
    assert {path.name for path in (tmp_path / "Z").glob("manifest-*")} == {
        f"manifest-encoded-{index:05d}-of-00002.json" for index in range(2)
    }
