"""Collection beside learning equals collection before it, whichever side is the faster one."""

import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from agents.rollout import RolloutBuffer
from configs.errors import EnvironmentFailure, NonFiniteError
from configs.loading import load_config
from tests.ranks import only_rank, run_in_ranks
from tests.records import differences
from tests.training.loop.overlapping_runs import (
    RECIPES,
    UPDATES,
    Run,
    both,
    built,
    one_after_the_other,
    recipe,
    side_by_side,
)

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with only_rank() as ranks, built(ranks, recipe(tmp_path, "vectors")) as run:
        yield run


@pytest.mark.parametrize("first", ["neither", "learning", "collection"])
@pytest.mark.parametrize("name", RECIPES)
def test_it_equals_collecting_with_the_old_policy_and_then_learning(
    name: str, first: str, tmp_path: Path
) -> None:
    loaded = recipe(tmp_path, name)
    with only_rank() as ranks:
        found = side_by_side(ranks, loaded, first)
        wanted = one_after_the_other(ranks, loaded)
    assert differences(found, wanted) == []
    rollouts = [update["rollout"]["log_probs"] for update in found["updates"]]
    assert len(rollouts) == UPDATES
    assert not any(torch.equal(rollouts[0], other) for other in rollouts[1:])


@pytest.mark.slow
def test_two_ranks_that_overlap_equal_two_that_do_not(tmp_path: Path) -> None:
    results = run_in_ranks(partial(both, loaded=recipe(tmp_path, "vectors")), 2, tmp_path)
    for found, wanted in results:
        assert differences(found, wanted) == []
    one, other = (found for found, _ in results)
    assert differences(one["learner"], other["learner"]) == []
    assert differences(one["updates"][0]["rollout"], other["updates"][0]["rollout"]) != []


def nothing(rollout: RolloutBuffer) -> dict[str, Tensor]:
    return {}


def test_learning_that_fails_ends_the_collection_and_is_what_is_raised(run: Run) -> None:
    asked = []
    failed = threading.Event()

    def should_stop() -> bool:
        asked.append(threading.current_thread())
        return len(asked) > 16 and not failed.wait(10)

    def learn(rollout: RolloutBuffer) -> dict[str, Tensor]:
        failed.set()
        raise NonFiniteError("of the learning")

    rollouts = run.overlapping(should_stop)
    rollouts.collect()
    with pytest.raises(NonFiniteError, match="of the learning"):
        rollouts.learn(learn, more=True)
    assert len(asked) < 32, "the collection was not given up"
    assert set(asked) == {threading.main_thread()}
    assert len(run.pool.snapshot()) == 2, "a step is still on its way"


def test_a_collection_that_fails_lets_learning_end_and_is_what_is_raised(run: Run) -> None:
    ended = []

    def should_stop() -> bool:
        raise EnvironmentFailure("of the collection")

    def learn(rollout: RolloutBuffer) -> dict[str, Tensor]:
        losses = run.agent.learn(rollout)
        ended.append(threading.current_thread().name)
        return losses

    rollouts = run.overlapping(lambda: False)
    rollouts.collect()
    rollouts._should_stop = should_stop
    with pytest.raises(EnvironmentFailure, match="of the collection"):
        rollouts.learn(learn, more=True)
    assert ended == ["learning_0"]


@pytest.mark.parametrize("first", ["collection", "learning"])
def test_where_both_sides_fail_the_first_error_is_raised(first: str, run: Run) -> None:
    def should_stop() -> bool:
        if first == "learning":  # its one thread is free again after it has failed
            rollouts._thread.submit(int).result(10)
        raise EnvironmentFailure("of the collection")

    def learn(rollout: RolloutBuffer) -> dict[str, Tensor]:
        if first == "collection":
            time.sleep(0.5)
        raise NonFiniteError("of the learning")

    rollouts = run.overlapping(lambda: False)
    rollouts.collect()
    rollouts._should_stop = should_stop
    with pytest.raises((EnvironmentFailure, NonFiniteError), match=f"of the {first}"):
        rollouts.learn(learn, more=True)


def test_a_stop_is_granted_before_an_update_and_never_within_one(run: Run) -> None:
    """The weights have moved by then; what goes on is told to the watchdog at every step."""
    asked = 0

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 16

    rollouts = run.overlapping(should_stop)
    assert rollouts.collect()[0]
    rollouts.learn(nothing, more=True)
    assert asked == 2 * 16
    assert rollouts.current.contents()["ages"].shape == (17, 2)
    assert not rollouts.collect()[0]
    assert asked == 2 * 16 + 1


def test_a_stop_in_the_first_collection_is_granted_at_once(run: Run) -> None:
    rollouts = run.overlapping(lambda: True)
    before = rollouts.state()
    assert not rollouts.collect()[0]
    assert differences(before["frames"], rollouts.state()["frames"]) == []
    assert "ahead" not in rollouts.state()


def test_the_last_update_collects_nothing_ahead(run: Run) -> None:
    rollouts = run.overlapping(lambda: False)
    rollouts.collect()
    assert "ahead" in rollouts.state()
    end = rollouts.current.end_state()
    rollouts.learn(nothing, more=False)
    state = rollouts.state()
    assert "ahead" not in state
    assert torch.equal(state["frames"], end.frames)


def test_a_rollout_of_another_length_is_dropped_and_the_frames_go_on(
    run: Run, tmp_path: Path
) -> None:
    rollouts = run.overlapping(lambda: False)
    rollouts.collect()
    state = rollouts.state()
    shorter = load_config(tmp_path / "recipe.conf", ["NumStep=8"])
    with built(run.parts.ranks, shorter) as other:
        resumed = other.overlapping(lambda: False)
        assert not resumed.restore(state)
        assert torch.equal(resumed.state()["frames"], state["frames"])
        assert "ahead" not in resumed.state()
