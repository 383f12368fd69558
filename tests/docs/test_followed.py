"""Whoever does what docs/extending.md says gets an agent that trains."""

import functools
import importlib
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from configs.loading import load_config
from tests.architecture.test_floors import ROOT
from tests.docs.page import (
    ENVIRONMENT,
    OLDER_INTERFACE,
    WITH_STATE,
    blocks,
    changes,
    example,
    examples,
)
from workers.environments.make import make_environment
from workers.environments.registered.registered import adapted
from workers.in_process import InProcessPool

SMALL = """
StateStackSize = 2
PreProcHeight = 36
PreProcWidth = 36

[PPO]
NumStep = 8
Epoch = 1
MiniBatch = 2
ConvChannels = 4, 8, 8
ThirdKernel = 3
HiddenSize = 16
FeatureDim = 16

[Intrinsic]
IntrinsicReward = {bonus}
ObsNormStep = 1
RNDFeatureDim = 16
RNDConvChannels = 4, 8, 8

[Representation]
RepresentationLearningParameter = {head}
BarlowTwinsProjectionSizes = 16, 8
SSLPretraining = 2

[Run]
TotalEnvSteps = 32
NumEnv = 2
LearnerThreads = 1
"""


def write_recipe(folder: Path, bonus: str, head: str) -> Path:
    (section,) = blocks("config")
    path = folder / "recipe.conf"
    path.write_text(f"[Environment]\n{section}{SMALL.format(bonus=bonus, head=head)}")
    return path


def test_the_environment_is_played_as_the_recipe_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ENVIRONMENT).write_text(examples()[ENVIRONMENT], encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "corridor", raising=False)
    loaded = load_config(write_recipe(tmp_path, "RND", "None"), ["SSLPretraining=0"])
    environment = make_environment(loaded.config.environment)
    check_env(environment, skip_render_check=True)
    corridor = importlib.import_module("corridor")
    first, _ = environment.reset(seed=3)
    again, _ = environment.reset(seed=3)
    assert first.shape == environment.environment_spec.observation_shape == (1, 36, 36)
    assert np.array_equal(first, again)
    assert {int(value) for value in np.unique(first)} == {0, corridor.GOAL, corridor.WALKER}
    rewards, arrived = [], False
    while not arrived:
        _, reward, arrived, truncated, _ = environment.step(corridor.RIGHT)
        rewards.append(float(reward))
        assert not truncated
    assert rewards[-1] == 1.0
    assert sum(rewards) == 1.0
    assert len(rewards) < corridor.LENGTH
    assert environment.render().shape == (36, 36, 3)
    environment.reset()
    ends = [environment.step(corridor.LEFT)[2:4] for _ in range(50)]
    assert ends == [(False, False)] * 49 + [(False, True)]
    environment.close()


def test_a_pool_hands_out_the_states_and_labels_that_an_environment_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in (ENVIRONMENT, WITH_STATE):
        (tmp_path / file).write_text(examples()[file], encoding="utf-8")
        monkeypatch.delitem(sys.modules, file.removesuffix(".py"), raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    recipe = write_recipe(tmp_path, "none", "None")
    settings = ["SSLPretraining=0", "EnvID=numbered_corridor:NumberedCorridor-v0"]
    section = load_config(recipe, settings).config.environment
    make = functools.partial(make_environment, section)
    with InProcessPool(make, num_environments=2, base_seed=0, with_states=True) as pool:
        assert pool.spec.state_names == ("cell",)
        assert pool.spec.label_names == ("cells_to_the_goal",)
        pool.reset()
        before = pool.states(0).copy()
        pool.send(0, np.ones(2, np.int64))  # to the right
        batch = pool.recv(0)
        np.testing.assert_array_equal(batch.states, before + 1)
        np.testing.assert_array_equal(batch.labels, 8 - batch.states)


class OldLamp:
    """What the interface before Gymnasium 0.26 looked like; its limit is five steps."""

    observation_space = gymnasium.spaces.Box(0.0, 100.0, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, breaks_at: int) -> None:
        self.breaks_at = breaks_at

    def seed(self, seed: int) -> None:
        self.start = seed % 10

    def reset(self) -> Any:
        self.count = 0
        return np.array([self.start], np.float32)

    def step(self, action: int) -> Any:
        self.count += 1
        broken, late = self.count == self.breaks_at, self.count == 5
        info = {"TimeLimit.truncated": True} if late and not broken else {}
        return np.array([self.start + self.count], np.float32), [1.0], broken or late, info


@pytest.mark.parametrize(("breaks_at", "end"), [(3, (True, False)), (9, (False, True))])
def test_an_environment_of_the_older_interface_is_renewed(
    breaks_at: int, end: tuple[bool, bool]
) -> None:
    environment = adapted(example(OLDER_INTERFACE).Renewed(OldLamp(breaks_at)))
    assert environment.reset(seed=7)[0].tolist() == [7.0]
    steps: list[Any] = []
    while not steps or not any(steps[-1][2:4]):
        steps.append(environment.step(0))
    assert len(steps) == min(breaks_at, 5)
    assert steps[-1][2:4] == end
    assert environment.reset()[0].tolist() == [7.0]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with all of the page in it."""
    project = tmp_path_factory.mktemp("followed") / "project"
    for room in ("agents", "commands", "configs", "training", "trajectories", "workers"):
        shutil.copytree(
            ROOT / room, project / room, ignore=shutil.ignore_patterns("__pycache__", "*.conf")
        )
    shutil.copy(ROOT / "main.py", project)
    for name, source in examples().items():
        assert not (project / name).exists()
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(source, encoding="utf-8")
    for change in changes():
        path = project / change.path
        text = path.read_text(encoding="utf-8")
        assert text.count(change.before) == 1, f"docs/extending.md is stale: {change}"
        path.write_text(text.replace(change.before, change.after), encoding="utf-8")
    return project


def run_main(project: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the copy's main.py to its end."""
    return subprocess.run(
        [sys.executable, "main.py", *arguments],
        cwd=project,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.timeout(300)
def test_the_copy_trains(project: Path) -> None:
    recipe = write_recipe(project, "Dynamics", "VICReg")
    done = run_main(project, "--train", f"--config_path={recipe}", "--log_name=extended")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = (project / "logs" / "runs" / "extended" / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["env_steps"] for row in rows] == [16, 32]
    for name in ("losses/predictor", "losses/representation", "intrinsic/mean"):
        assert all(math.isfinite(row[name]) for row in rows), name


def test_the_copy_has_the_objective(project: Path) -> None:
    program = "from agents.encoders.registry import objective_named as named; print(named('{}'))"
    for name in ("supervised", "supervised.Supervised"):
        found = subprocess.run(
            [sys.executable, "-c", program.format(name)],
            cwd=project,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "agents.encoders.supervised.Supervised" in found.stdout, found.stderr


def test_the_copy_has_the_verb(project: Path) -> None:
    recipe = write_recipe(project, "Dynamics", "VICReg")
    show = ("--show_recipe", f"--config_path={recipe}", "--seed=3")
    shown = run_main(project, *show)
    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert {"Seed = 3", "NumEnv = 2", "RepresentationLearningParameter = VICReg"} <= set(lines)
    everything = run_main(project, "--all_keys", *show).stdout.splitlines()
    assert set(lines) < set(everything)
    helped = run_main(project, "--show_recipe", "-h").stdout
    assert "--all_keys" in helped
    assert "--episodes" not in helped
    for wrong, said in (
        (
            ("--train",),
            "exactly one of --train, --eval, --rollout, --export, --report, --show_recipe,",
        ),
        (("--out=x",), "--out is a flag of another mode"),
        (("--set=Gama=1",), "Gamma"),
    ):
        refused = run_main(project, *show, *wrong)
        assert (refused.returncode, refused.stdout) == (2, ""), refused.stderr
        assert said in refused.stderr
