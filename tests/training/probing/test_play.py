"""--play: reality, its reconstruction and a dream side by side, as a film and a strip."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import pytest
import torch
from torch import Tensor

from tests.agents.dynamics.walks import D, make, stream, task, walks
from tests.runs import run_here
from tests.training.collecting.sets import PROBES
from tests.training.offline.made import train
from training.checkpoints.storage import Saver, load_payload
from training.dreaming.dream import Dream
from training.probing.beside_reality import dreamt_beside
from training.probing.window import why_no_window

Captured = pytest.CaptureFixture[str]
STEPS = 12
RECIPE = f"""
[Environment]
EnvType = sprites
EnvID = Sprites-v0
MaxStepPerEpisode = {STEPS}
PreProcHeight = 64
PreProcWidth = 64
[Run]
LearnerThreads = 1
WorkerBackend = in_process
"""
DREAM = """
[Environment]
EnvType = dream
EnvID = M
[PPO]
NumStep = 4
MiniBatch = 2
StateHiddenSizes = 8
[Intrinsic]
IntrinsicReward = none
ObsNormStep = 1
[Run]
NumEnv = 2
TotalEnvSteps = 8
"""


@pytest.mark.parametrize("kind", ["mdn_rnn", "causal_transformer"])
@pytest.mark.parametrize("every", [3, 5])
def test_a_dream_begins_at_what_is_real_and_goes_on_by_itself(kind: str, every: int) -> None:
    model = make(kind, replace(task(4), num_starts=1)).requires_grad_(False)
    lived = walks(2, 10)
    assert lived.observations is not None
    assert lived.actions is not None
    latents, actions = lived.observations[1], lived.actions[1, :-1]
    found = dreamt_beside(Dream(model, 0.0), latents, actions, every=every, generator=stream())
    assert found.shape == (10, D)
    for begun in range(0, 10, every):
        assert torch.equal(found[begun], latents[begun])
        state = model.initial_state(1)
        for step in range(begun):  # what it remembers of the real way there
            _, state = model.step(latents[step][None], actions[step][None], state)
        latent = latents[begun][None]
        for step in range(begun, min(begun + every, 10) - 1):
            prediction, state = model.step(latent, actions[step][None], state)
            latent = model.sample(prediction, stream(), 0.0)
            torch.testing.assert_close(found[step + 1], latent[0])
    assert not torch.equal(found[1], latents[1])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two encoders V and W, a model of sequences M on V's latents, and a policy."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "sprites.conf").write_text(RECIPE)
    (folder / "dream.conf").write_text(DREAM)
    collect = ("--collect", "--config_path=sprites.conf", "--num_rollouts=24", "--out_dir=D")
    assert run_here(folder, *collect, "--policy=brownian") == 0
    few = ("--model=vae", "--train_steps=1", "--batch_size=4", "--representation_size=4")
    assert train(folder, *few, model_dir="V") == 0
    assert train(folder, *few, "--seed=2", model_dir="W") == 0
    assert run_here(folder, "--encode", "--model=V", "--dataset=D", "--out_dir=Z") == 0
    small = ("--sequence_length=4", "--batch_size=4", "--train_steps=2")
    assert train(folder, *small, dataset="Z", model_dir="M", verb="--train_dynamics") == 0
    assert run_here(folder, "--train", "--config_path=dream.conf", "--log_name=p") == 0
    return folder


def test_choices_of_the_play_are_those_of_a_model_whose_dataset_counted_them_from_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shifted = (f"--environment={PROBES}:Shifted-v0", "--set=ObservationType=pixels")
    arguments = (*shifted, "--observation_size=64", "--set=WorkerBackend=in_process")
    assert run_here(tmp_path, "--collect", *arguments, "--num_rollouts=20", "--out_dir=D") == 0
    few = ("--model=vae", "--train_steps=1", "--batch_size=4", "--representation_size=4")
    assert train(tmp_path, *few, model_dir="V") == 0
    assert run_here(tmp_path, "--encode", "--model=V", "--dataset=D", "--out_dir=Z") == 0
    small = ("--sequence_length=4", "--batch_size=4", "--train_steps=1")
    assert train(tmp_path, *small, dataset="Z", model_dir="M", verb="--train_dynamics") == 0
    payload = load_payload(tmp_path / "M" / "model.ckpt")
    facts = payload["facts"]
    older = facts["dataset"].replace('"start": -1', '"start": 0')
    payload["facts"] = {**facts, "dataset": older}
    Saver(tmp_path / "M" / "model.ckpt").save(payload, is_best=False)
    dreamt: list[Tensor] = []

    def watched(*given: Any, **named: Any) -> Tensor:
        dreamt.append(given[2])
        return dreamt_beside(*given, **named)

    monkeypatch.setattr("training.probing.play.dreamt_beside", watched)
    assert play(tmp_path, f"--out={tmp_path / 'a.mp4'}") == 0
    assert set(dreamt[0].tolist()) == {0, 1, 2}


def play(home: Path, *arguments: str, vision: str = "V", memory: str = "M") -> int:
    models = (f"--vision_model={vision}", f"--memory_model={memory}")
    own = ("--set=LearnerThreads=1", "--set=WorkerBackend=in_process")
    return run_here(home, "--play", *models, *own, *arguments)


def size_of(film: Path) -> tuple[int, int, int]:
    reader = cv2.VideoCapture(str(film), cv2.CAP_FFMPEG)
    keys = (cv2.CAP_PROP_FRAME_COUNT, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_WIDTH)
    count, height, width = (int(reader.get(key)) for key in keys)
    reader.release()
    return count, height, width


@pytest.mark.parametrize("policy", ["brownian", "checkpoints/p.ckpt"])
def test_three_pictures_stand_side_by_side_in_film_and_strip(
    policy: str, home: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    film = tmp_path / "a.mp4"
    arguments = ("--environment=SPRITES", f"--policy={policy}", "--restart_every=5")
    assert play(home, *arguments, f"--out={film}") == 0
    count, height, width = size_of(film)
    assert count == STEPS + 1
    assert (width, height > 320) == (3 * 320, True)  # a label stands below
    strip = cv2.imread(str(film.with_suffix(".png")))
    assert strip is not None
    assert strip.shape[1] == 5 * 2 * 64
    said = capsys.readouterr().out
    assert f"played      {STEPS} steps, {'brownian' if policy == 'brownian' else 'checkpoint'}" in (
        said
    )
    assert "no window   there is no display; the film shows the same" in said
    assert "nothing changes" in said


def test_without_a_place_they_go_into_the_folder_of_the_model_of_sequences(home: Path) -> None:
    assert play(home) == 0
    assert {path.name for path in (home / "M").glob("play.*")} == {"play.mp4", "play.png"}


def test_the_environment_is_as_the_model_of_sequences_knows_it(
    home: Path, tmp_path: Path, capsys: Captured
) -> None:
    shorter = tmp_path / "shorter.conf"
    shorter.write_text(RECIPE.replace(f"= {STEPS}", "= 6"))
    collect = ("--collect", f"--config_path={shorter}", "--num_rollouts=12")
    data, latents, model = (str(tmp_path / name) for name in ("D", "Z", "M"))
    assert run_here(home, *collect, "--policy=random", f"--out_dir={data}") == 0
    encode = ("--encode", "--model=V", f"--dataset={data}", f"--out_dir={latents}")
    assert run_here(home, *encode) == 0
    small = ("--sequence_length=4", "--batch_size=4", "--train_steps=1")
    assert train(home, *small, dataset=latents, model_dir=model, verb="--train_dynamics") == 0
    capsys.readouterr()
    assert play(home, f"--out={tmp_path / 'a.mp4'}", memory=model) == 0
    assert "played      6 steps, random" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("models", "arguments", "code", "told"),
    [
        (("M", "M"), (), 3, "holds a model of kind 'dynamics', no encoder"),
        (("V", "V"), (), 3, "holds a model of kind 'encoder', no dynamics"),
        (("W", "M"), (), 3, "learnt the latents of encoder"),
        (("V", "X"), (), 3, "X"),
        (("V", "M"), ("--policy=greedy",), 2, "there is no such policy and no such file"),
        (("V", "M"), ("--environment=CarRacing-v3",), 3, "was trained on Sprites-v0"),
        (("V", "M"), ("--out=a.avi",), 2, "give it a name that ends in .mp4"),
    ],
)
def test_what_cannot_be_played_is_refused_in_one_message(
    models: tuple[str, str],
    arguments: tuple[str, ...],
    code: int,
    told: str,
    home: Path,
    capsys: Captured,
) -> None:
    vision, memory = models
    assert play(home, *arguments, vision=vision, memory=memory) == code
    said = capsys.readouterr().err
    assert told in said
    assert said.count("error:") == 1


def test_a_window_wants_a_display_and_an_opencv_that_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:       QT5\n")
    assert why_no_window() is None
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:       NONE\n")
    assert why_no_window() == "this OpenCV is headless"
    monkeypatch.delenv("DISPLAY")
    assert why_no_window() == "there is no display"
