"""What is laid out of a rank's own part, where not all of it can be."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from agents.ranks import Ranks, bytes_tensor
from tests.agents.scripts import draw_script
from tests.agents.small import VECTOR, Kind, filled, make_agent, make_learner
from tests.ranks import only_rank
from training.checkpoints.storage import Payload, Saver, pack
from training.loop.run_state import Restored, RunState

T, N = 6, 2
KIND = Kind(VECTOR, bonus_kind="BYOL-Explore")


@pytest.fixture
def ranks() -> Iterator[Ranks]:
    with only_rank() as ranks:
        yield ranks


@pytest.mark.parametrize("goes_on", [True, False])
def test_beliefs_begin_anew_where_a_rollout_that_was_lived_through_is_left_out(
    ranks: Ranks, goes_on: bool, tmp_path: Path
) -> None:
    """They are those of before it, and episodes may have ended in it."""
    shape = KIND.rollout_shape(T, N)
    before, after = (make_agent(ranks, make_learner(KIND, N)) for _ in range(2))
    before.learn(filled(draw_script(shape, 0), shape))
    assert before.learner.intrinsic is not None
    kept = {name: tensor.clone() for name, tensor in before.learner.intrinsic.rank_state().items()}
    assert kept["belief"].any()

    parts: dict[str, Any] = {
        "rollouts": SimpleNamespace(restore=lambda part: goes_on),
        "pool": SimpleNamespace(
            spec=SimpleNamespace(can_snapshot=True), reset=lambda: None, restore=lambda given: None
        ),
        "visits": SimpleNamespace(restore=lambda part: None),
        "since_row": SimpleNamespace(restore=lambda part: None),
    }
    saver = Saver(tmp_path / "run.ckpt")
    state = RunState(
        agent=after, ranks=ranks, saver=saver, facts={}, on_saved=lambda path: None, **parts
    )
    own: Payload = {
        "generator": before.generator.get_state(),
        "environments": [torch.ones(1, dtype=torch.uint8)] * N,
        "intrinsic": kept,
        "visits": torch.zeros(0),
    }
    found = state.restore_rank({"ranks": [bytes_tensor(pack(own))]})
    assert found == Restored(in_their_episodes=True, every_rollout=goes_on)
    assert after.learner.intrinsic is not None
    belief = after.learner.intrinsic.rank_state()["belief"]
    assert torch.equal(belief, kept["belief"]) if goes_on else not belief.any()
