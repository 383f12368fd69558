"""Whole runs of environments as others write them."""

from pathlib import Path

import pytest

from tests.runs import CARTPOLE, run_here, write_recipe

pytestmark = pytest.mark.timeout(300)

CRASHING_ONCE = """
import os, pathlib
import gymnasium
import numpy as np

class CrashingOnce(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)
    steps = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(2, np.float32), {}

    def step(self, action):
        self.steps += 1
        if self.steps == 5 and not pathlib.Path("crashed").exists():
            pathlib.Path("crashed").touch()
            os._exit(1)
        return np.zeros(2, np.float32), 1.0, self.steps % 10 == 0, False, {}

gymnasium.register("CrashingOnce-v0", entry_point=CrashingOnce)
"""


def test_the_last_words_repeat_how_many_workers_were_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "crashing_once.py").write_text(CRASHING_ONCE)
    kind = {"EnvType": "gymnasium", "EnvID": "crashing_once:CrashingOnce-v0"}
    recipe = write_recipe(tmp_path, CARTPOLE, **kind)
    arguments = (f"--config_path={recipe}", "--log_name=demo", "--num_workers=1")
    assert run_here(tmp_path, "--train", *arguments) == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        "done: 256 env steps; saved to checkpoints/demo.ckpt; 1 lost worker was replaced, see the "
        "warnings above and logs/runs/demo/metrics.jsonl"
    )
