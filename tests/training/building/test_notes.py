"""Notes on how a run was started."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from configs.loading import load_config
from training.building.notes import (
    crowded_cores,
    in_the_rank,
    lone_samples,
    only_random_steps,
    random_play,
    short_reach,
    undone_nohup,
)
from training.ranks.distributed import Place
from workers.environments.base import EnvironmentSpec
from workers.environments.parts.actions import ActionMapping, action_map

RECIPE = Path(__file__).resolve().parents[3] / "configs" / "CartPole" / "config_ppo00.conf"


def test_more_agent_processes_than_cores_are_told() -> None:
    cores = len(os.sched_getaffinity(0))
    (note,) = crowded_cores(Place(0, cores + 1, 0, cores + 1))
    assert note.startswith(f"{cores + 1} agent processes share {cores} core")
    assert f"--nproc_per_node={cores} " in note
    assert crowded_cores(Place(0, 8 * cores, 0, cores)) == []  # of other nodes


@pytest.fixture
def hangup() -> Iterator[None]:
    """SIGHUP as before afterwards; these tests may run under nohup themselves."""
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hangup")
def test_a_nohup_that_torchrun_has_undone_is_told() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    (note,) = undone_nohup({"_": "/usr/bin/nohup"})
    assert "setsid" in note
    assert undone_nohup({"_": "/usr/bin/setsid"}) == []
    assert undone_nohup({}) == []


@pytest.mark.usefixtures("hangup")
def test_a_nohup_that_holds_is_not() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert undone_nohup({"_": "/usr/bin/nohup"}) == []


@pytest.mark.parametrize(
    ("settings", "is_told"),
    [
        (["NumStep=1"], True),
        (["NumStep=4", "MiniBatch=4"], True),
        (["NumStep=2"], False),
        (["NumStep=1", "NormalizeAdvantage=False"], False),
    ],
)
def test_a_lone_sample_whose_normalised_advantage_is_nothing_is_told(
    settings: list[str], is_told: bool
) -> None:
    config = load_config(RECIPE, settings).config
    assert bool(lone_samples(config, total_envs=1)) == is_told


def test_what_the_rank_itself_steps_is_told_only_where_it_does() -> None:
    config = load_config(RECIPE, ["WorkerBackend=in_process", "EnvType=gymnasium"]).config
    assert "ends the run" in in_the_rank(config, None)[0]
    (note,) = in_the_rank(config, 2)
    assert note.startswith("WorkerBackend = in_process has no effect: --num_workers=2 ")
    assert in_the_rank(load_config(RECIPE, ["WorkerBackend=in_process"]).config, None) == []
    assert in_the_rank(load_config(RECIPE, ["EnvType=gymnasium"]).config, None) == []


def test_a_td3_run_that_ends_before_it_learns_is_told() -> None:
    recipe = RECIPE.parents[1] / "Pendulum" / "td3.conf"
    (note,) = only_random_steps(load_config(recipe, ["TotalEnvSteps=2000"]).config)
    assert "RandomSteps = 10,000" in note
    assert "TotalEnvSteps is 2,000" in note
    assert only_random_steps(load_config(recipe, ["TotalEnvSteps=10001"]).config) == []
    assert only_random_steps(load_config(RECIPE, ["TotalEnvSteps=2000"]).config) == []


@pytest.mark.parametrize(
    ("low", "high", "mapping", "told"),
    [
        ((-2.0, 0.0), (2.0, 1.0), "bounds", ""),
        ((-2.0, 0.0), (2.0, 1.0), "clip", "-1 to 1 of -2 to 2."),
        ((-0.4, -1.0), (0.4, 1.0), "clip", ""),
        ((-np.inf, 3.0), (np.inf, 5.0), "bounds", "-1 to 1 of -inf to inf."),
        ((0.0, -np.inf), (np.inf, 7.0), "bounds", "0 to 2 of 0 to inf; 5 to 7 of -inf to 7."),
    ],
)
def test_actions_that_td3_cannot_play_are_told(
    low: tuple[float, ...], high: tuple[float, ...], mapping: ActionMapping, told: str
) -> None:
    space = gymnasium.spaces.Box(np.array(low, np.float32), np.array(high, np.float32))
    offset, scale = (np.broadcast_to(part, 2).tolist() for part in action_map(space, mapping))
    spec = EnvironmentSpec("Some-v0", (3,), "float32", False, 2, low, high, offset, scale)
    recipe = RECIPE.parents[1] / "Pendulum" / "td3.conf"
    notes = short_reach(load_config(recipe).config, spec)
    assert len(notes) == bool(told)
    assert all(told in note for note in notes)
    assert short_reach(load_config(RECIPE).config, spec) == []


def test_random_play_before_the_first_update_is_told_in_env_steps() -> None:
    config = load_config(RECIPE, ["ObsNormStep=50", "NumStep=64"]).config
    note = random_play(config, total_envs=16)
    assert note.startswith("51,200 env steps of random play come first and count apart")
