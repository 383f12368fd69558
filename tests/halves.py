"""A calm run that was saved at half of its way, and a folder in which only that half was done."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.records import checkpoint_path, differences, figures, run_path, state_of
from tests.runs import CARTPOLE, PONG, run_here, run_main, write_recipe
from training.checkpoints.storage import companions, load_payload

NAME = "demo"
UPDATES, HALF = 8, 4  # of the calm runs; the recipes save at HALF


def with_bonus(text: str, kind: str, more: str = "") -> str:
    """Return a recipe with another bonus than RND."""
    return text.replace("IntrinsicReward = RND", f"IntrinsicReward = {kind}\n{more}")


def with_memory(text: str, kind: str) -> str:
    """Return a recipe whose policy remembers."""
    return text.replace("[PPO]", f"[PPO]\nPolicyMemory = {kind}")


COMPONENTS = {
    "BYOL": PONG
    + """
[Representation]
RepresentationLearningParameter = BYOL
BYOL_projectionHiddenSize = 16
BYOL_projectionSize = 8
BYOL_momentumSchedule = cosine
UseGradientProjection = True
SSLPretraining = 2
""",
    "Barlow-Twins and slow features": with_bonus(
        PONG, "RND", "RNDInput = features\nUseEmaBackboneForRND = True"
    )
    + """
[Representation]
RepresentationLearningParameter = Barlow-Twins
BarlowTwinsProjectionSizes = 16, 8
RepresentationShare = 0.4
Augmentation = shift+intensity
SecondView = next
""",
    "a frozen backbone": PONG
    + """
[Representation]
RepresentationLearningParameter = Barlow-Twins
BarlowTwinsProjectionSizes = 16, 8
SSLPretraining = 2
FreezeSharedBackbone = True
""",
    "SND": with_bonus(PONG, "SND"),
    "DRND": with_bonus(CARTPOLE, "DRND", "DRNDTargets = 3"),
    "BYOL-Explore": with_bonus(
        CARTPOLE, "BYOL-Explore", "WorldModelSize = 8\nWorldModelHorizon = 3"
    ),
    "BYOL-Explore on frames": with_bonus(PONG, "BYOL-Explore", "WorldModelSize = 8"),
    "running scaling": CARTPOLE.replace("[PPO]", "[PPO]\nObservationScaling = running"),
    "a memory": with_memory(CARTPOLE, "GRU"),
    "a memory and overlap": with_memory(CARTPOLE, "LSTM") + "OverlapCollection = True\n",
    "a memory of frames": with_memory(PONG, "LSTM") + "EnvironmentGroups = 2\n",
    "overlap": CARTPOLE + "OverlapCollection = True\n",
    "overlap on frames": PONG + "OverlapCollection = True\n",
}

# Every kind of environment that gives snapshots, beside CARTPOLE and PONG.
ENVIRONMENTS = {
    "a game with lives": PONG.replace("PongNo", "BreakoutNo").replace(
        "MaxStepPerEpisode = 30", "MaxStepPerEpisode = 60\nLifeDone = True"
    ),
    "a game with rooms": PONG.replace("PongNo", "MontezumaRevengeNo"),
    "pixels of a physical system": PONG.replace("atari", "classic_control")
    .replace("PongNoFrameskip-v4", "CartPole-v1\nObservationType = pixels")
    .replace("StickyAction = True\n", ""),
    "a drawn car in colour": PONG.replace("atari", "box2d")
    .replace("PongNoFrameskip-v4", "CarRacing-v3\nFrameColour = rgb")
    .replace("StickyAction = True\n", "")
    .replace("IntrinsicReward = RND", "IntrinsicReward = none"),
    "a lander": CARTPOLE.replace("classic_control", "box2d").replace(
        "CartPole-v1", "LunarLander-v3"
    ),
    "a lander's picture": PONG.replace("atari", "box2d")
    .replace("PongNoFrameskip-v4", "LunarLanderContinuous-v3\nObservationType = pixels")
    .replace("StickyAction = True\n", ""),
    "sprites": PONG.replace("atari", "sprites")
    .replace("PongNoFrameskip-v4", "Sprites-v2")
    .replace("StickyAction = True\n", ""),
    "joints": CARTPOLE.replace("classic_control", "mujoco").replace("CartPole-v1", "Hopper-v5"),
    "continuous actions": CARTPOLE.replace("CartPole-v1", "Pendulum-v1").replace(
        "MaxStepPerEpisode = auto", "MaxStepPerEpisode = 24"
    ),
    "a maze with noise": PONG.replace("atari", "minigrid")
    .replace("PongNoFrameskip-v4", "MiniGrid-MultiRoom-N2-S4-v0\nNuisance = noise")
    .replace("StickyAction = True\n", "")
    .replace("MaxStepPerEpisode = 30", "MaxStepPerEpisode = 21"),
}


@dataclass(frozen=True)
class CalmRun:
    """A run from start to end that nothing disturbed; it was saved at half of its way, too."""

    folder: Path
    text: str
    ranks: int | None

    @property
    def recipe(self) -> Path:
        return self.folder / "recipe.conf"

    @property
    def end(self) -> Path:
        return checkpoint_path(self.folder, NAME)

    @property
    def total(self) -> int:
        steps: int = load_payload(self.end)["env_steps"]
        return steps


def launch(folder: Path, ranks: int | None, *arguments: str) -> None:
    """Train in this process, or under torchrun where ranks are given; it must end well."""
    command = ("--train", f"--log_name={NAME}", *arguments)
    if ranks is None:
        assert run_here(folder, *command) == 0
    else:
        ended = run_main(folder, *command, ranks=ranks)
        assert ended.code == 0, ended.output


def run_calmly(folder: Path, text: str, ranks: int | None = None) -> CalmRun:
    steps = 8 if "NumStep = 8" in text else 16
    envs = 2 * (ranks or 1)
    recipe = write_recipe(folder, text, TotalEnvSteps=UPDATES * steps * envs)
    launch(folder, ranks, f"--config_path={recipe}")
    return CalmRun(folder, text, ranks)


def halfway(calm: CalmRun, folder: Path) -> Path:
    """Lay out the calm run as it was after half of its updates; return its checkpoint."""
    newest = checkpoint_path(folder, NAME)
    newest.parent.mkdir(parents=True)
    shutil.copy(companions(calm.end)[1], newest)
    records = run_path(folder, NAME)
    records.mkdir(parents=True)
    shutil.copy(run_path(calm.folder, NAME) / "metrics.jsonl", records)
    assert load_payload(newest)["updates"] == HALF
    return newest


def assert_equal_runs(calm: CalmRun, folder: Path) -> None:
    assert differences(state_of(calm.end), state_of(checkpoint_path(folder, NAME))) == []
    assert figures(calm.folder, NAME) == figures(folder, NAME)
    visits = run_path(folder, NAME) / "visits.npz"
    if visits.exists():
        with np.load(visits) as found, np.load(run_path(calm.folder, NAME) / visits.name) as wanted:
            assert (found["counts"] == wanted["counts"]).all()
