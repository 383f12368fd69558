"""The agents that a run is made of: alike at the start, apart in what they draw (trap 8)."""

from typing import Any

import numpy as np
import pytest

from configs.schema import Config
from tests.agents.small import assert_all_equal
from tests.distributed.assembled import NUM_ENVS, assembled
from tests.distributed.conftest import Results
from tests.ranks import only_rank

pytestmark = pytest.mark.timeout(300)  # the first test of a world starts its ranks


@pytest.fixture(scope="module")
def alone(results: Results) -> dict[str, Any]:
    """One process with as many environments as all ranks together."""
    with only_rank() as ranks:
        return assembled(ranks, NUM_ENVS * len(results))


def test_all_ranks_start_from_the_weights_that_the_seed_gives(
    results: Results, alone: dict[str, Any]
) -> None:
    """Whatever their own random state: cleanrl 476."""
    for result in results:
        assert_all_equal(result["assembled"]["weights"], alone["weights"])


def test_each_rank_draws_actions_of_its_own(results: Results) -> None:
    draws = {tuple(result["assembled"]["actions"]) for result in results}
    assert len(draws) == len(results)


def test_environments_start_alike_however_they_are_spread_over_ranks(
    results: Results, alone: dict[str, Any]
) -> None:
    """The seed of each is the base plus its number among all."""
    first = np.concatenate([result["assembled"]["first"] for result in results])
    np.testing.assert_array_equal(first, alone["first"])
    assert len(np.unique(first, axis=0)) == len(first)


def test_the_predictors_share_counts_the_environments_of_all_ranks(results: Results) -> None:
    """Burda et al. 2018, table 5: 32 environments' worth of samples, however many there are."""
    assert Config().intrinsic.predictor_share == "auto"
    for result in results:
        share = min(1.0, 32 / (NUM_ENVS * len(results)))
        assert result["assembled"]["share"] == pytest.approx(share)
