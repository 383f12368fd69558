"""What ranks tell each other arrives whole, in order, whatever its size."""

import pytest
import torch

from agents.losses.moments import moments_of
from tests.distributed.checks import payload, some_data
from tests.distributed.conftest import Results

pytestmark = pytest.mark.timeout(300)  # the first test of a world starts its ranks


def test_sums_are_over_all_ranks_and_leave_the_argument_alone(results: Results) -> None:
    W = len(results)
    for rank, result in enumerate(results):
        messages = result["messages"]
        assert messages["sum"].tolist() == [sum(range(W)), W]
        assert messages["summed"].tolist() == [rank, 1]


def test_sums_are_of_elements_however_a_rank_keeps_them_in_memory(results: Results) -> None:
    for result in results:
        total = torch.arange(6).reshape(2, 3) * len(results)
        assert result["messages"]["sum of columns"].tolist() == total.tolist()


def test_a_flag_on_one_rank_is_known_to_all(results: Results) -> None:
    for result in results:
        assert result["messages"]["any"] == [False, True, True]


def test_gathered_tensors_come_in_the_order_of_ranks(results: Results) -> None:
    for result in results:
        values = [part.tolist() for part in result["messages"]["gather"]]
        assert values == [[rank, 10 * rank] for rank in range(len(results))]


def test_bytes_of_any_length_are_gathered(results: Results) -> None:
    """Rank 0 has nothing to tell, each of the others more than the one before."""
    W = len(results)
    for result in results:
        assert result["messages"]["gather_bytes"] == [payload(rank) for rank in range(W)]
        assert result["messages"]["gather_nothing"] == [b""] * W


def test_bytes_in_pieces_come_together_on_the_first_rank_alone(results: Results) -> None:
    first, *others = (result["messages"] for result in results)
    found = [bytes(part.tolist()) for part in first["bytes_on_first"]]
    assert found == [payload(rank) for rank in range(len(results))]
    assert [len(part) for part in first["nothing_on_first"]] == [0] * len(results)
    for other in others:
        assert other["bytes_on_first"] == other["nothing_on_first"] == []


def test_bytes_of_the_first_rank_reach_all(results: Results) -> None:
    for result in results:
        assert result["messages"]["broadcast_bytes"] == [b"", b"\x00from rank 0\xff"]


def test_merged_moments_are_those_of_the_joined_data(results: Results) -> None:
    """Trap 2: of unequal counts, one of them 0, and of means far apart; equal to the last bit."""
    joined = moments_of(torch.cat([some_data(rank) for rank in range(len(results))]))
    first = results[0]["messages"]["merge"]
    assert first.count.item() == joined.count.item()
    torch.testing.assert_close(first.mean, joined.mean, rtol=1e-12, atol=0)
    torch.testing.assert_close(first.m2, joined.m2, rtol=1e-10, atol=0)
    for result in results[1:]:
        for one, other in zip(result["messages"]["merge"], first, strict=True):
            assert torch.equal(one, other)
    assert first.mean.shape == (2, 3)
    assert results[0]["messages"]["merge scalars"].m2.item() == pytest.approx(
        torch.arange(len(results), dtype=torch.float64).var(correction=0).item() * len(results)
    )
