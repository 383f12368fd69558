"""--visualise --fresh: film, strip and figures of play that the model has never seen."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.runs import run_here
from tests.training.offline.made import squares, train
from training.checkpoints.encoder import load_model
from training.collecting.numbering import environment_seed
from training.collecting.playing import Tally, play_numbers
from training.probing import playing
from trajectories.reader import open_dataset

Captured = pytest.CaptureFixture[str]
EPISODES, STEPS = 2, 6
RECIPE = """
[Environment]
EnvType = sprites
EnvID = Sprites-v0
MaxStepPerEpisode = 6
PreProcHeight = 64
PreProcWidth = 64
[Run]
LearnerThreads = 1
WorkerBackend = in_process
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with rollouts of sprites in D, a state decoder in S, an encoder with a memory in M,
    and a decoder of squares, which no environment is of, in Q."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "sprites.conf").write_text(RECIPE)
    collect = ("--collect", "--config_path=sprites.conf", "--num_rollouts=24", "--out_dir=D")
    assert run_here(folder, *collect, "--policy=brownian") == 0
    few = ("--train_steps=2", "--batch_size=4")
    assert train(folder, "--model=state_decoder", *few, model_dir="S") == 0
    assert train(folder, "--model=reward_induced", *few, model_dir="M") == 0
    squares(folder / "squares", 8)
    assert train(folder, "--model=state_decoder", *few, dataset="squares", model_dir="Q") == 0
    return folder


def visualise(home: Path, *arguments: str) -> int:
    """Draw in this process; return the exit code."""
    return run_here(home, "--visualise", "--fresh", "--config_path=sprites.conf", *arguments)


def frames_of(film: Path) -> int:
    reader = cv2.VideoCapture(str(film), cv2.CAP_FFMPEG)
    found = int(reader.get(cv2.CAP_PROP_FRAME_COUNT))
    reader.release()
    return found


@pytest.mark.parametrize(
    "verb",
    [
        ("--visualise", "--fresh", "--config_path=sprites.conf", "--model=S", "--episodes=100000"),
        ("--probe", "--model=S", "--dataset=D", "--supervised_steps=1000000"),
    ],
    ids=lambda words: words[0],
)
def test_a_folder_that_cannot_be_written_is_refused_before_the_work(
    verb: tuple[str, ...], home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setattr("training.folders.files.os.access", lambda *_: False)
    assert run_here(home, *verb) == 7
    assert "cannot write S/" in capsys.readouterr().err


def test_film_strip_and_figures_are_of_fresh_play(
    home: Path, tmp_path: Path, capsys: Captured
) -> None:
    arguments = ("--model=S", "--environment=SPRITES", f"--episodes={EPISODES}")
    assert visualise(home, *arguments, f"--out={tmp_path / 'a.mp4'}") == 0
    said = capsys.readouterr().out
    figures = json.loads((tmp_path / "a.json").read_text())
    assert figures["policy"] == "brownian"  # as the dataset's
    assert figures["num_frames"] == EPISODES * (STEPS + 1) == frames_of(tmp_path / "a.mp4")
    model = load_model(home / "S")
    assert figures["held_out_loss"] == model.held_out_loss
    assert figures["ratio"] == pytest.approx(figures["loss"] / figures["held_out_loss"])
    assert 0.3 < figures["ratio"] < 3
    strip = cv2.imread(str(tmp_path / "a.png"))
    assert strip is not None
    assert strip.shape == (3 * 64, 7 * 64, 3)
    for words in ("fresh       loss", "film        ", "strip       ", "drawing fresh play, 4 of 4"):
        assert words in said


def test_without_a_place_they_go_into_the_models_folder_and_are_replaced(home: Path) -> None:
    for seed in (1, 2):
        assert visualise(home, "--model=S", "--episodes=1", f"--seed={seed}") == 0
    names = {path.name for path in (home / "S").glob("fresh.*")}
    assert names == {"fresh.mp4", "fresh.png", "fresh.json"}
    assert json.loads((home / "S" / "fresh.json").read_text())["seed"] == 2


def test_fresh_seeds_are_none_of_the_datasets(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played: list[int] = []

    def watched(*arguments: Any) -> Tally:
        played.append(arguments[3])
        return play_numbers(*arguments)

    monkeypatch.setattr(playing, "play_numbers", watched)
    assert visualise(home, "--model=S", "--episodes=2", f"--out={tmp_path / 'a.mp4'}") == 0
    seeds = {environment_seed(played[0], number) for number in range(2)}
    dataset = open_dataset(home / "D")
    assert not seeds & {episode.entry.values["seed"] for episode in dataset.episodes}


def test_where_the_dataset_lacks_the_background_fresh_play_does_too(
    home: Path, tmp_path: Path
) -> None:
    collect = ("--collect", "--config_path=sprites.conf", "--num_rollouts=24", "--out_dir=B")
    assert run_here(home, *collect, "--policy=random", "--background=median") == 0
    few = ("--train_steps=2", "--batch_size=4", "--model=state_decoder")
    assert train(home, *few, dataset="B", model_dir="BS") == 0
    assert visualise(home, "--model=BS", "--episodes=1", f"--out={tmp_path / 'a.mp4'}") == 0
    assert 0.3 < json.loads((tmp_path / "a.json").read_text())["ratio"] < 3
    strip = cv2.imread(str(tmp_path / "a.png"))
    assert strip is not None
    assert abs(int(np.median(strip[:64])) - 127) <= 1  # what stands still is grey


def test_a_decoder_of_frames_is_drawn_too(home: Path, tmp_path: Path) -> None:
    few = ("--train_steps=1", "--batch_size=4", "--representation_size=4")
    assert train(home, "--model=vae", *few, model_dir="V") == 0
    assert visualise(home, "--model=V", "--episodes=1", f"--out={tmp_path / 'a.mp4'}") == 0
    assert np.isfinite(json.loads((tmp_path / "a.json").read_text())["loss"])


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("--model=M",), 3, "a reward_induced draws nothing; name a state_decoder"),
        (("--model=Q",), 3, "its dataset does not say how its environment is made"),
        (
            ("--model=S", "--environment=CarRacing-v3"),
            3,
            "--environment CarRacing-v3: S/model.best.ckpt was trained on Sprites-v0",
        ),
        (("--model=S", "--policy=greedy"), 2, "--policy greedy: --visualise plays with random or"),
        (("--model=S", "--out=a.avi"), 2, "give it a name that ends in .mp4"),
        (("--model=X",), 3, "X"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_message(
    arguments: tuple[str, ...], code: int, told: str, home: Path, capsys: Captured
) -> None:
    assert visualise(home, *arguments) == code
    said = capsys.readouterr().err
    assert told in said
    assert said.count("error:") == 1


def test_a_new_training_removes_what_was_seen_of_the_old_one(home: Path) -> None:
    assert visualise(home, "--model=S", "--episodes=1") == 0
    (home / "S" / "mine.png").write_bytes(b"mine")
    few = ("--train_steps=2", "--batch_size=4", "--model=state_decoder", "--overwrite")
    assert train(home, *few, model_dir="S") == 0
    assert [path.name for path in (home / "S").glob("*.png")] == ["mine.png"]
