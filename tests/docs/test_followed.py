"""Whoever does what docs/extending.md says gets an agent that trains."""

import importlib
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from configs.loading import load_config
from tests.architecture.test_floors import ROOT
from tests.docs.page import ENVIRONMENT, blocks, changes, examples
from workers.environments.make import make_environment

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


@pytest.mark.timeout(300)
def test_a_copy_of_the_project_with_all_of_the_page_in_it_trains(tmp_path: Path) -> None:
    project = tmp_path / "project"
    for room in ("agents", "configs", "training", "workers"):
        shutil.copytree(
            ROOT / room, project / room, ignore=shutil.ignore_patterns("__pycache__", "*.conf")
        )
    shutil.copy(ROOT / "main.py", project)
    for name, source in examples().items():
        assert not (project / name).exists()
        (project / name).write_text(source, encoding="utf-8")
    for change in changes():
        path = project / change.path
        text = path.read_text(encoding="utf-8")
        assert text.count(change.before) == 1, f"docs/extending.md is stale: {change}"
        path.write_text(text.replace(change.before, change.after), encoding="utf-8")
    recipe = write_recipe(project, "Dynamics", "VICReg")
    done = subprocess.run(
        [sys.executable, "main.py", "--train", f"--config_path={recipe}", "--log_name=extended"],
        cwd=project,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = (project / "logs" / "runs" / "extended" / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["env_steps"] for row in rows] == [16, 32]
    for name in ("losses/predictor", "losses/representation", "intrinsic/mean"):
        assert all(math.isfinite(row[name]) for row in rows), name
