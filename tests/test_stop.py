"""A run that is asked to stop, or loses a process: what is saved, what is said, what is left."""

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.records import checkpoint_path, differences, figures, read_status, run_path, state_of
from tests.runs import (
    CARTPOLE,
    StartedRun,
    run_main,
    run_ranks,
    started,
    started_ranks,
    write_recipe,
)
from training.checkpoint import load_payload

NAME = "demo"
STOPPED = 75
SECONDS_TO_CLEAN_UP = 10.0

pytestmark = pytest.mark.timeout(600)

# Where a run of each spends nearly all of its time.
PHASES = {
    "collecting": CARTPOLE.replace("NumStep = 16", "NumStep = 512").replace(
        "Epoch = 2", "Epoch = 1"
    ),
    "learning": CARTPOLE.replace("Epoch = 2", "Epoch = 60"),
    "saving": CARTPOLE.replace("Sizes = 16, 16", "Sizes = 800, 800").replace(
        "saveCkptEvery = 4", "saveCkptEvery = 1"
    ),
}
PHASE_UPDATES = 20


@dataclass(frozen=True)
class CalmRun:
    """A run that nobody disturbed."""

    folder: Path
    ranks: int
    recipe: Path

    @property
    def command(self) -> tuple[str, ...]:
        return ("--train", f"--config_path={self.recipe}", f"--log_name={NAME}")


def run_calmly(folder: Path, text: str, ranks: int, env_steps: int) -> CalmRun:
    calm = CalmRun(folder, ranks, write_recipe(folder, text, TotalEnvSteps=env_steps))
    run_ranks(folder, *calm.command, ranks=ranks)
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


def how_to_continue(output: str) -> str:
    """Return what the run itself said last; torchrun may have more to say after it."""
    return next(line for line in reversed(output.splitlines()) if line.startswith("stopped on"))


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> CalmRun:
    """80 updates on two ranks."""
    return run_calmly(tmp_path_factory.mktemp("calm"), CARTPOLE, ranks=2, env_steps=80 * 64)


def test_a_run_stopped_by_sigterm_to_torchrun_goes_on_as_if_nothing_had_happened(
    calm: CalmRun, tmp_path: Path
) -> None:
    with started(tmp_path, *calm.command, ranks=2) as run:
        run.wait_for_rows(NAME, 5)
        run.process.send_signal(signal.SIGTERM)
        ended = run.wait()
        assert run.left_after(SECONDS_TO_CLEAN_UP) == []
    assert ended.code != 0
    assert_stopped_and_saved(tmp_path, by="SIGTERM")
    assert "stopped on request (SIGTERM) at" in how_to_continue(ended.output)
    assert how_to_continue(ended.output).endswith(
        f"saved to checkpoints/{NAME}.ckpt; the same command with --resume continues"
    )
    run_ranks(tmp_path, *calm.command, "--resume", ranks=2)
    assert read_status(tmp_path, NAME)["code"] == 0
    assert_equal_runs(calm, tmp_path)


def test_ctrl_c_in_a_terminal_saves_and_says_how_to_continue(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, CARTPOLE, TotalEnvSteps=1_000_000)
    command = ("--train", f"--config_path={recipe}", f"--log_name={NAME}")
    with started(tmp_path, *command) as run:
        run.wait_for_rows(NAME, 3)
        os.killpg(run.process.pid, signal.SIGINT)  # a terminal sends it to the workers as well
        ended = run.wait()
        assert run.left_after(SECONDS_TO_CLEAN_UP) == []
    assert ended.code == STOPPED
    assert ended.last_line.endswith(
        f"saved to checkpoints/{NAME}.ckpt; the same command with --resume continues"
    )
    assert "Traceback" not in ended.output
    assert "lost" not in ended.output
    assert_stopped_and_saved(tmp_path, by="SIGINT")


def test_a_rank_that_is_killed_ends_the_others_with_code_6(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, CARTPOLE, TotalEnvSteps=1_000_000)
    command = ("--train", f"--config_path={recipe}", f"--log_name={NAME}")
    with started_ranks(tmp_path, *command, ranks=2) as (first, second):
        first.wait_for_rows(NAME, 5)
        second.process.send_signal(signal.SIGKILL)
        ended = first.wait()
        assert first.left_after(SECONDS_TO_CLEAN_UP) == []
        assert second.left_after(SECONDS_TO_CLEAN_UP) == []
    assert ended.code == 6, ended.output
    assert "error: rank 0 lost a peer" in ended.output
    status = read_status(tmp_path, NAME)
    assert status["code"] == 6
    assert status["rank"] == 0
    assert load_payload(checkpoint_path(tmp_path, NAME))["updates"] > 0


def test_nothing_is_left_of_a_run_whose_torchrun_is_killed(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, CARTPOLE, TotalEnvSteps=1_000_000)
    command = ("--train", f"--config_path={recipe}", f"--log_name={NAME}")
    with started(tmp_path, *command, ranks=1) as run:
        run.wait_for_rows(NAME, 5)
        assert len(run.processes()) >= 3  # torchrun, a rank, a worker
        run.process.kill()
        assert run.left_after(SECONDS_TO_CLEAN_UP) == []
    assert load_payload(checkpoint_path(tmp_path, NAME))["updates"] > 0


@pytest.mark.slow
def test_a_run_stopped_in_its_warm_up_begins_anew(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, CARTPOLE, ObsNormStep=1_000_000)
    command = ("--train", f"--config_path={recipe}", f"--log_name={NAME}")
    with started(tmp_path, *command) as run:
        run.wait_until(lambda: "warm-up" in run.output)
        run.process.send_signal(signal.SIGTERM)
        ended = run.wait()
    assert ended.code == STOPPED
    assert "at 0 env steps; nothing to save yet" in ended.last_line
    resumed = run_main(tmp_path, *command, "--resume", "--set", "ObsNormStep=1")
    assert resumed.code == 0, resumed.output
    assert load_payload(checkpoint_path(tmp_path, NAME))["env_steps"] == 256


def send_to_the_first_rank(runs: list[StartedRun]) -> None:
    runs[0].process.send_signal(signal.SIGTERM)


def send_to_the_last_rank(runs: list[StartedRun]) -> None:
    runs[-1].process.send_signal(signal.SIGUSR1)


def send_to_every_group(runs: list[StartedRun]) -> None:
    for run in runs:
        os.killpg(run.process.pid, signal.SIGINT)


@pytest.mark.slow
@pytest.mark.parametrize(
    "send", [send_to_the_first_rank, send_to_the_last_rank, send_to_every_group]
)
@pytest.mark.parametrize("phase", PHASES)
def test_a_stop_in_any_phase_by_any_signal_goes_on_as_if_nothing_had_happened(
    phase: str,
    send: Callable[[list[StartedRun]], None],
    tmp_path: Path,
    calm_phases: Callable[[str], CalmRun],
) -> None:
    calm = calm_phases(phase)
    with started_ranks(tmp_path, *calm.command, ranks=2) as runs:
        runs[0].wait_for_rows(NAME, 2)
        time.sleep(random.Random(f"{phase} {send.__name__}").uniform(0, 0.5))
        send(runs)
        ended = [run.wait() for run in runs]
        assert [run.left_after(SECONDS_TO_CLEAN_UP) for run in runs] == [[], []]
    assert [each.code for each in ended] == [STOPPED, STOPPED], ended
    assert "the same command with --resume continues" in ended[0].last_line
    assert_stopped_and_saved(tmp_path, by="")
    run_ranks(tmp_path, *calm.command, "--resume", ranks=2)
    assert_equal_runs(calm, tmp_path)


@pytest.fixture(scope="module")
def calm_phases(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], CalmRun]:
    """Return the calm run of a phase, made when it is asked for first."""
    made: dict[str, CalmRun] = {}

    def make(phase: str) -> CalmRun:
        if phase not in made:
            steps = PHASE_UPDATES * (512 if phase == "collecting" else 16) * 4
            made[phase] = run_calmly(
                tmp_path_factory.mktemp(phase), PHASES[phase], ranks=2, env_steps=steps
            )
        return made[phase]

    return make


@pytest.mark.slow
def test_a_run_stopped_again_and_again_at_random_equals_the_calm_run(
    calm: CalmRun, tmp_path: Path
) -> None:
    draw = random.Random(5)
    stops = 0
    arguments = calm.command
    for _ in range(6):
        rows = run_path(tmp_path, NAME) / "metrics.jsonl"
        done = rows.read_bytes().count(b"\n") if rows.exists() else 0
        with started(tmp_path, *arguments, ranks=2) as run:
            run.wait_for_rows(NAME, done + 3)
            time.sleep(draw.uniform(0, 0.4))
            run.process.send_signal(draw.choice([signal.SIGTERM, signal.SIGINT]))
            run.wait()
            assert run.left_after(SECONDS_TO_CLEAN_UP) == []
        status = read_status(tmp_path, NAME)
        stops += status["code"] == STOPPED
        if status["code"] == 0:
            break
        arguments = (*calm.command, "--resume")
    assert stops >= 2
    run_ranks(tmp_path, *calm.command, "--resume", ranks=2)
    assert_equal_runs(calm, tmp_path)


@pytest.mark.slow
def test_a_rank_killed_under_torchrun_ends_the_run_and_resume_goes_on(
    calm: CalmRun, tmp_path: Path
) -> None:
    with started(tmp_path, *calm.command, ranks=2) as run:
        run.wait_for_rows(NAME, 12)
        run.rank(0).kill()
        ended = run.wait()
        assert run.left_after(SECONDS_TO_CLEAN_UP) == []
    assert ended.code == 1
    status = read_status(tmp_path, NAME)
    assert (status["code"], status["rank"]) == (6, 1)
    resumed = run_main(tmp_path, *calm.command, "--resume", ranks=2)
    assert resumed.code == 0, resumed.output
    assert_equal_runs(calm, tmp_path)


@pytest.mark.slow
def test_a_rank_that_hangs_is_given_up_after_the_time_for_collectives(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, CARTPOLE, TotalEnvSteps=1_000_000)
    limits = (
        "--set=CollectiveTimeout=5",
        "--set=WorkerStepTimeout=2",
        "--set=WorkerResetTimeout=2",
    )
    command = ("--train", f"--config_path={recipe}", f"--log_name={NAME}", *limits)
    with started_ranks(tmp_path, *command, ranks=2) as (first, second):
        first.wait_for_rows(NAME, 5)
        second.process.send_signal(signal.SIGSTOP)
        ended = first.wait(deadline=60.0)
    assert ended.code == 6, ended.output
    assert read_status(tmp_path, NAME)["code"] == 6
