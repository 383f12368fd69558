"""A run that is killed again and again, and continued with one command, is the run that was not."""

import os
import random
import signal
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped] # tensorboard ships no types
    EventAccumulator,
)

from tests.calm import NAME, CalmRun, assert_equal_runs
from tests.checkpoint_files import payload
from tests.faults.figures import count
from tests.records import (
    WALL_CLOCK_FIGURES,
    checkpoint_path,
    differences,
    figures,
    run_path,
    state_of,
)
from tests.runs import CARTPOLE, PONG, run_here, started, write_recipe
from training.checkpoints.storage import Saver, companions, load_payload
from training.figures.metrics import MetricsWriter
from training.folders.run_folder import RunFolder

pytestmark = pytest.mark.timeout(3600)

UPDATES_PER_KILL = 12
SECONDS_TO_CLEAN_UP = 10.0
Curves = dict[str, list[tuple[int, float]]]

# Slow enough for a kill to meet the middle of the run; many short games, so that there is a best
# checkpoint; env steps of an update.
GAMES = {
    "cartpole": (
        CARTPOLE.replace("MaxStepPerEpisode = auto", "MaxStepPerEpisode = 8").replace(
            "Epoch = 2", "Epoch = 8"
        ),
        16 * 2,
    ),
    "pong": (PONG.replace("MaxStepPerEpisode = 30", "MaxStepPerEpisode = 5"), 8 * 2),
}


def rows_of(folder: Path) -> int:
    path = run_path(folder, NAME) / "metrics.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def drawn_curves(folder: Path) -> Curves:
    """Return what TensorBoard shows of a run, without what depends on the wall clock."""
    found: Curves = {}
    for path in (folder / "logs" / "tb_logs" / NAME, folder / "logs" / "tb_logs" / NAME / "frames"):
        events = EventAccumulator(str(path), size_guidance={"scalars": 0})
        events.Reload()
        for name in events.Tags()["scalars"]:
            if not name.replace("_by_frames", "").startswith(WALL_CLOCK_FIGURES):
                found[name] = [(event.step, event.value) for event in events.Scalars(name)]
    return found


def expected_curves(folder: Path) -> Curves:
    """Return the curves that the run's rows make."""
    wanted: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
    for row in figures(folder, NAME):
        for name, value in row.items():
            if value is None or name in {"env_steps", "frames"}:
                continue
            point = float(np.float32(value))
            wanted[name].append((int(row["env_steps"]), point))
            if name.startswith("charts/"):
                by_frames = name.replace("charts/", "charts_by_frames/")
                wanted[by_frames].append((int(row["frames"]), point))
    return dict(wanted)


def kill_somewhere(folder: Path, draw: random.Random, command: tuple[str, ...]) -> str:
    """Start the run and kill it at a random moment; return the phase."""
    is_first = rows_of(folder) == 0
    phase = "training" if is_first else draw.choice(("training", "training", "starting"))
    with started(folder, *command) as run:
        if phase == "training":
            run.wait_for_rows(NAME, rows_of(folder) + draw.randint(2, 4))
            time.sleep(draw.uniform(0.0, 0.2))
        else:
            time.sleep(draw.uniform(0.0, 3.0))
        assert run.process.poll() is None, run.output
        run.process.kill()
        assert run.wait().code == -signal.SIGKILL
        assert run.left_after(SECONDS_TO_CLEAN_UP) == []
    return phase


@pytest.mark.slow
@pytest.mark.parametrize("game", ["cartpole", "pong"])
def test_a_run_killed_at_random_moments_goes_on_as_if_nothing_had_happened(
    game: str, tmp_path: Path
) -> None:
    text, steps = GAMES[game]
    draw, kills = random.Random(f"killed {game}"), count(2, 10)
    total = UPDATES_PER_KILL * (kills + 1) * steps
    recipe = write_recipe(tmp_path, text, TotalEnvSteps=total, saveCkptEvery=1)
    calm = CalmRun(tmp_path / "calm", 1, recipe)
    calm.folder.mkdir()
    assert run_here(calm.folder, *calm.command) == 0
    killed = tmp_path / "killed"
    killed.mkdir()
    command = (*calm.command, "--resume")
    for _ in range(kills):
        kill_somewhere(killed, draw, command)
    assert run_here(killed, *command) == 0
    assert_equal_runs(calm, killed)
    assert len(figures(killed, NAME)) == total // steps
    assert drawn_curves(calm.folder) == expected_curves(calm.folder)
    assert drawn_curves(killed) == expected_curves(killed)
    bests = [companions(checkpoint_path(folder, NAME))[2] for folder in (calm.folder, killed)]
    assert differences(state_of(bests[0]), state_of(bests[1])) == []
    assert sorted(path.name for path in bests[1].parent.iterdir()) == [
        f"{NAME}.best.ckpt",
        f"{NAME}.ckpt",
        f"{NAME}.previous.ckpt",
    ]


def test_points_are_in_their_files_when_their_row_is_written(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "logs", NAME)
    folder.path.mkdir(parents=True)
    values = {f"losses/{number}": float(number) for number in range(300)}
    with MetricsWriter(folder) as writer:
        for step in (1, 2):
            writer.write(step, step, values)
            assert drawn_curves(tmp_path) == expected_curves(tmp_path)


CALLS = ("fsync", "link", "replace", "unlink", "open")


def save_until(path: Path, number: int, calls: int) -> int:
    """Save in a process that is killed at its call number `calls` to the file system."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    left = calls

    def counted(call: Callable[..., object]) -> Callable[..., object]:
        def wrapped(*arguments: object, **options: object) -> object:
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **options)

        return wrapped

    try:
        for name in CALLS:
            setattr(os, name, counted(getattr(os, name)))
        Saver(path).save(payload(number), is_best=True)
        os._exit(0)
    finally:
        os._exit(1)


def test_a_save_killed_at_any_of_its_calls_leaves_whole_files_and_a_best_no_older_than_the_newest(
    tmp_path: Path,
) -> None:
    path = tmp_path / "demo.ckpt"
    Saver(path).save(payload(0), is_best=True)
    newest, _, best = companions(path)
    for number in range(1, 100):
        before = load_payload(newest)["number"]
        if save_until(path, number, calls=number - 1) == 0:
            break
        found = [load_payload(each)["number"] for each in (newest, best)]
        assert before <= found[0] <= found[1] <= number, f"killed at call {number}"
        assert len(list(tmp_path.iterdir())) <= 5, "the remains of one save at most"
    else:
        raise AssertionError("no save came to its end")
    assert number > 8
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(
        each.name for each in companions(path)
    )
