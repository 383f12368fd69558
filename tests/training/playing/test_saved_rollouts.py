"""--eval --save_rollouts: the episodes of an evaluation as a dataset, with a table beside it."""

import csv
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from configs.schema import Config
from tests.runs import CARTPOLE, PONG, run_here, write_recipe
from tests.training.collecting.sets import assert_replays
from training.playing.saved_rollouts import SavedRollouts
from trajectories.reader import open_dataset
from trajectories.verify import verify_folder
from workers.environments.probes import DyingEnvironment
from workers.pool import WorkerPool

SEED = 1000
pytestmark = pytest.mark.timeout(300)


def train(folder: Path, text: str) -> Path:
    recipe = write_recipe(folder, text, TotalEnvSteps=32)
    assert run_here(folder, "--train", f"--config_path={recipe}", "--log_name=demo") == 0
    return folder


@pytest.fixture(scope="module")
def cartpole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(tmp_path_factory.mktemp("cartpole"), CARTPOLE)


def evaluate(folder: Path, name: str, *arguments: str) -> tuple[dict[str, Any], Path]:
    """Evaluate; return the report, and where the rollouts lie if there are any."""
    common = (f"--config_path={folder / 'recipe.conf'}", "--load_model_path=checkpoints/demo.ckpt")
    assert run_here(folder, "--eval", *common, f"--log_name={name}", *arguments) == 0
    (report,) = (folder / "logs" / "runs" / name / "evaluation").glob("*.json")
    return json.loads(report.read_text()), report.with_name(f"{report.stem}_rollouts")


def table_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "episodes.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_rollouts_are_the_evaluations_and_change_nothing_in_it(cartpole: Path) -> None:
    arguments = ("--episodes=5", "--num_env_per_process=2")
    plain, nowhere = evaluate(cartpole, "plain", *arguments)
    assert not nowhere.exists()
    report, folder = evaluate(cartpole, "kept", *arguments, "--save_rollouts")
    assert report["scores"] == plain["scores"]
    assert verify_folder(folder).problems == ()
    table = table_of(folder)
    assert [float(row["return"]) for row in table] == report["scores"]
    dataset = open_dataset(folder)
    kept = {
        (e.values["environment"], e.values["game"]): (e.total_reward, e.length)
        for e in dataset.scan()
    }
    assert kept == {
        (int(row["environment"]), int(row["game"])): (float(row["return"]), int(row["length"]))
        for row in table
    }
    assert_replays(dataset.select(["0-0-0", "1-0-0"]))


def test_again_replaces_the_rollouts_of_the_last_time(cartpole: Path) -> None:
    for _ in range(2):
        _, folder = evaluate(cartpole, "again", "--episodes=3", "--save_rollouts")
    assert len(open_dataset(folder)) == 3


def test_actions_are_in_the_environments_units_and_frames_as_they_are_stored(
    tmp_path: Path,
) -> None:
    text = CARTPOLE.replace("CartPole-v1", "Pendulum-v1").replace("= auto", "= 12")
    train(tmp_path, text)
    _, folder = evaluate(tmp_path, "kept", "--episodes=2", "--save_rollouts")
    dataset = open_dataset(folder)
    assert dataset.info.schema.action.low == (-2.0,)
    assert max(float(np.abs(e.actions).max()) for e in dataset.scan()) > 1
    assert_replays(dataset)


@pytest.mark.parametrize(
    ("fault", "seeds"),
    [
        ({"when": "reset"}, {}),
        ({"when": "step", "at_step": 2}, {"1-0-0": SEED + 1}),
        ({"when": "step", "at_step": 6}, {"0-0-0": SEED, "1-0-0": SEED + 1}),
    ],
    ids=["first reset", "first game", "second game"],
)
def test_no_seed_is_stored_that_a_lost_workers_game_was_not_begun_with(
    fault: dict[str, Any], seeds: dict[str, int], tmp_path: Path
) -> None:
    mark = str(tmp_path / "died")
    make = partial(DyingEnvironment, **fault, only_seed=SEED, marker=mark)
    begun_with = [SEED, SEED + 1]
    with (
        WorkerPool(
            make, num_environments=2, num_processes=2, base_seed=SEED, with_states=True
        ) as pool,
        SavedRollouts(
            *(tmp_path / "set", pool, Config().environment),
            policy="none",
            seeds=begun_with,
            shares=[3, 3],
            with_info=False,
            provenance={},
        ) as saved,
    ):
        saved.begin(pool.reset())
        for _ in range(30):
            actions = np.zeros(2, np.int64)
            pool.send(0, actions)
            saved.add(actions, pool.recv(0))
        assert pool.worker_restarts == 1
    found = list(open_dataset(tmp_path / "set").scan())
    assert len(found) == 6
    assert {e.id: e.values["seed"] for e in found if "seed" in e.values} == seeds
    for episode in found:  # the first number of an observation is the seed
        known = episode.values.get("environment_seed")
        assert known in (None, episode.observations[0, 0])
        if known is None:
            assert fault["when"] == "reset" or episode.observations[0, 0] not in begun_with


@pytest.mark.slow
def test_what_the_environment_tells_of_a_game_is_kept_where_it_is_asked_for(tmp_path: Path) -> None:
    text = PONG.replace("PongNoFrameskip-v4", "MontezumaRevengeNoFrameskip-v4")
    train(tmp_path, text)
    _, folder = evaluate(tmp_path, "kept", "--episodes=2", "--save_rollouts", "--save_info")
    assert {row["info.rooms"] for row in table_of(folder)} == {"1"}
    dataset = open_dataset(folder)
    assert all(e.values["info.rooms"] == "1" for e in dataset.scan())
    assert dataset.info.schema.observation_shape == (84, 84, 1)
