"""Rows 1 to 4: environment workers that are killed, raise, hang or return what none may hold."""

import logging
import os
import re
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.faults.figures import Figures, count
from tests.faults.probes import BadResetProbe, SlowProbe
from tests.records import read_status
from tests.runs import CARTPOLE, run_here, run_main, write_recipe
from tests.workers.pool_probes import (
    BASE_SEED,
    BadProbe,
    CloseProbe,
    Fault,
    fail_to_build,
)
from tests.workers.pools import (
    N,
    assert_lost,
    faulty_pool,
    make_pool,
    step,
    step_until_lost,
    worker_ids,
)
from workers.environments.base import Environment
from workers.pool import WorkerPool
from workers.shared.protocol import BadTransitionError, WorkerError
from workers.shared.shared_arrays import SharedArrays, allocate, field_table
from workers.stepping.owned_environments import OwnedEnvironments

ENVIRONMENTS, GROUPS = 6, 2
ROWS = {0: {0, 1, 3, 4}, 1: {2, 5}}  # of each worker, where two share two groups of three

pytestmark = pytest.mark.timeout(1800)


class Listener(logging.Handler):
    """Notes what the pool says of lost workers, and when."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[float, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append((time.monotonic(), record.getMessage()))


@pytest.fixture
def listener() -> Any:
    logger, listener = logging.getLogger("workers.supervision.supervision"), Listener()
    logger.addHandler(listener)
    yield listener
    logger.removeHandler(listener)


def kill_later(pid: int, delay: float) -> list[float]:
    """Kill a process after `delay`; return a list that will hold the moment."""
    moments: list[float] = []

    def kill() -> None:
        moments.append(time.monotonic())
        os.kill(pid, signal.SIGKILL)

    threading.Timer(delay, kill).start()
    return moments


def step_until_all_are_lost(pool: WorkerPool, rows: set[int]) -> float:
    """Step both groups in turns until `rows` were reported as lost, each once.

    Returns:
        the moment at which the first of them were back.
    """
    back = 0.0
    lost: list[int] = []
    actions = np.zeros(ENVIRONMENTS // GROUPS, np.int64)
    while len(lost) < len(rows):
        for sent, received in ((1, 0), (0, 1)):
            pool.send(sent, actions)
            batch = pool.recv(received)
            found = [episode.environment for episode in batch.episodes if episode.lost]
            if found and not lost:
                back = time.monotonic()
            lost += found
            start = pool.group(received).start
            assert batch.truncated[[row - start for row in found]].all()
    assert set(lost) == rows
    return back


def test_workers_killed_at_random_moments_are_named_and_replaced(
    figures: Figures, listener: Listener
) -> None:
    draw, kills = np.random.default_rng(3), count(6, 200)
    with make_pool(
        SlowProbe, num_environments=ENVIRONMENTS, num_groups=GROUPS, max_restarts=kills
    ) as pool:
        pool.reset()
        pool.send(0, np.zeros(ENVIRONMENTS // GROUPS, np.int64))
        for number in range(kills):
            with figures.trial(1, "workers killed") as trial:
                victim = int(draw.integers(2))
                pid = worker_ids()[f"worker-{victim}"]
                killed = kill_later(pid, draw.uniform(0.0, 0.02))
                back = step_until_all_are_lost(pool, ROWS[victim])
                noticed, message = listener.heard[-1]
                assert pool.worker_restarts == len(listener.heard) == number + 1
                assert f"worker {victim} (pid {pid}, environments" in message
                assert "killed by SIGKILL" in message
                trial.took("noticed", noticed - killed[0])
                trial.took("back", back - killed[0])
                trial.kind = re.findall(r"lost while (\w+)", message)[0]


@pytest.mark.parametrize("phase", ["init", "reset", "step", "close"])
def test_what_an_environment_raises_is_logged_as_it_was_and_the_worker_replaced(
    phase: str, figures: Figures, caplog: pytest.LogCaptureFixture
) -> None:
    with figures.trial(2, "environments that raise"):
        if phase == "init":
            with pytest.raises(WorkerError) as caught:
                make_pool(fail_to_build)
            words = str(caught.value)
            assert "ValueError: no cartridge in the slot" in words
            assert "in fail_to_build" in words, "the original traceback"
        elif phase == "close":
            with make_pool(partial(CloseProbe, Fault("raise"))) as pool:
                pool.reset()
            words = caplog.text
        else:
            with faulty_pool(Fault("raise", phase=phase, when=2)) as pool:
                before, batch = step_until_lost(pool)
                assert_lost(batch, before, [0, 1])
                step(pool)
                assert pool.worker_restarts == 1
            words = caplog.records[0].getMessage()
        doing = {"init": "building", "reset": "resetting", "step": "stepping", "close": "closing"}
        assert f"while {doing[phase]} environment" in words
        if phase != "init":
            assert "ValueError: the joystick broke off" in words
            assert "in strike" in words, "the original traceback"
        assert not worker_ids()


def test_a_run_whose_environments_fail_beyond_the_limit_ends_with_code_4(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], figures: Figures
) -> None:
    recipe = write_recipe(
        tmp_path,
        CARTPOLE,
        EnvType="gymnasium",
        EnvID="tests.faults.probes:ScoutBreaking-v0",
    )
    arguments = (f"--config_path={recipe}", "--log_name=demo", "--set=MaxWorkerRestarts=1")
    with figures.trial(2, "runs beyond the limit"):
        assert run_here(tmp_path, "--train", "--num_workers=1", *arguments) == 4
        message = capsys.readouterr().err
        for words in ("worker 0", "ValueError: the joystick broke off", "MaxWorkerRestarts"):
            assert words in message
        status = read_status(tmp_path, "demo")
        assert (status["code"], status["rank"]) == (4, 0)
        assert "the joystick broke off" in status["reason"]


def test_a_run_ends_with_code_4_where_an_environment_in_the_rank_itself_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipe(
        tmp_path,
        CARTPOLE + "WorkerBackend = in_process\n",
        EnvType="gymnasium",
        EnvID="tests.faults.probes:ScoutBreaking-v0",
    )
    assert run_here(tmp_path, "--train", f"--config_path={recipe}", "--log_name=demo") == 4
    captured = capsys.readouterr()
    assert captured.err.count("error: ") == captured.err.count("Traceback") == 1
    assert "while stepping environment 0: raised an exception: ValueError: the joy" in captured.err
    assert "WorkerBackend = in_process with EnvType = gymnasium" in captured.out
    assert "the joystick broke off" in read_status(tmp_path, "demo")["reason"]


@pytest.mark.slow
def test_a_rank_whose_environment_hangs_within_it_says_where_and_ends_with_code_6(
    tmp_path: Path,
) -> None:
    recipe = write_recipe(
        tmp_path,
        CARTPOLE + "WorkerBackend = in_process\nWorkerStepTimeout = 1\nWorkerResetTimeout = 1\n"
        "CollectiveTimeout = 3\n",
        EnvType="gymnasium",
        EnvID="tests.faults.probes:ScoutSleeping-v0",
    )
    root = {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = ("--train", f"--config_path={recipe}", "--log_name=demo")
    ended = run_main(tmp_path, *command, environment=root)
    assert ended.code == 6
    assert "rank 0 made no progress for" in ended.output
    assert "tests/faults/probes.py" in ended.output, "the stack of the step"


DEADLINES = {"step": 1.2, "reset": 4.0}  # seconds; a start must fit into that of a reset


@pytest.mark.parametrize(
    ("kind", "phase"),
    [
        pytest.param("hang", "step", id="asleep"),
        pytest.param("hang in C", "step", id="in C, with the interpreter's lock"),
        pytest.param("hang", "reset", id="asleep in a reset", marks=pytest.mark.slow),
    ],
)
def test_a_worker_that_hangs_is_killed_at_its_deadline_and_replaced(
    kind: str, phase: str, figures: Figures, listener: Listener
) -> None:
    """SIGTERM would do nothing: workers ignore it."""
    doing = {"step": "stepping", "reset": "resetting"}[phase]
    for _ in range(count(1, 10)):
        fault = Fault(kind, phase=phase, when=2)
        deadline = DEADLINES[phase]
        limits = {"step_timeout": DEADLINES["step"], "reset_timeout": DEADLINES["reset"]}
        with figures.trial(3, "workers that hang") as trial:
            with faulty_pool(fault, num_processes=1, **limits) as pool:
                observations, seconds = pool.reset().copy(), 0.0
                while not pool.worker_restarts:
                    before, began = observations, time.monotonic()
                    batch = step(pool)
                    seconds = time.monotonic() - began
                    observations = batch.observations.copy()
                assert_lost(batch, before, [0, 1, 2, 3])
                step(pool)
            trial.kind = f"{doing}: {kind}"
            trial.took("back after the deadline", seconds - deadline)
        words = f"while {doing} environment 1: gave no answer within {deadline:g} seconds"
        assert words in listener.heard[-1][1]


def draw_bad_observation(draw: np.random.Generator) -> Any:
    good = np.zeros(3, np.float32)
    spoilt = good.copy()
    spoilt[draw.integers(3)] = draw.choice([np.nan, np.inf, -np.inf])
    others = [
        *(good.astype(dtype) for dtype in ("float64", "int64", "uint8", "float16", "object")),
        *(np.zeros(shape, np.float32) for shape in ((), (2,), (4,), (1, 3), (3, 1))),
        *(good.tolist(), None, "zero", 0.0),
    ]
    return spoilt if draw.random() < 0.5 else others[draw.integers(len(others))]


BAD_REWARDS = [np.nan, np.inf, -np.inf, 1e39, -1e39, None, "1.5", [1.0], np.zeros(2), 1j]
BAD_FLAGS = [None, 0.5, 1, 0, "True", np.int64(1), [True], np.array([True]), np.nan]


def draw_bad_environment(draw: np.random.Generator) -> tuple[str, Callable[[], Environment]]:
    """Return the name of a field, and what makes environments of which one spoils it."""
    field = str(draw.choice(["observation", "reward", "terminated", "truncated", "first"]))
    if field == "first":
        return "observation", partial(BadResetProbe, draw_bad_observation(draw))
    if field == "observation":
        return field, partial(BadProbe, field, draw_bad_observation(draw))
    values = BAD_REWARDS if field == "reward" else BAD_FLAGS
    return field, partial(BadProbe, field, values[draw.integers(len(values))])


def tallies(arrays: SharedArrays) -> list[list[float]]:
    return [part.tolist() for part in (arrays.rewards, arrays.scores, arrays.lengths)]


def step_until_refused(
    owned: OwnedEnvironments, arrays: SharedArrays
) -> tuple[BadTransitionError, list[list[float]]]:
    """Return the refusal, and the tallies before the step that it refused."""
    for slot in (1, 0) * 20:
        before = tallies(arrays)
        try:
            owned.step(0, slot)
        except BadTransitionError as error:
            return error, before
    raise AssertionError("nothing was refused")


def test_no_bad_value_enters_a_batch(figures: Figures) -> None:
    draw = np.random.default_rng(4)
    for _ in range(200):
        field, make = draw_bad_environment(draw)
        owned = OwnedEnvironments((range(2),))
        table = field_table(owned.build(make, lambda row: None, (0, 1)), 2, 1)
        descriptor = allocate(table)
        arrays = SharedArrays(descriptor, table)
        os.close(descriptor)
        owned.attach(arrays, 0)
        with figures.trial(4, "bad values refused"):
            owned.reset(0, 0, (BASE_SEED, BASE_SEED + 1))
            error, before = step_until_refused(owned, arrays)
            assert f"environment 1 gave a bad {field}" in str(error)
            assert np.isfinite(arrays.observations).all()
            assert tallies(arrays) == before, "neither a reward nor a count"


def test_a_bad_value_ends_the_pool_and_enters_no_batch(figures: Figures) -> None:
    for _ in range(count(1, 20)):
        with (
            figures.trial(4, "pools ended"),
            make_pool(partial(BadProbe, "reward", float("nan"))) as pool,
        ):
            observations = pool.reset()
            actions = np.zeros((N, 2), np.float32)
            for _ in range(2):
                pool.send(0, actions)
                rewards = pool.recv(0).rewards
            before = observations[:2].copy(), rewards[:2].copy()
            pool.send(0, actions)
            with pytest.raises(BadTransitionError, match="environment 1 gave a bad reward") as bad:
                pool.recv(0)
            assert bad.value.exit_code == 4
            assert pool.worker_restarts == 0
            assert np.array_equal(observations[:2], before[0])
            assert np.array_equal(rewards[:2], before[1])
