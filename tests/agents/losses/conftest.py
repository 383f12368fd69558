"""Every test draws the same numbers in every run."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def _seeded_draws() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
