"""What an earlier commit wrote goes on, ends and plays as it did there."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.records import checkpoint_path, differences, run_path
from tests.runs import run_here
from training.checkpoints.storage import load_payload
from training.folders.versions import collect_versions

HERE = Path(__file__).parent
NAME = "kept"
SCORES_OF_THE_EARLIER_COMMIT = [20.0, 49.0, 32.0, 12.0, 29.0, 12.0]
TRAINED = ("learner", "optimizer", "episodes", "env_steps", "updates", "best_score")


def laid_out(folder: Path) -> Path:
    """Lay out the checkpoint as the run's own; return its path."""
    path = checkpoint_path(folder, NAME)
    path.parent.mkdir(parents=True)
    shutil.copy(HERE / "half.ckpt", path)
    return path


def computes_as(facts: dict[str, Any]) -> bool:
    """Whether this machine rounds as the one that wrote the checkpoint."""
    here, there = collect_versions(), facts["versions"]
    return all(here[name] == there[name] for name in ("torch", "numpy", "cpu", "cores"))


def tensors(value: Any) -> list[torch.Tensor]:
    if isinstance(value, dict):
        return [tensor for part in value.values() for tensor in tensors(part)]
    return [value] if isinstance(value, torch.Tensor) else []


def test_it_continues_as_it_did_bit_for_bit_where_the_machine_rounds_alike(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = laid_out(tmp_path)
    command = ("--train", f"--config_path={HERE / 'recipe.conf'}", f"--log_name={NAME}")
    assert run_here(tmp_path, *command, "--num_workers=1", "--resume") == 0
    said = "".join(capfd.readouterr())
    assert "continued at" in said
    assert "None ->" not in said, "a key that is newer than the checkpoint has not changed"
    wanted, found = load_payload(HERE / "end.ckpt"), load_payload(path)
    if computes_as(wanted["facts"]):
        assert [name for name in TRAINED if differences(wanted[name], found[name])] == []
    assert wanted["env_steps"] == found["env_steps"]
    pairs = zip(tensors(wanted["learner"]), tensors(found["learner"]), strict=True)
    for old, new in pairs:
        torch.testing.assert_close(new, old, rtol=1e-3, atol=1e-4)


def test_it_plays_as_it_did(tmp_path: Path) -> None:
    path = laid_out(tmp_path)
    command = ("--eval", f"--config_path={HERE / 'recipe.conf'}", f"--log_name={NAME}")
    assert run_here(tmp_path, *command, f"--load_model_path={path}", "--episodes=6") == 0
    [report] = (run_path(tmp_path, NAME) / "evaluation").glob("*.json")
    assert json.loads(report.read_text())["scores"] == SCORES_OF_THE_EARLIER_COMMIT
