"""Curves mirrored to Weights & Biases: every training that has curves asks for it alike."""

import sys
import types
from pathlib import Path
from typing import Any

import pytest

from tests.runs import CARTPOLE, run_here, write_recipe
from tests.training.offline.made import squares

TRAIN = ("--train", "--config_path=recipe.conf", "--log_name=agent")
ENCODER = ("--train_encoder", "--model=state_autoencoder", "--dataset=D", "--model_dir=encoder")
FEW = ("--train_steps=1", "--batch_size=2")


class Wandb(types.ModuleType):
    """The part of the package that is called; keeps what it was told."""

    def __init__(self) -> None:
        super().__init__("wandb")
        self.started: list[dict[str, Any]] = []
        self.finished = 0

    def init(self, **told: Any) -> "Wandb":
        """Begin a run."""
        self.started.append(told)
        return self

    def finish(self) -> None:
        """End it."""
        self.finished += 1


@pytest.mark.parametrize(
    ("name", "arguments"), [("agent", TRAIN), ("encoder", (*ENCODER, *FEW))], ids=["agent", "model"]
)
def test_a_run_is_mirrored_under_its_name_and_with_its_configuration(
    name: str, arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb = Wandb()
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    write_recipe(tmp_path, CARTPOLE)
    squares(tmp_path / "D", 8)
    assert run_here(tmp_path, *arguments, "--use_wandb") == 0
    (told,) = wandb.started
    assert (told["name"], told["sync_tensorboard"], wandb.finished) == (name, True, 1)
    assert told["config"]["Seed"] == "1"
    assert Path(told["dir"]).name == name
