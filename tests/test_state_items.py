"""Each item of state in a checkpoint matters: a run that goes on without it is another run.

The items are those found in the file, so a new one is tried without a word here.
"""

import shutil
from pathlib import Path

import pytest

from tests.checkpoint_items import items_of, open_checkpoint, write_without
from tests.halves import (
    COMPONENTS,
    ENVIRONMENTS,
    CalmRun,
    assert_equal_runs,
    halfway,
    launch,
    run_calmly,
)
from tests.runs import CARTPOLE, PONG
from training.checkpoints.storage import companions

pytestmark = pytest.mark.timeout(3600)

RECIPES = {"cartpole": CARTPOLE, "pong": PONG} | COMPONENTS | ENVIRONMENTS

# Items that change nothing in a recipe, or in any, and why.
ONE_FRAME = "state vectors are not stacked"
NO_LIVES = "LifeDone is off"
NO_LIMIT = "no game comes to its limit"
NO_ROOMS = "the game tells no rooms"
INERT = {
    ("", "optimizer param_groups"): "the configuration's, which a user may have changed",
    ("", "environments life_was_lost"): "no life is lost between two steps",
    ("", "environments observation"): "no worker is lost before its first step",
    ("", "best_score"): "counts beside the best checkpoint, which lies in no halfway folder",
    ("cartpole", "ages"): ONE_FRAME,
    ("continuous actions", "ages"): ONE_FRAME,
    ("a lander", "ages"): ONE_FRAME,
    ("joints", "ages"): ONE_FRAME,
    ("joints", "environments num_steps"): NO_LIMIT,
    ("joints", "environments observed"): "told beside frames alone",
    ("a memory", "ages"): ONE_FRAME,
    ("a memory and overlap", "ahead ages"): ONE_FRAME,
    ("overlap", "ahead ages"): ONE_FRAME,
    ("a memory and overlap", "policy_memory"): "lies in the rollout that waits, too",
    ("overlap on frames", "ahead episodes"): "none ends in that rollout",
    ("cartpole", "environments num_steps"): NO_LIMIT,
    ("pong", "environments lives"): NO_LIVES,
    ("a game with rooms", "environments lives"): NO_LIVES,
    ("pong", "environments rooms"): NO_ROOMS,
    ("a game with lives", "environments rooms"): NO_ROOMS,
    ("a game with lives", "environments last_action"): "not repeated at once by this seed",
    ("a game with rooms", "environments last_action"): "not repeated at once by this seed",
}


def is_inert(recipe: str, item: str) -> bool:
    name = item.removeprefix("rank 0 ").removeprefix("rank 1 ")
    return bool({("", name), (recipe, name)} & INERT.keys())


def items(calm: CalmRun) -> set[str]:
    return set(items_of(open_checkpoint(companions(calm.end)[1])))


def shows(calm: CalmRun, item: str, folder: Path) -> bool:
    """Whether a run that went on without the item differs from the calm one, or failed."""
    write_without(halfway(calm, folder), item)
    try:
        launch(folder, calm.ranks, f"--config_path={calm.recipe}", "--resume")
        assert_equal_runs(calm, folder)
    except AssertionError:
        return True
    return False


def assert_each_matters(calm: CalmRun, recipe: str, chosen: set[str], folder: Path) -> None:
    unlike = {}
    for number, item in enumerate(sorted(chosen)):
        here = folder / str(number)
        unlike[item] = shows(calm, item, here)
        shutil.rmtree(here)
    assert unlike == {item: not is_inert(recipe, item) for item in chosen}


@pytest.fixture(scope="module")
def cartpole(tmp_path_factory: pytest.TempPathFactory) -> CalmRun:
    return run_calmly(tmp_path_factory.mktemp("cartpole"), CARTPOLE)


@pytest.fixture(scope="module")
def pong(tmp_path_factory: pytest.TempPathFactory) -> CalmRun:
    return run_calmly(tmp_path_factory.mktemp("pong"), PONG)


def test_the_items_are_weights_moments_statistics_streams_counters_and_games(
    cartpole: CalmRun,
) -> None:
    assert {item for item in items(cartpole) if not item.startswith("learner policy")} >= {
        "updates",
        "env_steps",
        "best_score",
        "episodes",
        "intrinsic.observation_moments.mean",
        "intrinsic.reward_filter.moments.m2",
        "optimizer exp_avg",
        "optimizer exp_avg_sq",
        "optimizer step",
        "rank 0 generator",
        "rank 0 frames",
        "rank 0 visits",
        "rank 0 intrinsic filter_sums",
        "rank 0 environments random",
        "rank 0 environments physical",
        "rank 0 environments num_steps",
        "rank 0 environments score",
    }


@pytest.mark.parametrize("item", ["rank 0 generator", "optimizer exp_avg"])
def test_a_run_that_goes_on_without_an_item_of_its_state_is_another_run(
    item: str, cartpole: CalmRun, tmp_path: Path
) -> None:
    assert shows(cartpole, item, tmp_path)


@pytest.mark.slow
def test_every_item_of_state_matters(cartpole: CalmRun, tmp_path: Path) -> None:
    assert_each_matters(cartpole, "cartpole", items(cartpole), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pong", *COMPONENTS, *ENVIRONMENTS])
def test_every_item_that_a_component_or_an_environment_adds_matters(
    name: str, cartpole: CalmRun, pong: CalmRun, tmp_path: Path
) -> None:
    calm = pong if name == "pong" else run_calmly(tmp_path / "calm", RECIPES[name])
    known = items(cartpole) | (set() if name == "pong" else items(pong))
    chosen = items(calm) - known
    if name in {"pong", *ENVIRONMENTS}:
        chosen |= {item for item in items(calm) if item.startswith("rank 0")}
    assert_each_matters(calm, name, chosen, tmp_path)


@pytest.mark.slow
def test_every_item_of_another_rank_matters(tmp_path: Path) -> None:
    calm = run_calmly(tmp_path / "calm", CARTPOLE, ranks=2)
    chosen = {item for item in items(calm) if item.startswith("rank 1")}
    assert_each_matters(calm, "cartpole", chosen, tmp_path)
