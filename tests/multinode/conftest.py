"""Two nodes, or the reason why there are none."""

from collections.abc import Iterator

import pytest

from tests.multinode.nodes import Node, two_nodes, why_not


@pytest.fixture
def nodes() -> Iterator[tuple[Node, Node]]:
    if reason := why_not():
        pytest.skip(reason)
    with two_nodes() as made:
        yield made
