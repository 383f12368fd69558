"""Moments of parts must be those of the whole, whatever the split, the offset and the order."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.losses.moments import Moments, merge, merge_all, moments_of


def assert_same(one: Moments, other: Moments, rtol: float = 1e-12) -> None:
    assert one.count.item() == other.count.item()
    torch.testing.assert_close(one.mean, other.mean, rtol=rtol, atol=1e-12)
    torch.testing.assert_close(one.m2, other.m2, rtol=rtol, atol=1e-9)


def slow_moments(batch: torch.Tensor) -> Moments:
    """The definition, in numpy's long double."""
    values = batch.numpy().astype(np.longdouble)
    mean = values.mean(axis=0)
    return Moments(
        torch.tensor(float(len(values)), dtype=torch.float64),
        torch.tensor(np.asarray(mean, dtype=np.float64)),
        torch.tensor(np.asarray(((values - mean) ** 2).sum(axis=0), dtype=np.float64)),
    )


@pytest.mark.parametrize("shape", [(300,), (300, 3), (300, 1, 6, 5)])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
def test_moments_follow_the_definition(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    batch = (torch.rand(shape) * 255).to(dtype)
    moments = moments_of(batch)
    assert [part.dtype for part in moments] == [torch.float64] * 3
    assert moments.mean.shape == shape[1:]
    assert_same(moments, slow_moments(batch))


@settings(max_examples=30, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 64), max_size=5),
    offset=st.sampled_from([0.0, -3.0, 1e8]),
    seed=st.integers(0, 1000),
)
def test_moments_of_a_split_equal_those_of_the_whole(
    cuts: list[int], offset: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    batch = torch.randn(64, 3, dtype=torch.float64, generator=generator) + offset
    parts = torch.tensor_split(batch, sorted(cuts))
    merged = merge_all([moments_of(part) for part in parts])
    assert_same(merged, moments_of(batch), rtol=1e-6 if offset == 1e8 else 1e-10)


def test_an_offset_of_a_hundred_million_leaves_the_variance_alone() -> None:
    batch = torch.randn(4096, dtype=torch.float64)
    shifted = merge_all([moments_of(part + 1e8) for part in torch.split(batch, 100)])
    variance = shifted.m2 / shifted.count
    torch.testing.assert_close(variance, batch.var(correction=0), rtol=1e-6, atol=0.0)


def test_the_spread_between_the_means_of_the_parts_is_kept() -> None:
    merged = merge(moments_of(torch.tensor([-1.0, 1.0]) - 5), moments_of(torch.tensor([4.0, 6.0])))
    assert (merged.m2 / merged.count).item() == 26.0


def test_neither_the_order_of_samples_nor_that_of_parts_matters() -> None:
    batch = torch.randn(50, 4, dtype=torch.float64)
    assert_same(moments_of(batch[torch.randperm(50)]), moments_of(batch))
    one, other = moments_of(batch[:13]), moments_of(batch[13:])
    assert_same(merge(one, other), merge(other, one))


def test_a_batch_of_several_chunks_equals_one_of_its_own_parts() -> None:
    frames = torch.randint(0, 256, (700, 1, 84, 84), dtype=torch.uint8)
    sample = (slice(None), 0, slice(None, None, 17), slice(None, None, 17))
    moments = moments_of(frames)
    expected = slow_moments(frames[sample])
    assert moments.count.item() == 700
    torch.testing.assert_close(moments.mean[sample[1:]], expected.mean)
    torch.testing.assert_close(moments.m2[sample[1:]], expected.m2)


def test_a_constant_has_exactly_its_mean_and_no_spread() -> None:
    moments = moments_of(torch.full((1000, 2, 1000), 103, dtype=torch.uint8))
    assert (moments.mean == 103).all()
    assert (moments.m2 == 0).all()


def test_empty_parts_change_nothing() -> None:
    batch = torch.randn(9, 2)
    empty, full = moments_of(batch[:0]), moments_of(batch)
    for merged in (merge(empty, full), merge(full, empty)):
        assert_same(merged, full)
    nothing = merge(empty, empty)
    assert all(bool((part == 0).all()) for part in nothing)


def test_the_batch_is_left_as_it_was() -> None:
    batch = torch.randn(9, 2, dtype=torch.float64)
    before = batch.clone()
    moments_of(batch)
    assert torch.equal(batch, before)


def test_moments_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="do not belong together"):
        merge(moments_of(torch.zeros(4, 1)), moments_of(torch.zeros(4, 3)))


def test_merging_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no moments"):
        merge_all([])
