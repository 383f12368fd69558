"""Workers that are killed, raise or hang: named, replaced, and their games reported as lost."""

import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from configs.errors import CheckpointError, ConfigurationError
from tests.workers.environments.registered.foreign_probes import Lamp, NeverResets
from tests.workers.pool_probes import (
    Fault,
    GameProbe,
    SlowlyRestored,
    StubbornProbe,
    build_and,
    build_and_hang_at_last,
    build_different,
    build_in_processes,
    build_slowly,
    refuse_configuration,
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
from workers.environments.probes import CrashingEnvironment
from workers.shared.protocol import BadTransitionError, PoolStateError, WorkerError


@pytest.mark.parametrize(
    ("kind", "phase", "reason"),
    [
        ("kill", "step", "killed by SIGKILL"),
        ("kill", "reset", "killed by SIGKILL"),
        ("exit", "step", "exited with code 3"),
    ],
)
def test_a_lost_worker_is_named_and_replaced_and_its_games_are_truncated(
    kind: str, phase: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    doing = {"step": "stepping", "reset": "resetting"}[phase]
    with faulty_pool(Fault(kind, phase=phase, when=2)) as pool:
        before, batch = step_until_lost(pool)
        assert_lost(batch, before, [0, 1])
        assert pool.worker_restarts == 1
        for _ in range(20):
            assert not any(episode.lost for episode in step(pool).episodes)
        assert pool.worker_restarts == 1
    message = caplog.records[0].getMessage()
    assert f"environments 0-1) was lost while {doing} environment 1" in message
    assert reason in message


def test_a_reset_inside_a_step_may_take_as_long_as_a_reset() -> None:
    fault = Fault("dawdle", phase="reset", when=1)
    with faulty_pool(fault, num_processes=1, step_timeout=0.8, reset_timeout=60.0) as pool:
        pool.reset()
        for _ in range(12):
            step(pool)
        assert pool.worker_restarts == 0


def test_a_worker_lost_in_the_first_reset_is_replaced() -> None:
    with faulty_pool(Fault("kill", phase="reset", when=0)) as pool:
        pool.reset()
        assert pool.worker_restarts == 1
        assert not step(pool).truncated.any()


@pytest.mark.parametrize("after_send", [True, False])
def test_a_worker_killed_between_two_calls_is_noticed_at_the_next(after_send: bool) -> None:
    with make_pool(GameProbe) as pool:
        pool.reset()
        before = step(pool).observations.copy()
        if after_send:
            os.kill(worker_ids()["worker-1"], signal.SIGSTOP)
            pool.send(0, np.zeros(N, np.int64))
            os.kill(worker_ids()["worker-1"], signal.SIGKILL)
        else:
            os.kill(worker_ids()["worker-1"], signal.SIGKILL)
            pool.send(0, np.zeros(N, np.int64))
        batch = pool.recv(0)
        assert_lost(batch, before, [2, 3])
        assert {e.length for e in batch.episodes if e.lost} == {1}


def test_the_score_of_a_lost_game_is_what_was_known_of_it() -> None:
    with make_pool(GameProbe, num_processes=1) as pool:
        pool.reset()
        rewards = [step(pool).rewards.astype(np.float64) for _ in range(2)]
        os.kill(worker_ids()["worker-0"], signal.SIGKILL)
        lost = {episode.environment: episode for episode in step(pool).episodes}
    for row in range(N):
        assert lost[row].length == 2
        assert lost[row].score == pytest.approx(sum(reward[row] for reward in rewards))


@pytest.mark.parametrize(
    ("environment", "order", "cut_now", "cut_next"),
    [
        pytest.param(0, (0, 1), [True, True], [False, False], id="the other is queued behind"),
        pytest.param(2, (0, 1), [False, True], [True, False], id="the other was answered, unread"),
        pytest.param(2, (1, 0), [False, True], [True, False], id="the other was answered, kept"),
    ],
)
def test_the_other_group_of_a_lost_worker_is_cut_once(
    environment: int, order: tuple[int, int], cut_now: list[bool], cut_next: list[bool]
) -> None:
    """Two groups of two environments in one worker, which is lost with both in flight."""
    actions = np.zeros(2, np.int64)
    with faulty_pool(
        Fault("kill", environment=environment, when=1), num_processes=1, num_groups=2
    ) as pool:
        pool.reset()
        for group in (0, 1):
            step(pool, group)
        for wanted in (cut_now, cut_next, [False, False]):
            for group in (0, 1):
                pool.send(group, actions)
            batches = {group: pool.recv(group) for group in order}
            for group in (0, 1):
                lost = [episode.environment for episode in batches[group].episodes if episode.lost]
                rows = pool.group(group)
                assert lost == (list(range(rows.start, rows.stop)) if wanted[group] else [])
                assert batches[group].truncated.all() == wanted[group]
        assert pool.worker_restarts == 1


def test_an_idle_group_keeps_its_observations_until_its_own_next_step() -> None:
    fault = Fault("kill", environment=0, when=1)
    with faulty_pool(fault, num_processes=1, num_groups=2) as pool:
        pool.reset()
        step(pool, 0)
        idle = step(pool, 1)
        before = idle.observations.copy()
        assert step(pool, 0).truncated.all()
        assert np.array_equal(idle.observations, before)
        batch = step(pool, 1)
        assert batch.truncated.all()
        assert np.array_equal(batch.final_observations, before)
        assert not step(pool, 1).truncated.all()


def test_replacements_have_random_streams_of_their_own() -> None:
    first: list[Any] = []
    for _ in range(2):
        with faulty_pool(Fault("kill"), num_processes=1) as pool:
            _, batch = step_until_lost(pool)
            first.append(batch.observations.copy())
            assert not np.array_equal(batch.observations[0], batch.observations[1])
    assert np.array_equal(*first), "the same loss at the same step gives the same streams"


def test_one_loss_more_than_allowed_ends_the_pool_with_everything_named() -> None:
    with faulty_pool(Fault("raise"), max_restarts=0) as pool:
        with pytest.raises(WorkerError) as caught:
            step_until_lost(pool)
        with pytest.raises(PoolStateError, match="can only be closed"):
            pool.recv(0)
    assert caught.value.exit_code == 4
    for words in ("worker 0", "environments 0-1", "environment 1", "ValueError", "in strike"):
        assert words in str(caught.value)
    assert not worker_ids()


def test_an_environment_that_never_worked_is_soon_given_up_with_one_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with make_pool(NeverResets, num_processes=1) as pool:
        with pytest.raises(WorkerError, match=r"failed there 3 times.*never made a step") as caught:
            pool.reset()
        assert pool.worker_restarts == 2
    said = [record.getMessage() for record in caplog.records] + [str(caught.value)]
    assert ["Traceback" in each for each in said] == [True, False, False]
    assert all("while resetting environment 0" in each for each in said)
    assert all("the fuse for" in each for each in said), "each in its own words"


def test_an_answer_that_all_environments_give_wrong_is_no_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with (
        make_pool(partial(Lamp, first=None), num_environments=3, num_processes=3) as pool,
        pytest.raises(BadTransitionError, match=r"bad observation: .* found None"),
    ):
        pool.reset()
    assert not any("Traceback" in record.getMessage() for record in caplog.records)


def test_a_worker_that_has_stepped_is_replaced_as_often_as_allowed() -> None:
    faults = partial(CrashingEnvironment, lengths=(2,), when="step", at_step=2)
    with make_pool(faults, num_processes=1, max_restarts=5) as pool:
        pool.reset()
        for _ in range(10):  # every other one is lost
            step(pool)
        assert pool.worker_restarts == 5


def test_a_replacement_that_cannot_be_built_counts_as_lost_again(tmp_path: Path) -> None:
    make = partial(build_in_processes, str(tmp_path), 2)
    with make_pool(make, max_restarts=3) as pool:
        with pytest.raises(WorkerError, match="no cartridge in the slot"):
            step_until_lost(pool)
        assert pool.worker_restarts == 3


def test_an_environment_that_cannot_be_built_ends_the_start_in_its_own_words() -> None:
    with pytest.raises(ConfigurationError, match=r"^EnvID: there is no such game$") as caught:
        make_pool(refuse_configuration)
    assert caught.value.exit_code == 2
    assert not worker_ids()


def test_an_environment_that_no_worker_can_build_is_no_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(ConfigurationError):
        make_pool(refuse_configuration, num_environments=3, num_processes=3)
    assert not caplog.records


@pytest.mark.parametrize(
    ("kind", "seconds", "reason"),
    [("kill", 60.0, "killed by SIGKILL"), ("hang", 0.7, "no answer within 0.7 seconds")],
)
def test_a_start_that_dies_or_hangs_is_an_error_without_a_restart(
    kind: str, seconds: float, reason: str
) -> None:
    with pytest.raises(WorkerError, match=reason):
        make_pool(partial(build_and, kind), reset_timeout=seconds)
    assert not worker_ids()


def test_each_environment_of_a_worker_has_its_own_time_to_be_built() -> None:
    options = {"num_environments": 4, "num_processes": 1, "reset_timeout": 3.0}
    with make_pool(partial(build_slowly, 0.9), **options) as pool:
        assert pool.worker_restarts == 0


def test_the_environment_whose_building_hangs_is_named() -> None:
    calls = partial(build_and_hang_at_last, 3)
    with pytest.raises(WorkerError, match="while building environment 2: gave no answer"):
        make_pool(calls, num_environments=3, num_processes=1, reset_timeout=3.0)


def test_environments_that_differ_are_refused() -> None:
    with pytest.raises(
        WorkerError, match=r"those of worker 0 .* and of worker 1 .* differ in env_id \("
    ):
        make_pool(build_different)


def test_a_worker_lost_while_giving_snapshots_gives_none_and_is_cut_at_its_next_step() -> None:
    with make_pool(GameProbe) as pool:
        before = pool.reset().copy()
        os.kill(worker_ids()["worker-0"], signal.SIGKILL)
        snapshots = pool.snapshot()
        assert [snapshot is None for snapshot in snapshots] == [True, True, False, False]
        assert_lost(step(pool), before, [0, 1])


def test_a_snapshot_that_an_environment_refuses_ends_the_pool_in_its_words() -> None:
    with make_pool(StubbornProbe) as pool:
        pool.reset()
        snapshots = [snapshot for snapshot in pool.snapshot() if snapshot is not None]
        with pytest.raises(CheckpointError, match="this is not my save-game") as caught:
            pool.restore(snapshots)
    assert caught.value.exit_code == 3


def test_a_worker_killed_while_it_restores_is_no_refusal() -> None:
    with make_pool(GameProbe) as pool:
        pool.reset()
        snapshots = [snapshot for snapshot in pool.snapshot() if snapshot is not None]
        os.kill(worker_ids()["worker-0"], signal.SIGKILL)
        with pytest.raises(WorkerError, match="cannot go on from their snapshots"):
            pool.restore(snapshots)


@pytest.mark.parametrize("num_steps", [6, 7])  # the newest observations lie in either slot
def test_a_worker_lost_right_after_a_resume_is_cut_where_the_resumed_games_left_off(
    num_steps: int,
) -> None:
    with make_pool(GameProbe) as pool:
        pool.reset()
        for _ in range(num_steps):
            before = step(pool).observations.copy()
        snapshots = [snapshot for snapshot in pool.snapshot() if snapshot is not None]
    with make_pool(GameProbe, base_seed=7) as pool:
        pool.reset()
        pool.restore(snapshots)
        os.kill(worker_ids()["worker-0"], signal.SIGKILL)
        assert_lost(step(pool), before, [0, 1])


def test_each_environment_of_a_worker_has_its_own_time_to_be_restored() -> None:
    with make_pool(GameProbe) as pool:
        pool.reset()
        snapshots = [snapshot for snapshot in pool.snapshot() if snapshot is not None]
    make, limits = partial(SlowlyRestored, 2.5), {"step_timeout": 1.0, "reset_timeout": 8.0}
    with make_pool(make, num_processes=1, **limits) as pool:
        pool.reset()
        pool.restore(snapshots)
        assert pool.worker_restarts == 0


def test_an_environment_that_is_not_restored_in_its_time_is_named() -> None:
    with make_pool(GameProbe) as pool:
        pool.reset()
        snapshots = [snapshot for snapshot in pool.snapshot() if snapshot is not None]
    with make_pool(partial(SlowlyRestored, 60.0), reset_timeout=8.0) as pool:
        pool.reset()
        with pytest.raises(WorkerError, match=r"restoring environment [02]: .* 8 seconds"):
            pool.restore(snapshots)
