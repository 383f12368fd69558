"""Running statistics: exact over parts, silent in normalize, whole after a reload."""

import numpy as np
import pytest
import torch

from agents.losses.moments import merge, moments_of
from agents.networks.normalization import RunningMoments


def test_a_normalised_batch_is_the_formula_in_numpy() -> None:
    frames = torch.randint(0, 256, (50, 1, 6, 5), dtype=torch.uint8)
    running = RunningMoments((1, 6, 5))
    running.update(moments_of(frames))
    values = frames.numpy().astype(np.float64)
    expected = (values - values.mean(axis=0)) / np.sqrt(values.var(axis=0) + 1e-8)
    normalised = running.normalize(frames, 1.5)
    assert normalised.dtype == torch.float32
    np.testing.assert_allclose(normalised.numpy(), expected.clip(-1.5, 1.5), rtol=0, atol=1e-5)
    assert normalised.abs().max() == 1.5


def test_updates_in_parts_equal_one_update_with_the_whole() -> None:
    batch = torch.randn(90, 3, dtype=torch.float64) + 1e8
    whole, parts = RunningMoments((3,)), RunningMoments((3,))
    whole.update(moments_of(batch))
    for part in torch.split(batch, 13):
        parts.update(moments_of(part))
    assert parts.count.item() == 90
    torch.testing.assert_close(parts.std, whole.std, rtol=1e-6, atol=0.0)
    torch.testing.assert_close(parts.std, batch.std(dim=0, correction=0), rtol=1e-6, atol=0.0)


def test_two_ranks_that_merge_before_updating_agree_with_one_process() -> None:
    first, second = torch.randn(2, 40, 3)
    alone, rank = RunningMoments((3,)), RunningMoments((3,))
    for rows in (slice(0, 20), slice(20, 40)):
        alone.update(moments_of(torch.cat([first[rows], second[rows]])))
        rank.update(merge(moments_of(first[rows]), moments_of(second[rows])))
    assert rank.count.item() == 80
    torch.testing.assert_close(rank.mean, alone.mean)
    torch.testing.assert_close(rank.std, alone.std)


def test_before_any_data_the_deviation_is_one() -> None:
    running = RunningMoments(())
    assert running.std.item() == 1.0
    x = torch.tensor([-2.0, 0.5])
    torch.testing.assert_close(running.normalize(x, 5.0), x)


def test_a_value_that_never_varied_is_zero_and_any_other_is_at_the_limit() -> None:
    running = RunningMoments((2,))
    running.update(moments_of(torch.full((1000, 2), 103, dtype=torch.uint8)))
    x = torch.tensor([[103, 104], [103, 0]], dtype=torch.uint8)
    assert running.normalize(x, 5.0).tolist() == [[0.0, 5.0], [0.0, -5.0]]


def test_normalising_changes_neither_the_statistics_nor_the_input() -> None:
    running = RunningMoments((3,)).train()
    running.update(moments_of(torch.randn(10, 3)))
    before = {name: buffer.clone() for name, buffer in running.state_dict().items()}
    x = torch.randn(4, 3)
    copy = x.clone()
    running.normalize(x, 5.0)
    assert torch.equal(x, copy)
    assert all(torch.equal(running.state_dict()[name], before[name]) for name in before)


def test_statistics_travel_with_the_state_dict_in_full_precision() -> None:
    running, other = RunningMoments((3,)), RunningMoments((3,))
    running.update(moments_of(torch.randn(10, 3, dtype=torch.float64)))
    other.load_state_dict(running.state_dict())
    assert {buffer.dtype for buffer in other.buffers()} == {torch.float64}
    assert torch.equal(other.m2, running.m2)
    assert set(running.state_dict()) == {"count", "mean", "m2"}


def test_buffers_are_updated_in_place() -> None:
    running = RunningMoments((3,))
    pointers = [buffer.data_ptr() for buffer in running.buffers()]
    running.update(moments_of(torch.randn(10, 3)))
    assert [buffer.data_ptr() for buffer in running.buffers()] == pointers


def test_data_of_another_shape_are_refused() -> None:
    running = RunningMoments((1, 4, 4))
    with pytest.raises(ValueError, match="do not belong together"):
        running.update(moments_of(torch.randn(10, 4, 4)))
