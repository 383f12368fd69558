"""Small evolutions: of CartPole, and of sprites seen through models that learnt little."""

import os
import signal
from pathlib import Path

import pytest

from tests.records import checkpoint_path, differences, figures, state_of
from tests.runs import run_here
from training.evolution import arena

NAME = "demo"
CARTPOLE = """\
[Environment]
EnvType = classic_control
EnvID = CartPole-v1
MaxStepPerEpisode = 60

[Evolution]
PopulationSize = 8
TrialsPerMember = 2
Generations = 4
InitialDeviation = 0.5
EvaluateEvery = 2
EvaluationTrials = 3

[Run]
Agent = CMA-ES
NumEnv = 5
saveCkptEvery = 2
LearnerThreads = 1
"""
FRAMES = """\
[Environment]
EnvType = sprites
EnvID = Sprites-v0
MaxStepPerEpisode = 7
PreProcHeight = 64
PreProcWidth = 64
"""
SPRITES = (
    FRAMES
    + """
[Evolution]
PopulationSize = 8
TrialsPerMember = 2
Generations = 2
ControllerInputs = latent_and_change
EvaluateEvery = 1
EvaluationTrials = 3

[Run]
Agent = CMA-ES
NumEnv = 5
saveCkptEvery = 1
LearnerThreads = 1
"""
)


def evolve(folder: Path, *arguments: str, text: str = CARTPOLE) -> int:
    """Evolve in this process, in `folder`; return the exit code."""
    return run_here(folder, *command(folder, *arguments, text=text))


def command(folder: Path, *arguments: str, text: str = CARTPOLE) -> tuple[str, ...]:
    """Return what is typed to evolve in `folder`, where a recipe is written."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.conf").write_text(text)
    return ("--train", "--config_path=recipe.conf", f"--log_name={NAME}", *arguments)


def assert_equal(one: Path, other: Path) -> None:
    """Assert that two folders hold the same evolution: state and figures to the last bit."""
    found, wanted = (state_of(checkpoint_path(folder, NAME)) for folder in (one, other))
    assert differences(found, wanted) == []
    assert figures(one, NAME) == figures(other, NAME)


def stop_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send this process a signal while that env step is taken."""
    taken, whole = 0, arena._Share.step

    def step_and_stop(share: arena._Share) -> None:
        nonlocal taken
        taken += 1
        if taken == step:
            os.kill(os.getpid(), signal.SIGTERM)
        whole(share)

    monkeypatch.setattr(arena._Share, "step", step_and_stop)
