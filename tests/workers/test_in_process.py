"""The pool without workers: what it gives, what it hands on to one with workers, how it fails."""

import os
import random
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from configs.errors import CheckpointError, ConfigurationError
from configs.schema import EnvironmentSection
from tests.workers.environments.registered.foreign_probes import LENGTH, Words
from tests.workers.pool_probes import (
    BASE_SEED,
    BadProbe,
    CloseProbe,
    Fault,
    GameProbe,
    StubbornProbe,
    VectorProbe,
    fail_to_build,
    refuse_configuration,
)
from tests.workers.pools import make_pool
from tests.workers.test_pool import (
    Reference,
    assert_equal,
    assert_refused,
    some_actions,
    step_all,
)
from workers.environment_pool import EnvironmentPool
from workers.environments.base import Environment
from workers.environments.make import make_environment
from workers.in_process import InProcessPool
from workers.shared.protocol import BadTransitionError, PoolStateError, WorkerError
from workers.stepping.owned_environments import MakeEnvironment

N = 5


def in_process(make: MakeEnvironment, **options: Any) -> InProcessPool:
    settings = {"num_environments": N, "base_seed": BASE_SEED, **options}
    return InProcessPool(make, **settings)


def with_workers(make: MakeEnvironment, **options: Any) -> EnvironmentPool:
    return make_pool(make, **{"num_environments": N, **options})


@pytest.mark.parametrize("make", [GameProbe, VectorProbe])
@pytest.mark.parametrize("num_groups", [1, 2])
def test_it_equals_the_environments_stepped_in_a_row(
    make: type[Environment], num_groups: int
) -> None:
    reference, ended = Reference(make, N), 0
    with in_process(make, num_groups=num_groups) as pool:
        assert (pool.num_environments, pool.num_processes, pool.worker_restarts) == (N, 0, 0)
        assert np.array_equal(pool.reset(), reference.reset())
        for actions in some_actions(make, N, 200):
            wanted = reference.step(actions)
            assert_equal(step_all(pool, actions), wanted)
            ended += len(wanted.episodes)
    assert ended > 20


@pytest.mark.parametrize("first", [in_process, with_workers])
@pytest.mark.parametrize("num_groups", [1, 2])
def test_what_one_kind_of_pool_began_the_other_goes_on_with(
    first: Callable[..., EnvironmentPool], num_groups: int
) -> None:
    actions = some_actions(GameProbe, N, 60)
    second = with_workers if first is in_process else in_process
    with (
        first(GameProbe, num_groups=num_groups) as pool,
        second(GameProbe, num_groups=num_groups, base_seed=7) as other,
    ):
        pool.reset()
        for action in actions[:25]:
            step_all(pool, action)
        snapshots = [each for each in pool.snapshot() if each is not None]
        other.reset()
        other.restore(snapshots)
        for action in actions[25:]:
            assert_equal(step_all(other, action), step_all(pool, action))
        assert pool.snapshot() == other.snapshot()


@pytest.mark.parametrize("open_pool", [in_process, with_workers])
def test_states_and_labels_of_a_restored_pool_are_those_of_the_snapshots(
    open_pool: Callable[..., EnvironmentPool],
) -> None:
    section = EnvironmentSection(env_type="sprites", env_id="Sprites-v2")
    sprites = partial(make_environment, section)
    with (
        open_pool(sprites, with_states=True) as pool,
        open_pool(sprites, with_states=True, base_seed=7) as other,
    ):
        pool.reset()
        for _ in range(5):
            step_all(pool, np.ones((N, 2), np.float32))
        other.reset()
        other.restore([each for each in pool.snapshot() if each is not None])
        assert np.array_equal(other.states(0), pool.states(0))
        assert np.array_equal(other.labels(0), pool.labels(0))


@pytest.mark.parametrize(
    "section",
    [
        {"env_id": "CartPole-v1"},
        {"env_id": "Acrobot-v1", "max_episode_steps": 20},
        {"env_id": "Pendulum-v1", "max_episode_steps": 20},
        {
            "env_type": "minigrid",
            "env_id": "MiniGrid-MultiRoom-N2-S4-v0",
            "nuisance": "noise",
            "max_episode_steps": 20,
        },
    ],
    ids=lambda section: section["env_id"],
)
def test_a_captured_state_is_still_that_of_its_moment_when_it_is_packed(
    section: dict[str, Any],
) -> None:
    settings = {"env_type": "classic_control", "max_episode_steps": "auto", **section}
    make = partial(make_environment, EnvironmentSection(**settings))
    draw = np.random.default_rng(8)
    with in_process(make) as pool:
        pool.reset()
        for _ in range(3):
            wanted, later = pool.snapshot(), pool.capture()
            for _ in range(25):
                actions = draw.integers(2, size=N)
                step_all(pool, actions if pool.spec.discrete else np.ones((N, 1), np.float32))
            assert pool.snapshot() != wanted
            assert later() == wanted
            assert later() == wanted, "more than once"


def test_an_environment_without_snapshots_gives_none() -> None:
    with in_process(VectorProbe) as pool:
        pool.reset()
        assert pool.snapshot() == [None] * N


def numpys_stream() -> list[int]:
    state: Any = np.random.get_state()  # noqa: NPY002 - the global stream is what is looked at
    return [*state[1].tolist(), state[2]]


def test_global_streams_are_each_environments_own_and_those_of_the_process_stay() -> None:
    before = random.getstate(), numpys_stream()
    numpys_own = np.random.mtrand.get_bit_generator()
    drawn = []
    for build in (in_process, with_workers):
        with build(partial(Words, "python")) as pool:
            assert (random.getstate(), numpys_stream()) == before
            random.random()  # whatever the run itself draws
            seen = [pool.reset().copy()]
            for _ in range(2 * LENGTH):
                seen.append(step_all(pool, np.zeros(N, np.int64)).observations)
            drawn.append(np.stack(seen)[:, :, 1])  # 0 is the order of a set, which has no stream
            random.setstate(before[0])
            np.random.mtrand.set_bit_generator(numpys_own)
    assert np.array_equal(drawn[0], drawn[1])


def play(pool: EnvironmentPool, make: type[Environment], steps: int) -> None:
    for actions in some_actions(make, N, steps):
        step_all(pool, actions)


@pytest.mark.parametrize("phase", ["reset", "step"])
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("raise", "ValueError: the joystick broke off"),
        ("leave", r"SystemExit.*\(it asked to leave the program, as sys.exit does\)"),
    ],
)
def test_what_an_environment_raises_ends_the_pool_with_one_message(
    kind: str, words: str, phase: str
) -> None:
    doing = {"step": "stepping", "reset": "resetting"}[phase]
    with in_process(partial(GameProbe, Fault(kind, phase=phase, when=2))) as pool:
        pool.reset()
        with pytest.raises(WorkerError, match=f"while {doing} environment 1: .*{words}") as caught:
            play(pool, GameProbe, 40)
        assert str(caught.value).count("Traceback") == 1
        assert "in strike" in str(caught.value), "the original traceback"
        assert "with WorkerBackend = processes it would be replaced" in str(caught.value)
        assert caught.value.exit_code == 4
        with pytest.raises(PoolStateError, match="can only be closed"):
            pool.recv(0)


def test_an_interrupt_is_an_environments_own_where_ctrl_c_raises_none() -> None:
    make = partial(GameProbe, Fault("interrupt"))
    with in_process(make) as pool:
        pool.reset()
        with pytest.raises(KeyboardInterrupt):
            play(pool, GameProbe, 5)
    before = signal.signal(signal.SIGINT, lambda *_: None)  # as a run takes it
    try:
        with in_process(make) as pool:
            pool.reset()
            with pytest.raises(WorkerError, match=r"stepping environment 1: .*KeyboardInterrupt"):
                play(pool, GameProbe, 5)
    finally:
        signal.signal(signal.SIGINT, before)


def test_what_cannot_be_built_is_named_and_what_is_meant_for_the_user_stays_as_it_was() -> None:
    with pytest.raises(WorkerError, match=r"building environment 0: .*no cartridge") as caught:
        in_process(fail_to_build)
    assert "would be replaced" not in str(caught.value), "no pool replaces what never was"
    with pytest.raises(ConfigurationError, match=r"^EnvID: there is no such game$"):
        in_process(refuse_configuration)


def test_environments_that_fail_to_close_are_all_closed_and_end_with_code_4() -> None:
    pool = in_process(partial(CloseProbe, Fault("raise")))
    pool.reset()
    with pytest.raises(WorkerError, match="while closing environment 0") as caught:
        pool.close()
    assert str(caught.value).count("ValueError: the joystick broke off") == N
    pool.close()
    assert_refused("the pool is closed", pool.reset, pool.snapshot)


def leave_by_an_error(pool: InProcessPool) -> None:
    with pool:
        raise KeyError("the run's own")


def test_a_failure_to_close_does_not_hide_why_the_pool_was_left(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(KeyError, match="the run's own"):
        leave_by_an_error(in_process(partial(CloseProbe, Fault("raise"))))
    assert "while closing environment 0" in caplog.text


def test_bad_values_and_refused_snapshots_are_what_they_are_with_workers() -> None:
    with in_process(partial(BadProbe, "reward", float("nan"))) as pool:
        pool.reset()
        with pytest.raises(BadTransitionError, match="environment 1 gave a bad reward"):
            play(pool, VectorProbe, 5)
    with in_process(StubbornProbe) as pool:
        pool.reset()
        snapshots = [each for each in pool.snapshot() if each is not None]
        with pytest.raises(CheckpointError, match=r"restoring environment 0.*(?s:.)*new episodes"):
            pool.restore(snapshots)


def test_calls_out_of_order_and_of_the_wrong_form_are_refused() -> None:
    with in_process(GameProbe, num_environments=4, num_groups=2) as pool:
        send = partial(pool.send, 0, np.zeros(2, np.int64))
        assert_refused(r"reset\(\) must come first", send, partial(pool.recv, 0), pool.capture)
        pool.reset()
        for wrong in (np.zeros(3, np.int64), np.zeros(2, np.float32)):
            with pytest.raises(ValueError, match=r"actions must be int64 \[2\]"):
                pool.send(0, wrong)
        send()
        assert_refused(r"group 0: recv\(\) must come first", send, pool.reset, pool.snapshot)
        pool.recv(0)
        with pytest.raises(ValueError, match="1 snapshots for 4 environments"):
            pool.restore([b""])


class Wandering(GameProbe):
    """Goes to another folder whenever it is asked for anything."""

    def __init__(self) -> None:
        super().__init__()
        os.chdir("/")

    def step(self, action: Any) -> Any:
        os.chdir("/")
        return super().step(action)

    def close(self) -> None:
        os.chdir("/")


def test_the_program_stays_in_its_folder_wherever_an_environment_goes() -> None:
    here = Path.cwd()
    with InProcessPool(Wandering, num_environments=2, base_seed=BASE_SEED) as pool:
        assert Path.cwd() == here
        pool.reset()
        step_all(pool, some_actions(Wandering, 2, 1)[0])
        assert Path.cwd() == here
    assert Path.cwd() == here
