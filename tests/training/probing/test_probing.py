"""--probe: one page, one file of figures, one table; what cannot be probed is refused."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.checkpoint_files import file_of
from tests.runs import run_here
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
from training.checkpoints.encoder import load_model
from training.checkpoints.storage import load_payload, pack
from trajectories.episode import Episode
from trajectories.manifest import Description

Captured = pytest.CaptureFixture[str]
STATE = ("x", "y", "still")
SCHEMA = replace(FRAMES, state=STATE)


def with_a_still_number(seed: int) -> Episode:
    episode = square(seed)
    assert episode.states is not None
    still = np.full((len(episode.states), 1), 3.0, np.float32)
    return replace(episode, states=np.concatenate([episode.states, still], axis=1))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with squares in D, a VAE of them in E, an encoder with a memory in M."""
    folder = tmp_path_factory.mktemp("home")
    write(folder / "D", [with_a_still_number(seed) for seed in range(20)], SCHEMA)
    small = ("--batch_size=2", "--representation_size=4")
    assert train(folder, "--model=vae", "--train_steps=2", *small) == 0
    assert train(folder, "--model=reward_induced", "--train_steps=2", *small, model_dir="M") == 0
    assert train(folder, "--model=state_decoder", "--train_steps=1", *small, model_dir="S") == 0
    return folder


def probe(home: Path, out: Path, *arguments: str, dataset: str = "D") -> int:
    """Probe in this process; return the exit code."""
    places = (f"--dataset={dataset}", f"--out={out}", "--supervised_steps=2")
    return run_here(home, "--probe", "--config_path=recipe.conf", *places, *arguments)


def test_two_encoders_side_by_side_are_one_page_and_one_file_of_figures(
    home: Path, tmp_path: Path, capsys: Captured
) -> None:
    assert probe(home, tmp_path / "p.html", "--model", "E", "M") == 0
    said = capsys.readouterr().out
    figures = json.loads((tmp_path / "p.json").read_text())
    page = (tmp_path / "p.html").read_text()
    assert figures["state"] == list(STATE)
    assert [model["name"] for model in figures["models"]] == ["E", "M"]
    (one, other), (third, fourth) = figures["linear_cka"]
    assert one == pytest.approx(fourth) == pytest.approx(1.0)
    assert other == pytest.approx(third)
    assert 0 <= other < 1
    for model in figures["models"]:
        for scores in (model["r_squared"], *model["baselines"].values()):
            assert scores[2] is None  # it does not vary
            assert all(isinstance(score, float) and score <= 1 for score in scores[:2])
        assert set(model["baselines"]) == {"untrained", "PCA", "supervised"}
        assert model["gtc"][2] is None
        assert 1 <= model["rankme"] <= 4.01
        assert np.array(model["correlations"]).shape == (4, 3)
        assert 0 <= model["gtc"][0] <= 1
    assert figures["models"][0]["drawn"]["has_collapsed"]  # after two steps
    assert figures["models"][1]["drawn"] is None
    assert not re.search(r"\bNaN\b|Infinity", (tmp_path / "p.json").read_text())
    for words in ("constant", "data:image/png;base64", "collapsed", "for 2 steps only"):
        assert words in page
    assert not re.search(r'(src|href)="(?!#|data:)', page)
    assert "nan" not in re.sub(r"base64,[^\"]+", "", page).lower().split()
    for words in ("constant", "probing, 9 of 9", "linear CKA of M and E", "collapsed"):
        assert words in said


def test_the_page_goes_into_the_models_folder_and_the_figures_beside_it(
    home: Path, capsys: Captured
) -> None:
    arguments = ("--dataset=D", "--model=M", "--supervised_steps=1", "--split=test")
    assert run_here(home, "--probe", "--config_path=recipe.conf", *arguments) == 0
    assert "M/probe.html" in capsys.readouterr().out
    figures = json.loads((home / "M" / "probe.json").read_text())
    assert figures["split"] == "test"
    assert figures["models"][0]["encoder_digest"] == load_model(home / "M").trained.digest


def test_the_same_command_gives_the_same_figures(home: Path, tmp_path: Path) -> None:
    found = []
    for name in ("a", "b"):
        assert probe(home, tmp_path / f"{name}.html", "--model=M") == 0
        found.append(json.loads((tmp_path / f"{name}.json").read_text())["models"])
    assert found[0] == found[1]


def without_states(folder: Path) -> None:
    squares(folder, 20, state=())


def other_environment(folder: Path) -> None:
    write(folder, [square(n) for n in range(20)], description=Description({"id": "C-v0"}, "random"))


def other_size(folder: Path) -> None:
    squares(folder, 20, observation_shape=(96, 96, 3))


def vectors_alone(folder: Path) -> None:
    schema = replace(VECTORS, state=("a", "b", "c", "d"))
    episodes = [replace(e, states=e.observations) for e in map(vectors, range(20))]
    write(folder, episodes, schema)


def nothing_held_out(folder: Path) -> None:
    description = replace(DESCRIPTION, splits={"train": 1.0, "validation": 0.0})
    write(folder, [square(n) for n in range(5)], description=description)


def one_to_fit(folder: Path) -> None:
    description = replace(DESCRIPTION, splits={"train": 0.0, "validation": 1.0})
    write(folder, [square(n) for n in range(5)], description=description)


def usual(folder: Path) -> None:
    write(folder, [with_a_still_number(n) for n in range(20)], SCHEMA)


CASES: dict[str, tuple[Callable[[Path], None], tuple[str, ...], int, str]] = {
    "no states": (without_states, ("--model=E",), 2, "holds no states, which features are comp"),
    "another environment": (other_environment, ("--model=E",), 3, "is an encoder of Square-v0, b"),
    "another size": (other_size, ("--model=E",), 2, "holds frames of shape (96, 96, 3), but"),
    "no frames": (vectors_alone, ("--model=E",), 2, "holds no frames"),
    "nothing held out": (nothing_held_out, ("--model=E",), 2, "too few episodes to probe: at lea"),
    "nothing to fit on": (one_to_fit, ("--model=E",), 2, "there are 0 in train, 5 in validation"),
    "no such split": (usual, ("--model=E", "--split=tset"), 2, "has no split 'tset', but train"),
    "the fitted split": (usual, ("--model=E", "--split=train"), 2, "must be judged on others"),
    "given the state": (usual, ("--model=S",), 3, "is given the state itself, so there is noth"),
    "no such model": (usual, ("--model=X",), 3, "X"),
    "one of two is none": (usual, ("--model", "E", "X"), 3, "X"),
    "a folder without one": (usual, ("--model=D",), 3, "holds a dataset and no model"),
    "a policy": (usual, ("--model=policy.ckpt",), 3, "is the checkpoint of a policy (--train)"),
    "no encoder": (usual, ("--model=other.ckpt",), 3, "holds a model of kind 'dynamics', no enc"),
    "no page": (usual, ("--model=E", "--out=p.txt"), 2, "give it a name that ends in .html"),
}


@pytest.mark.parametrize(("prepare", "arguments", "code", "told"), CASES.values(), ids=list(CASES))
def test_what_cannot_be_probed_is_refused_in_one_message(
    prepare: Callable[[Path], None],
    arguments: tuple[str, ...],
    code: int,
    told: str,
    home: Path,
    tmp_path: Path,
    capsys: Captured,
) -> None:
    prepare(tmp_path / "D")
    payload: dict[str, Any] = load_payload(home / "E" / "model.ckpt")
    (home / "policy.ckpt").write_bytes(file_of(pack(payload | {"learner": {}})))
    facts = payload["facts"] | {"trained": "dynamics"}
    (home / "other.ckpt").write_bytes(file_of(pack(payload | {"facts": facts})))
    assert probe(home, tmp_path / "p.html", *arguments, dataset=str(tmp_path / "D")) == code
    said = capsys.readouterr().err
    assert told in said
    assert said.count("error:") == 1
    assert not (tmp_path / "p.html").exists()
