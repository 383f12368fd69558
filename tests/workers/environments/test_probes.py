"""The probes count and fail as they say."""

import functools
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workers.environments.probes import (
    BadEnvironment,
    Badness,
    CountingEnvironment,
    CrashingEnvironment,
    DyingEnvironment,
    HangingEnvironment,
    Moment,
)


def test_observations_rewards_and_ends_are_the_known_ones() -> None:
    environment = CountingEnvironment(lengths=(3, 2))
    observation, _ = environment.reset(seed=17)
    assert observation[:4].tolist() == [17, 0, 0, 0]
    ends = []
    for episode, length in enumerate((3, 2, 3)):
        score = 0.0
        for step in range(1, length + 1):
            observation, reward, terminated, truncated, _ = environment.step(2)
            assert observation[:4].tolist() == [17, episode, step, 2]
            score += reward
            assert (terminated or truncated) == (step == length)
        assert score == length * (length + 1) / 2
        ends.append((terminated, truncated))
        observation, _ = environment.reset()
        assert observation[:4].tolist() == [17, episode + 1, 0, 0]
    assert ends == [(True, False), (False, True), (True, False)]


def test_frames_hold_the_same_numbers() -> None:
    environment = CountingEnvironment(frame_shape=(1, 36, 40))
    environment.reset(seed=300)
    observation, *_ = environment.step(3)
    assert observation.shape == environment.environment_spec.observation_shape == (1, 36, 40)
    assert observation.dtype == np.uint8
    assert observation.ravel()[:4].tolist() == [44, 0, 1, 3]


def test_continuous_actions_are_seen() -> None:
    environment = CountingEnvironment(actions="box", num_actions=2)
    environment.reset(seed=0)
    observation, *_ = environment.step(np.array([0.25, 1], np.float32))
    assert observation[3] == 0.25
    assert not environment.environment_spec.discrete


def test_a_snapshot_carries_counters_and_the_random_stream() -> None:
    environment, fresh = CountingEnvironment(), CountingEnvironment()
    environment.reset(seed=5)
    environment.step(0)
    fresh.restore(environment.snapshot())
    for _ in range(2):
        assert np.array_equal(environment.step(1)[0], fresh.step(1)[0])
    assert np.array_equal(environment.reset()[0], fresh.reset()[0])


def test_probes_are_built_by_partial_in_any_process() -> None:
    make = functools.partial(CrashingEnvironment, when="step", at_step=2, lengths=(4,))
    environment = pickle.loads(pickle.dumps(make))()
    environment.reset(seed=0)
    environment.step(0)
    with pytest.raises(ValueError, match="the probe crashed"):
        environment.step(0)


@pytest.mark.parametrize("when", ["init", "reset", "step", "close"])
def test_a_crash_happens_at_its_moment_and_with_a_marker_only_once(
    when: Moment, tmp_path: Path
) -> None:
    def live() -> None:
        environment = CrashingEnvironment(when=when, marker=str(tmp_path / "marker"))
        environment.reset(seed=0)
        environment.step(0)
        environment.close()

    with pytest.raises(ValueError, match="the probe crashed"):
        live()
    live()


def test_only_the_chosen_seed_fails() -> None:
    for seed in (0, 1):
        environment = CrashingEnvironment(only_seed=1)
        environment.reset(seed=seed)
        if seed == 1:
            with pytest.raises(ValueError, match="the probe crashed"):
                environment.step(0)
        else:
            environment.step(0)


def test_a_dying_environment_takes_its_process_with_it() -> None:
    code = (
        "from workers.environments.probes import DyingEnvironment; "
        "environment = DyingEnvironment(); environment.reset(seed=0); environment.step(0)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGKILL
    assert issubclass(DyingEnvironment, CountingEnvironment)


@pytest.mark.parametrize("how", ["sleep", "busy"])
def test_a_hanging_environment_ignores_polite_signals(how: str) -> None:
    code = (
        "from workers.environments.probes import HangingEnvironment; "
        f"environment = HangingEnvironment(how={how!r}, when='reset'); "
        "print('hangs now', flush=True); environment.reset(seed=0)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        ignored = 0
        while not ignored & (1 << (signal.SIGTERM - 1)):
            ignored = ignored_signals(process.pid)
        process.terminate()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.3)
    finally:
        process.kill()
        process.wait()
    assert issubclass(HangingEnvironment, CountingEnvironment)


def ignored_signals(pid: int) -> int:
    """Return the bit mask of the signals that a process ignores."""
    with open(os.path.join("/proc", str(pid), "status"), encoding="ascii") as status:
        fields = dict(line.split(":", 1) for line in status)
    return int(fields["SigIgn"], 16)


@pytest.mark.parametrize(
    ("what", "is_bad"),
    [
        ("nan_reward", lambda observation, reward: np.isnan(reward)),
        ("infinite_reward", lambda observation, reward: np.isinf(reward)),
        ("nan_observation", lambda observation, reward: np.isnan(observation).any()),
        ("infinite_observation", lambda observation, reward: np.isinf(observation).any()),
        ("wrong_shape", lambda observation, reward: observation.shape != (5,)),
        ("wrong_dtype", lambda observation, reward: observation.dtype != np.float32),
    ],
)
def test_a_bad_environment_is_bad_in_one_step_only(
    what: Badness, is_bad: Callable[[Any, float], bool]
) -> None:
    environment = BadEnvironment(what=what, at_step=2, lengths=(9,))
    environment.reset(seed=0)
    steps = [environment.step(0)[:2] for _ in range(3)]
    assert [bool(is_bad(*step)) for step in steps] == [False, True, False]


def test_a_bad_observation_can_come_from_reset() -> None:
    environment = BadEnvironment(what="wrong_shape", when="reset")
    assert environment.reset(seed=0)[0].shape == (4,)
