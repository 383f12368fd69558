"""Each world of ranks is started once for all tests."""

from typing import Any

import pytest

from tests.distributed.checks import all_checks
from tests.ranks import run_in_ranks

Results = list[dict[str, Any]]


@pytest.fixture(
    scope="package",
    params=[2, pytest.param(3, marks=pytest.mark.slow)],
    ids=["two ranks", "three ranks"],
)
def results(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """What each rank of a world returned."""
    return run_in_ranks(all_checks, request.param, tmp_path_factory.mktemp("ranks"))
