"""Critics of TD3 that look through an encoder, at what a model foretells, or at both."""

import warnings
from pathlib import Path

import pytest
import torch

from tests.halves import NAME, CalmRun, assert_equal_runs, halfway, launch
from tests.off_policy_runs import FRAMES, STATES
from tests.records import checkpoint_path, run_path, state_of
from tests.runs import run_here, write_recipe
from training.checkpoints.encoder import load_encoder, load_model
from training.checkpoints.storage import load_payload
from training.exporting.exported_actor import ExportedActor
from training.exporting.reading import load_export
from training.folders.files import read_json
from training.playing.player import open_environments, play_episodes

pytestmark = pytest.mark.timeout(300)
LARGER = FRAMES.replace("Height = 40", "Height = 64").replace("Width = 40", "Width = 64")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data of random play, and what was trained on it."""
    folder = tmp_path_factory.mktemp("models")
    for name, text in (("states", STATES), ("frames", LARGER)):
        recipe = write_recipe(folder / name, text)
        out = f"--out_dir={folder / name / 'data'}"
        command = ("--collect", f"--config_path={recipe}", "--num_rollouts=6", out)
        assert run_here(folder, *command) == 0
    for model, data in (("transition", "states"), ("state_autoencoder", "states")):
        train(folder, model, data, "--representation_size=5")
    train(folder, "simclr", "frames", "--representation_size=5")
    return folder


def train(folder: Path, model: str, data: str, *more: str) -> None:
    command = ("--train_encoder", f"--model={model}", f"--dataset={folder / data / 'data'}")
    out = f"--model_dir={folder / model}"
    assert run_here(folder, *command, out, "--train_steps=4", "--batch_size=16", *more) == 0


def with_keys(text: str, **sections: str) -> str:
    for section, lines in sections.items():
        if f"[{section}]" in text:
            text = text.replace(f"[{section}]", f"[{section}]\n{lines}")
        else:
            text = f"[{section}]\n{lines}\n\n{text}"
    return text


def kinds(models: Path) -> dict[str, str]:
    """Return a recipe for each of the critics, by what they see."""
    encoder = f"Backbone = encoder:{models / 'state_autoencoder'}"
    foresight = f"TransitionModel = {models / 'transition'}"
    of_frames = LARGER.replace("StateStackSize = 3", "StateStackSize = 2")
    through = f"Backbone = encoder:{models / 'simclr'}"
    return {
        "encoded": with_keys(STATES, PPO=encoder, Representation="Representation = frozen"),
        "predicted": with_keys(STATES, TD3=foresight),
        "both": with_keys(
            STATES,
            PPO=encoder,
            Representation="Representation = finetune",
            TD3=foresight + "\nTransitionUse = finetune",
        ),
        "frozen frames": with_keys(
            of_frames, PPO=through, Representation="Representation = frozen"
        ),
        "trained frames": with_keys(
            of_frames, PPO=through, Representation="Representation = finetune"
        ),
    }


@pytest.mark.parametrize(
    "name",
    [
        "encoded",
        "predicted",
        "both",
        pytest.param("frozen frames", marks=pytest.mark.slow),
        pytest.param("trained frames", marks=pytest.mark.slow),
    ],
)
def test_a_run_resumed_halfway_equals_the_calm_run(models: Path, tmp_path: Path, name: str) -> None:
    text = kinds(models)[name].replace("[Run]", "[Run]\nPrecision = float32")
    recipe = write_recipe(tmp_path / "calm", text, TotalEnvSteps=8 * 32)
    launch(tmp_path / "calm", None, f"--config_path={recipe}")
    calm = CalmRun(tmp_path / "calm", text, None)
    halfway(calm, tmp_path / "other")
    launch(tmp_path / "other", None, f"--config_path={recipe}", "--resume")
    assert_equal_runs(calm, tmp_path / "other")
    assert_exported_plays_as_evaluated(calm)


def assert_exported_plays_as_evaluated(calm: CalmRun) -> None:
    """Weights and graph, with noise and without, whatever actor and critics see, in float32."""
    loading = (f"--config_path={calm.recipe}", f"--load_model_path={calm.end}")
    playing = ("--episodes=5", "--num_env_per_process=3", "--log_name=judged")
    for how in ((), ("--greedy",)):
        assert run_here(calm.folder, "--eval", *loading, *playing, *how) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # torch's own words are nothing to whoever exports
        assert run_here(calm.folder, "--export", *loading, "--out=exported") == 0
    actor = load_export(calm.folder / "exported")
    assert isinstance(actor, ExportedActor)
    reports = [
        read_json(path)
        for path in sorted((run_path(calm.folder, "judged") / "evaluation").glob("*.json"))
    ]
    assert len(reports) == 2
    for report in reports:
        assert report is not None
        greedy = report["action_choice"] == "greedy"
        for player in (
            actor.player(seed=1, greedy=greedy),
            actor.graph_player(seed=1, greedy=greedy),
        ):
            with open_environments(actor.config, seed=1, num_environments=3) as pool:
                played = [each.score for each in play_episodes(pool, player, 5)]
            assert played == pytest.approx(report["scores"], rel=1e-4)


def weights(folder: Path, part: str) -> dict[str, torch.Tensor]:
    learner = load_payload(checkpoint_path(folder, NAME))["learner"]
    return {
        name.removeprefix(part): value for name, value in learner.items() if name.startswith(part)
    }


@pytest.mark.parametrize(("name", "trained"), [("encoded", False), ("both", True)])
def test_an_encoder_is_trained_only_where_it_is_asked_for(
    models: Path,
    tmp_path: Path,
    name: str,
    trained: bool,
) -> None:
    recipe = write_recipe(tmp_path, kinds(models)[name], TotalEnvSteps=96)
    launch(tmp_path, None, f"--config_path={recipe}")
    before = load_encoder(models / "state_autoencoder").encoder.state_dict()
    found = weights(tmp_path, "critic.backbone.encoder.")
    assert found.keys() == before.keys()
    same = [torch.equal(found[name], before[name]) for name in before]
    assert all(same) != trained


@pytest.mark.parametrize(("name", "trained"), [("predicted", False), ("both", True)])
def test_a_model_of_transitions_is_trained_only_where_it_is_asked_for(
    models: Path,
    tmp_path: Path,
    name: str,
    trained: bool,
) -> None:
    recipe = write_recipe(tmp_path, kinds(models)[name], TotalEnvSteps=96)
    launch(tmp_path, None, f"--config_path={recipe}")
    before = load_model(models / "transition").objective.state_dict()
    found = weights(tmp_path, "critic.foresight.model.")
    assert found.keys() == before.keys()
    same = [torch.equal(found[name], before[name]) for name in before if "change" in name]
    assert any(same) != trained


def test_a_frozen_encoder_of_frames_is_remembered_by_its_features(
    models: Path, tmp_path: Path
) -> None:
    recipe = write_recipe(tmp_path, kinds(models)["frozen frames"], TotalEnvSteps=96)
    launch(tmp_path, None, f"--config_path={recipe}")
    (part,) = state_of(checkpoint_path(tmp_path, NAME))["ranks"]
    stacked = 2 * 5
    assert part["replay"]["rows"].shape == (90, 2 * stacked + 1 + 2)


@pytest.mark.parametrize(
    ("section", "line", "words"),
    [
        ("TD3", "TransitionModel = MODELS/state_autoencoder", "holds a state_autoencoder"),
        ("TD3", "TransitionModel = MODELS/none", "there is no such model"),
        ("PPO", "Backbone = encoder:MODELS/simclr", "this encoder sees frames"),
    ],
)
def test_another_model_is_refused_in_words(
    models: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    section: str,
    line: str,
    words: str,
) -> None:
    text = with_keys(STATES, **{section: line.replace("MODELS", str(models))})
    if section == "PPO":
        text = with_keys(text, Representation="Representation = frozen")
    recipe = write_recipe(tmp_path, text)
    assert run_here(tmp_path, "--train", f"--config_path={recipe}") in (2, 3)
    assert words in capsys.readouterr().err
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.parametrize("model", ["transition", "state_autoencoder"])
def test_a_model_of_another_environment_is_refused_in_words(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], model: str
) -> None:
    name = "predicted" if model == "transition" else "encoded"
    text = kinds(models)[name].replace("Pendulum-v1", "MountainCarContinuous-v0")
    recipe = write_recipe(tmp_path, text)
    assert run_here(tmp_path, "--train", f"--config_path={recipe}") == 2
    assert "on rollouts of this environment" in capsys.readouterr().err


def test_frames_have_no_transitions_without_a_frozen_encoder(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipe(tmp_path, FRAMES)
    model = f"--set=TransitionModel={models / 'transition'}"
    assert run_here(tmp_path, "--train", f"--config_path={recipe}", model) == 2
    assert "it foretells state vectors, or a frozen encoder's features" in capsys.readouterr().err


def test_a_model_of_others_costs_no_run_that_it_was_to_replace(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipe(tmp_path, STATES, TotalEnvSteps=32)
    launch(tmp_path, None, f"--config_path={recipe}")
    before = checkpoint_path(tmp_path, NAME).read_bytes()
    other = write_recipe(
        tmp_path / "other",
        with_keys(STATES, TD3=f"TransitionModel = {models / 'transition'}"),
        EnvID="MountainCarContinuous-v0",
    )
    command = ("--train", f"--config_path={other}", f"--log_name={NAME}", "--overwrite")
    assert run_here(tmp_path, *command) == 2
    assert "it foretells 3 numbers" in capsys.readouterr().err
    assert checkpoint_path(tmp_path, NAME).read_bytes() == before
