"""Fixtures of the tests of what others got wrong."""

from collections.abc import Iterator

import pytest
import torch

from agents.ranks import Ranks
from tests.ranks import only_rank


@pytest.fixture(scope="package", autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks this small only lose by a second thread, and lose much where cores are busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def ranks() -> Iterator[Ranks]:
    """This process as the only rank."""
    with only_rank() as ranks:
        yield ranks
