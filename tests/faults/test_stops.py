"""Row 8: a run that is asked to stop, by any signal to any process, in any phase."""

import random
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.calm import NAME, assert_equal_runs, assert_stopped_and_saved, run_calmly
from tests.faults.figures import Figures, count
from tests.records import read_status, run_path
from tests.runs import CARTPOLE, STOP_SIGNALS, WITH_WORKERS, StartedRun, run_ranks, started

SECONDS_TO_CLEAN_UP = 10.0

WORKING = CARTPOLE + WITH_WORKERS
COLLECTING = CARTPOLE.replace("NumStep = 16", "NumStep = 512").replace("Epoch = 2", "Epoch = 1")
# Where a run of each spends nearly all of its time; env steps of an update.
PHASES = {
    "collecting": (COLLECTING + WITH_WORKERS, 512 * 4),
    "collecting in the rank": (COLLECTING, 512 * 4),
    "learning": (WORKING.replace("Epoch = 2", "Epoch = 10"), 16 * 4),
    "saving": (
        WORKING.replace("Sizes = 16, 16", "Sizes = 800, 800").replace(
            "saveCkptEvery = 4", "saveCkptEvery = 1"
        ),
        16 * 4,
    ),
}
UPDATES_PER_STOP = 12

# torchrun itself would die of SIGUSR1.
TORCHRUN = ("--signals-to-handle", "SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1")

pytestmark = pytest.mark.timeout(3600)


def torchrun_alone(run: StartedRun) -> list[psutil.Process]:
    return [psutil.Process(run.process.pid)]


def the_first_rank(run: StartedRun) -> list[psutil.Process]:
    return [run.rank(0)]


def the_last_rank(run: StartedRun) -> list[psutil.Process]:
    return [run.rank(1)]


def every_process(run: StartedRun) -> list[psutil.Process]:
    """As a terminal or a scheduler does it; the workers are among them."""
    return run.processes()


TARGETS: list[Callable[[StartedRun], list[psutil.Process]]] = [
    torchrun_alone,
    the_first_rank,
    the_last_rank,
    every_process,
]


def rows_of(folder: Path) -> int:
    path = run_path(folder, NAME) / "metrics.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def how_to_continue(output: str) -> str:
    """Return what the run itself said last; torchrun may have more to say after it."""
    return next(line for line in reversed(output.splitlines()) if line.startswith("stopped on"))


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["learning", "collecting", "collecting in the rank", "saving"])
def test_a_run_stopped_at_random_moments_goes_on_as_if_nothing_had_happened(
    phase: str, figures: Figures, tmp_path: Path
) -> None:
    draw, stops = random.Random(f"stops {phase}"), count(1, 17)
    text, steps = PHASES[phase]
    updates = UPDATES_PER_STOP * stops + 4
    calm = run_calmly(tmp_path / "calm", text, ranks=2, env_steps=updates * steps)
    command = calm.command
    for _ in range(stops):
        with (
            figures.trial(8, "runs stopped") as trial,
            started(tmp_path, *command, ranks=2, torchrun=TORCHRUN) as run,
        ):
            run.wait_for_rows(NAME, rows_of(tmp_path) + 2)
            number, target = draw.choice(STOP_SIGNALS), draw.choice(TARGETS)
            processes = target(run)
            time.sleep(draw.uniform(0.0, 0.3))
            began = time.monotonic()
            for process in processes:
                process.send_signal(number)
            ended = run.wait()
            trial.kind = phase
            trial.took("saved and over", time.monotonic() - began)
            assert run.left_after(SECONDS_TO_CLEAN_UP) == []
            assert ended.code != 0
            assert_stopped_and_saved(tmp_path, by="")
            assert how_to_continue(ended.output).endswith(
                f"saved to checkpoints/{NAME}.ckpt; the same command with --resume continues"
            )
        command = (*calm.command, "--resume")
    run_ranks(tmp_path, *command, ranks=2)
    assert read_status(tmp_path, NAME)["code"] == 0
    assert_equal_runs(calm, tmp_path)
