"""A film of whatever an environment draws, or one sentence, and the evaluation all the same."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch

from configs.loading import config_from_mapping, load_config
from configs.schema import Config
from tests.runs import CARTPOLE, run_here, write_recipe
from tests.training.playing.drawing_probes import STEPS
from training.playing.film import WIDTH, film_of, make_film, why_no_film
from training.playing.loaded_agent import LoadedPPO, load_agent

pytestmark = pytest.mark.timeout(300)

Captured = pytest.CaptureFixture[str]
MODULE = "tests.training.playing.drawing_probes"
RECIPE = CARTPOLE.replace("classic_control", "gymnasium")
NO_MODE = "draws no pictures (no render mode rgb_array)"


def env_id_of(name: str) -> str:
    return f"{MODULE}:Scout{name}-v0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the game that draws nothing."""
    folder = tmp_path_factory.mktemp("nothing")
    recipe = write_recipe(folder, RECIPE, TotalEnvSteps=32, EnvID=env_id_of("Nothing"))
    assert run_here(folder, "--train", f"--config_path={recipe}", "--log_name=demo") == 0
    return folder


def agent_for(folder: Path, name: str) -> LoadedPPO:
    """Let the policy of that run play another of the games, which differ in what they draw."""
    loaded = load_config(folder / "recipe.conf", [])
    path = folder / "checkpoints/demo.ckpt"
    agent = load_agent(path, loaded, torch.device("cpu"), greedy=False)
    assert isinstance(agent, LoadedPPO)
    return replace(agent, config=config_of(name, agent.config))


def config_of(name: str, config: Config | None = None) -> Config:
    base = config or config_from_mapping({"EnvType": "gymnasium", "MaxStepPerEpisode": "auto"})
    environment = base.environment.model_copy(update={"env_id": env_id_of(name)})
    return base.model_copy(update={"environment": environment})


def frames_of(path: Path) -> list[Any]:
    film, frames = cv2.VideoCapture(str(path)), []
    while (read := film.read())[0]:
        frames.append(read[1])
    film.release()
    return frames


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Nothing", "draws no pictures (render() returned None)"),
        ("Raises", "draws no pictures (render() raised OSError: no display)"),
        ("WithoutMetadata", NO_MODE),
        ("WithoutModes", NO_MODE),
    ],
)
def test_a_game_without_pictures_is_known_by_its_first_one(name: str, reason: str) -> None:
    assert why_no_film(config_of(name), seed=1) == f"{env_id_of(name)} {reason}"


@pytest.mark.parametrize("name", ["Grows", "Floats"])
def test_any_other_game_can_be_filmed(name: str) -> None:
    assert why_no_film(config_of(name), seed=1) is None


def test_that_there_will_be_no_film_is_said_before_the_games(
    folder: Path, capsys: Captured
) -> None:
    loading = (f"--config_path={folder / 'recipe.conf'}", "--load_model_path=checkpoints/demo.ckpt")
    arguments = ("--log_name=demo", "--episodes=2", "--video")
    assert run_here(folder, "--eval", *loading, *arguments) == 0
    said = capsys.readouterr().out
    line = (
        f"no video    {env_id_of('Nothing')} draws no pictures (render() returned None); the games"
    )
    assert said.index(line) < said.index("evaluated ")
    found = folder / "logs/runs/demo/evaluation"
    (report,) = found.glob("*.json")
    assert json.loads(report.read_text())["scores"] == [STEPS, STEPS]
    assert list(found.glob("*.mp4")) == []


def test_pictures_that_end_on_the_way_cost_the_film_and_nothing_else(
    folder: Path, tmp_path: Path, capsys: Captured
) -> None:
    assert film_of(agent_for(folder, "Stops"), tmp_path / "film.mp4", 1) is None
    said = capsys.readouterr().out
    assert said == f"no video    {env_id_of('Stops')} draws no pictures (render() returned None)\n"
    assert list(tmp_path.iterdir()) == []


def test_pictures_that_grow_make_a_film_of_one_size(folder: Path, tmp_path: Path) -> None:
    frames = frames_of(make_film(agent_for(folder, "Grows"), tmp_path / "film.mp4", seed=1))
    assert len(frames) == STEPS + 1
    assert len({frame.shape for frame in frames}) == 1
    height, width = (6 * side for side in (40 + 3 * STEPS, 50))  # enlarged to 320 pixels or more
    assert frames[0].shape[1] == width + WIDTH
    bright = [frame[:height, :width].mean(axis=2) > 100 for frame in frames]
    assert [b.any(axis=1).sum() // 6 for b in bright] == [40 + 3 * t for t in range(STEPS + 1)]
    assert [b.any(axis=0).sum() // 6 for b in bright] == [50 - t for t in range(STEPS + 1)]


def test_floats_from_zero_to_one_are_as_bright_as_they_say(folder: Path, tmp_path: Path) -> None:
    path = make_film(agent_for(folder, "Floats"), tmp_path / "film.mp4", seed=1)
    found = [frame[50:250, 50:250].mean() for frame in frames_of(path)]
    expected = [255 * step / STEPS for step in range(STEPS + 1)]
    assert found == pytest.approx(expected, abs=8)  # a codec rounds


def test_an_entry_point_that_is_nowhere_is_named(tmp_path: Path, capsys: Captured) -> None:
    recipe = write_recipe(tmp_path, RECIPE, EnvID=env_id_of("Nowhere"))
    assert run_here(tmp_path, "--train", f"--config_path={recipe}", "--log_name=demo") == 2
    assert f"its entry point is {MODULE}:Nowhere" in capsys.readouterr().err
