"""The table at the start says what learns, where it is not the usual network of the run's own."""

from pathlib import Path

import pytest

from configs.loading import load_config
from tests.runs import run_here, write_recipe
from training.live.policy_words import policy_text

SPRITES = Path("configs/Sprites")
PENDULUM = Path("configs/Pendulum/td3.conf")
POLE = (
    "EnvType = classic_control\nEnvID = CartPole-v1\nNumStep = 8\nNumEnv = 4\nTotalEnvSteps = 32\n"
)


@pytest.mark.parametrize(
    ("recipe", "typed", "said"),
    [
        (SPRITES / "config_ppo00.conf", (), None),
        (PENDULUM, (), None),
        (SPRITES / "ppo_frozen.conf", (), "encoder runs/sprites (frozen)"),
        (SPRITES / "ppo_finetune.conf", (), "encoder runs/sprites (finetune)"),
        (
            SPRITES / "ppo_brain_split.conf",
            (),
            "encoder runs/sprites (brain_split: a copy each for actor and critics)",
        ),
        (
            SPRITES / "ppo_scratch.conf",
            (),
            "encoder runs/sprites (scratch: its network from fresh weights)",
        ),
        (SPRITES / "ppo_oracle.conf", (), "the environment's own state (oracle)"),
        (
            SPRITES / "ppo_frozen.conf",
            ("PolicyMemory=GRU",),
            "encoder runs/sprites (frozen), GRU of 64",
        ),
        (
            SPRITES / "config_ppo00.conf",
            ("PolicyMemory=LSTM", "MemorySize=32"),
            "LSTM of 32",
        ),
        (
            PENDULUM,
            ("TransitionModel=runs/next", "TransitionUse=finetune"),
            "critics also see what runs/next foretells (finetune)",
        ),
        (
            PENDULUM,
            ("Backbone=encoder:runs/code", "Representation=frozen", "TransitionModel=runs/next"),
            "encoder runs/code (frozen), critics also see what runs/next foretells (frozen)",
        ),
        (
            SPRITES / "config_ppo00.conf",
            ("CustomModel=customnet",),
            "models/customnet.py in the place of the usual network",
        ),
        (PENDULUM, ("PolicyMemory=GRU",), None),
    ],
)
def test_what_learns_is_said_where_it_is_not_the_usual(
    recipe: Path, typed: tuple[str, ...], said: str | None
) -> None:
    assert policy_text(load_config(recipe, typed).config) == said


def test_the_start_has_a_row_for_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = write_recipe(tmp_path, POLE + "PolicyMemory = GRU\nIntrinsicReward = none")
    assert run_here(tmp_path, "--train", f"--config_path={recipe}") == 0
    (row,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("policy "))
    assert row.split(maxsplit=1)[1] == "GRU of 64"
