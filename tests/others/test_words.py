"""What is said: beside a score, of a worker that is lost, where a run begins."""

import json
import logging
import re
from pathlib import Path

import numpy as np
import pytest

from tests.records import checkpoint_path
from tests.runs import CARTPOLE, PONG, run_here, write_recipe
from tests.workers.pool_probes import Fault
from tests.workers.pools import faulty_pool
from training.building.notes import few_environments
from training.checkpoints.storage import load_payload
from training.live.banner import updates_text
from workers.pool import WorkerPool

NAME = "demo"
ACTIONS = np.array([0, 3, 1, 4], np.int64)


def lose_a_worker(pool: WorkerPool) -> None:
    """Step until environment 1, whose action is always 3, takes its worker with it."""
    pool.reset()
    for _ in range(30):
        pool.send(0, ACTIONS)
        pool.recv(0)
        if pool.worker_restarts:
            return
    raise AssertionError("no worker was lost")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    recipe = write_recipe(folder, CARTPOLE, TotalEnvSteps=128)
    assert run_here(folder, "--train", f"--config_path={recipe}", f"--log_name={NAME}") == 0
    return folder


@pytest.mark.parametrize(("choice", "protocol"), [("sampled", "training's"), ("greedy", "another")])
def test_sample_factory_90_one_line_says_what_an_evaluation_is_compared_with(
    trained: Path, capsys: pytest.CaptureFixture[str], choice: str, protocol: str
) -> None:
    """The checkpoint's step, the protocol, how actions are chosen, and training's own mean."""
    episodes = json.loads(load_payload(checkpoint_path(trained, NAME))["episodes"])[0]
    mean = sum(episode["score"] for episode in episodes) / len(episodes)
    asked = ["--greedy", "--set=MaxStepPerEpisode=9"] if protocol == "another" else []
    common = (f"--config_path={trained / 'recipe.conf'}", f"--log_name={choice}")
    loaded = f"--load_model_path=checkpoints/{NAME}.ckpt"
    assert run_here(trained, "--eval", *common, loaded, "--episodes=2", *asked) == 0
    (line,) = re.findall("^evaluated .*", capsys.readouterr().out, re.MULTILINE)
    assert "(128 env steps)" in line
    assert f"2 episodes, actions {choice}, {protocol} protocol; " in line
    assert line.endswith(f"in training mean {mean:,.1f} (last {len(episodes)}, sampled)")
    (report,) = (trained / "logs" / "runs" / choice / "evaluation").glob("*.json")
    told = json.loads(report.read_text())
    assert (told["training_score"], told["training_episodes"]) == (mean, len(episodes))


@pytest.mark.parametrize(
    ("kind", "cause"),
    [("hang", "gave no answer within 0.8 seconds"), ("raise", "raised an exception")],
)
def test_sample_factory_316_and_285_a_lost_worker_is_told_with_its_cause(
    kind: str, cause: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Environment, last action, seconds without an answer; the traceback where there is one."""
    with (
        caplog.at_level(logging.WARNING),
        faulty_pool(Fault(kind, when=2), step_timeout=0.8, reset_timeout=60.0) as pool,
    ):
        lose_a_worker(pool)
    message = caplog.records[0].getMessage()
    assert f"lost while stepping environment 1: {cause} (action 3, env step 3 of its game)" in (
        message
    )
    assert ("ValueError: the joystick broke off" in message) == (kind == "raise")
    assert ("in strike" in message) == (kind == "raise")


def test_rlcode_130_the_start_says_that_montezuma_has_few_environments(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The recipe that the note names is held by tests/configs/test_recipes.py."""
    recipe = write_recipe(tmp_path, PONG, EnvID="MontezumaRevengeNoFrameskip-v4", TotalEnvSteps=16)
    assert run_here(tmp_path, "--train", f"--config_path={recipe}", f"--log_name={NAME}") == 0
    assert "2 environments are few for Montezuma's Revenge" in capsys.readouterr().out


def test_rlcode_130_enough_environments_and_other_games_are_told_nothing() -> None:
    for env_id in ("MontezumaRevengeNoFrameskip-v4", "ALE/MontezumaRevenge-v5"):
        (note,) = few_environments(env_id, 255)
        assert "255 environments are few" in note
        assert "configs/MontezumaRevenge/config_rnd512.conf" in note
        assert few_environments(env_id, 256) == []
    assert few_environments("PongNoFrameskip-v4", 1) == []


def test_pytorch_rl_846_steps_beyond_those_asked_for_are_announced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """CartPole's updates are of 32 env steps: 40 are reached within the second one."""
    recipe = f"--config_path={write_recipe(tmp_path, CARTPOLE, TotalEnvSteps=40)}"
    assert run_here(tmp_path, "--train", recipe, f"--log_name={NAME}") == 0
    said = capsys.readouterr().out
    assert "2 updates of 32 env steps; the last one is finished" in said
    assert "done: 64 env steps" in said
    assert updates_text(64, 32) == "2 updates of 32 env steps"
    assert updates_text(32, 32) == "1 update of 32 env steps"
