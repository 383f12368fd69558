"""A backbone that one run trains by its head, and the next one leaves as it is."""

from pathlib import Path

import pytest

from tests.halves import NAME, launch
from tests.records import checkpoint_path, differences, state_of
from tests.runs import run_here, write_recipe
from training.checkpoints.storage import load_payload

# In the words of the study's code, which works in these two runs.
TRAINED = """\
[DEFAULT]
TrainMethod = modified_RND
representationLearningMethod = BYOL
EnvType = atari
EnvID = PongNoFrameskip-v4
MaxStepPerEpisode = 30
NumStep = 8
Epoch = 2
MiniBatch = 2
ObsNormStep = 1
extracted_feature_embedding_dim = 16
BYOL_projectionHiddenSize = 16
BYOL_projectionSize = 8
BYOL_representationLossCoef = 1.0
ConvChannels = 4, 8, 8
HiddenSize = 16
RNDFeatureDim = 16
LearnerThreads = 1
NumEnv = 2
TotalEnvSteps = 32
"""
FROZEN = TRAINED + "freeze_shared_backbone = True\nloadModel = True\n"
NEXT = "next"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    launch(folder, None, f"--config_path={write_recipe(folder, TRAINED)}")
    return checkpoint_path(folder, NAME)


def go_on(folder: Path, text: str, source: Path | None, *arguments: str, steps: int = 64) -> int:
    recipe = write_recipe(folder, text, TotalEnvSteps=steps)
    from_there = [] if source is None else [f"--load_model_path={source}"]
    named = ("--train", f"--log_name={NEXT}", f"--config_path={recipe}")
    return run_here(folder, *named, *from_there, *arguments)


def test_a_frozen_run_goes_on_from_a_trained_backbone_and_leaves_it(
    trained: Path, tmp_path: Path
) -> None:
    assert go_on(tmp_path, FROZEN, trained) == 0
    before, after = state_of(trained), state_of(checkpoint_path(tmp_path, NEXT))
    assert (before["env_steps"], after["env_steps"]) == (32, 64)
    kept = {name for name in before["learner"] if name.startswith("policy.backbone.")}
    moved = {place.removeprefix(".") for place in differences(_shared(before), _shared(after))}
    assert kept
    assert not kept & moved
    assert {name for name in moved if name.startswith("policy.actor")}
    assert not any(name.startswith("representation.") for name in after["learner"])


def _shared(state: dict[str, dict[str, object]]) -> dict[str, object]:
    learner = state["learner"]
    return {name: part for name, part in learner.items() if not name.startswith("representation.")}


@pytest.mark.slow
def test_a_frozen_run_is_continued_like_any_other(trained: Path, tmp_path: Path) -> None:
    assert go_on(tmp_path, FROZEN, trained) == 0
    assert go_on(tmp_path, FROZEN, None, "--resume", steps=96) == 0
    assert load_payload(checkpoint_path(tmp_path, NEXT))["env_steps"] == 96


def test_a_frozen_run_needs_a_checkpoint_to_begin_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert go_on(tmp_path, FROZEN, None, "--resume") == 2
    assert "without a checkpoint to begin from" in capsys.readouterr().err
    assert not (tmp_path / "logs").exists()


@pytest.mark.slow
def test_a_head_that_was_frozen_away_is_not_trained_again(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert go_on(tmp_path, FROZEN, trained) == 0
    frozen = checkpoint_path(tmp_path, NEXT)
    assert go_on(tmp_path / "again", TRAINED, frozen) == 3
    assert "FreezeSharedBackbone" in capsys.readouterr().err
