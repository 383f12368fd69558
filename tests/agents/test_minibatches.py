"""Which samples an update trains on: each one once an epoch, with the moments of what was drawn."""

import pytest
import torch

from agents.minibatches import MinibatchPlan, draw_minibatches
from agents.ranks import Ranks

SIZE = 23  # leaves a remainder


def draw(
    ranks: Ranks,
    advantages: torch.Tensor,
    *,
    epochs: int = 2,
    num_minibatches: int = 4,
    share: float = 0.5,
    seed: int = 0,
) -> list[MinibatchPlan]:
    return list(
        draw_minibatches(
            advantages,
            epochs=epochs,
            num_minibatches=num_minibatches,
            predictor_share=share,
            generator=torch.Generator().manual_seed(seed),
            ranks=ranks,
        )
    )


def some_advantages(size: int = SIZE) -> torch.Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(9)) * 3 + 2


def test_each_sample_is_trained_on_once_an_epoch_in_a_fresh_order(ranks: Ranks) -> None:
    plans = draw(ranks, some_advantages(), epochs=3)
    assert len(plans) == 12
    orders = [torch.cat([plan.samples for plan in plans[e : e + 4]]) for e in (0, 4, 8)]
    for order in orders:
        assert torch.equal(order.sort().values, torch.arange(SIZE))
        assert not torch.equal(order, torch.arange(SIZE))
    assert not torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[1], orders[2])


@pytest.mark.parametrize("num_minibatches", [1, 2, 4, 5, 23])
def test_sizes_differ_by_one_sample_at_most(ranks: Ranks, num_minibatches: int) -> None:
    """Trap 10: there is always the same number of minibatches, none of them a small remainder."""
    plans = draw(ranks, some_advantages(), epochs=1, num_minibatches=num_minibatches)
    sizes = [len(plan.samples) for plan in plans]
    assert len(sizes) == num_minibatches
    assert sum(sizes) == SIZE
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_the_moments_are_those_of_the_minibatch(ranks: Ranks, offset: float) -> None:
    """Trap 6, on one rank; the deviation is that of the population."""
    advantages = some_advantages() + offset
    for plan in draw(ranks, advantages):
        chosen = advantages.double()[plan.samples]
        torch.testing.assert_close(plan.advantage_mean.double(), chosen.mean(), rtol=1e-6, atol=0)
        torch.testing.assert_close(
            plan.advantage_std.double(), chosen.std(correction=0), rtol=1e-5, atol=0
        )


def test_advantages_that_do_not_vary_have_no_deviation(ranks: Ranks) -> None:
    for plan in draw(ranks, torch.full((SIZE,), 0.1)):
        assert plan.advantage_std.item() < 1e-7


@pytest.mark.parametrize("share", [0.25, 0.7])
def test_the_predictor_trains_on_the_share_it_was_given(ranks: Ranks, share: float) -> None:
    plans = draw(ranks, some_advantages(4000), epochs=2, num_minibatches=3, share=share)
    kept = sum(len(plan.kept) for plan in plans)
    assert abs(kept - 8000 * share) < 5 * (8000 * share * (1 - share)) ** 0.5
    for plan in plans:
        assert plan.kept_total.item() == len(plan.kept)
        assert len(plan.kept.unique()) == len(plan.kept)
        assert 0 <= plan.kept.min() <= plan.kept.max() < len(plan.samples)


def test_a_fresh_mask_is_drawn_for_every_minibatch(ranks: Ranks) -> None:
    plans = draw(ranks, some_advantages(200), epochs=2, num_minibatches=2, share=0.5)
    assert len({tuple(plan.kept.tolist()) for plan in plans}) == 4
    chosen = [set(plan.samples[plan.kept].tolist()) for plan in plans]
    assert chosen[0] | chosen[1] != chosen[2] | chosen[3]


def test_a_share_of_one_keeps_every_sample(ranks: Ranks) -> None:
    for plan in draw(ranks, some_advantages(), share=1.0):
        assert torch.equal(plan.kept, torch.arange(len(plan.samples)))


def test_where_chance_keeps_none_one_sample_trains_the_predictor(ranks: Ranks) -> None:
    """Trap 7: an empty mask would be a division by zero and a rank without a gradient."""
    plans = draw(ranks, some_advantages(), share=1e-9)
    assert [len(plan.kept) for plan in plans] == [1] * 8
    assert [plan.kept_total.item() for plan in plans] == [1.0] * 8
    assert len({int(plan.kept) for plan in plans}) > 1


def test_the_same_stream_draws_the_same_plan_and_another_stream_another(ranks: Ranks) -> None:
    """Trap 8: order and masks come from the rank's own stream, not from the global one."""
    torch.manual_seed(1)
    one = draw(ranks, some_advantages(), seed=3)
    torch.manual_seed(2)
    again, other = draw(ranks, some_advantages(), seed=3), draw(ranks, some_advantages(), seed=4)
    assert [plan.samples.tolist() for plan in one] == [plan.samples.tolist() for plan in again]
    assert [plan.kept.tolist() for plan in one] == [plan.kept.tolist() for plan in again]
    assert [plan.samples.tolist() for plan in one] != [plan.samples.tolist() for plan in other]
