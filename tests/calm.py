"""Runs that nobody disturbs, as the measure of those that somebody does."""

from dataclasses import dataclass
from pathlib import Path

from tests.records import checkpoint_path, differences, figures, read_status, state_of
from tests.runs import DEADLINE, run_ranks, write_recipe
from training.checkpoints.storage import load_payload

NAME = "demo"
STOPPED = 75


@dataclass(frozen=True)
class CalmRun:
    """A run that nobody disturbed."""

    folder: Path
    ranks: int
    recipe: Path

    @property
    def command(self) -> tuple[str, ...]:
        return ("--train", f"--config_path={self.recipe}", f"--log_name={NAME}")


def run_calmly(
    folder: Path, text: str, ranks: int, env_steps: int, deadline: float = DEADLINE
) -> CalmRun:
    calm = CalmRun(folder, ranks, write_recipe(folder, text, TotalEnvSteps=env_steps))
    run_ranks(folder, *calm.command, ranks=ranks, deadline=deadline)
    return calm


def assert_equal_runs(calm: CalmRun, folder: Path) -> None:
    wanted, found = (state_of(checkpoint_path(each, NAME)) for each in (calm.folder, folder))
    assert differences(wanted, found) == []
    assert figures(calm.folder, NAME) == figures(folder, NAME)


def assert_stopped_and_saved(folder: Path, by: str) -> None:
    """Check the last word, and that the checkpoint is of the update that it names."""
    status = read_status(folder, NAME)
    payload = load_payload(checkpoint_path(folder, NAME))
    assert status["code"] == STOPPED
    assert by in status["reason"]
    assert status["checkpoint"] == f"checkpoints/{NAME}.ckpt"
    assert (status["update"], status["env_steps"]) == (payload["updates"], payload["env_steps"])
