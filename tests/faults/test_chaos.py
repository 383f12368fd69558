"""Row 23: everything at once, by one schedule; the same command goes on each time."""

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.calm import NAME, assert_equal_runs, run_calmly
from tests.faults.chaos import (
    ENDING,
    ENVIRONMENTS,
    LASTING,
    RANKS,
    STORAGE,
    Ride,
    draw_schedule,
)
from tests.faults.disks import small_disk
from tests.faults.figures import Figures, count
from tests.records import checkpoint_path, read_status
from tests.records import figures as rows_of
from tests.runs import CARTPOLE, WITH_WORKERS, write_recipe
from training.checkpoints.storage import load_payload

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]

FAULTS = count(3, 90)  # about a quarter of an hour
UPDATES_PER_FAULT = 20
UPDATE = 16 * 2 * RANKS  # env steps
DISK = 96 * 2**20  # bytes
CALM_DEADLINE = 1800.0  # seconds; minutes on a quiet machine

# Updates that take a while, so that faults meet them, and deadlines that are soon over.
RECIPE = (
    CARTPOLE.replace("Epoch = 2", "Epoch = 8").replace("saveCkptEvery = 4", "saveCkptEvery = 2")
    + WITH_WORKERS
    + """\
WorkerStepTimeout = 2
WorkerResetTimeout = 10
CollectiveTimeout = 15
MaxWorkerRestarts = 1000
"""
)


@contextmanager
def disk_for(folder: Path) -> Iterator[Path | None]:
    """Let a run write to a small disk, where one is permitted."""
    folder.mkdir()
    with contextlib.ExitStack() as stack:
        try:
            disk = stack.enter_context(small_disk(folder / "disk", DISK))
        except pytest.skip.Exception:
            yield None
            return
        for name in ("logs", "checkpoints"):
            (disk / name).mkdir()
            (folder / name).symlink_to(disk / name)
        yield disk


@pytest.mark.parametrize("kinds", [(), ENVIRONMENTS], ids=["around", "and within environments"])
def test_a_run_ends_at_the_right_step_whatever_happens_on_its_way(
    kinds: tuple[str, ...], figures: Figures, tmp_path: Path
) -> None:
    """Where no environment is lost it is the calm run."""
    total = UPDATES_PER_FAULT * (FAULTS + 2) * UPDATE
    recipe = write_recipe(tmp_path, RECIPE, TotalEnvSteps=total)
    command = ("--train", f"--config_path={recipe}", f"--log_name={NAME}", "--resume")
    folder = tmp_path / "wild"
    with disk_for(folder) as disk:
        kinds = (*ENDING, *LASTING, *kinds, *(() if disk is None else STORAGE))
        with Ride(folder, command, disk) as ride:
            for number, fault in enumerate(draw_schedule("chaos", FAULTS, kinds), start=1):
                ride.advance_to(number * UPDATES_PER_FAULT)
                with figures.trial(23, "faults") as trial:
                    trial.kind = fault.kind
                    ride.suffer(fault)
            assert ride.finish() == 0, ride.run.output
            status = read_status(folder, NAME)
            assert (status["code"], status["env_steps"]) == (0, total)
            assert load_payload(checkpoint_path(folder, NAME))["env_steps"] == total
            steps = [row["env_steps"] for row in rows_of(folder, NAME)]
            assert steps == list(range(UPDATE, total + 1, UPDATE))
        if not set(kinds) & set(ENVIRONMENTS):
            calm = run_calmly(tmp_path / "calm", RECIPE, RANKS, total, CALM_DEADLINE)
            assert_equal_runs(calm, folder)
