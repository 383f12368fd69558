"""Several ranks that learn together equal one process on the joined batch."""

from typing import Any

import pytest
import torch
from torch import Tensor

from agents.minibatches import MinibatchPlan, draw_minibatches
from agents.representation.views import ViewPair
from agents.rollout import RolloutBuffer
from tests.agents.scripts import draw_script
from tests.agents.small import (
    Kind,
    assert_all_equal,
    experience_of,
    gradients_of,
    make_learner,
    rnd_of,
)
from tests.distributed.checks import ENVS, KINDS, PART_OF_A_BATCH, T, whole_batch
from tests.distributed.conftest import Results
from tests.ranks import only_rank

pytestmark = pytest.mark.timeout(300)  # the first test of a world starts its ranks

KIND_NAMES = pytest.mark.parametrize("name", list(KINDS))
LOCAL = "intrinsic.reward_filter.sums"  # belongs to a rank's own environments


def joined(name: str, world_size: int) -> dict[str, Any]:
    """Let one process learn from the environments of all ranks."""
    with only_rank() as ranks:
        return whole_batch(ranks, KINDS[name], ENVS * world_size)


def part_of(results: Results, check: str, name: str) -> list[dict[str, Any]]:
    return [result[check][name] for result in results]


@KIND_NAMES
def test_the_gradient_is_that_of_one_process_on_the_joined_batch(
    results: Results, name: str
) -> None:
    """Traps 1, 5 and 6: policy, both values and predictor, with normalised advantages."""
    expected = joined(name, len(results))["gradients"]
    for rank in part_of(results, "whole batch", name):
        assert rank["gradients"].keys() == expected.keys()
        for parameter, gradient in rank["gradients"].items():
            scale = float(expected[parameter].abs().max())
            torch.testing.assert_close(
                gradient, expected[parameter], rtol=1e-4, atol=1e-5 * max(scale, 1e-2)
            )


@KIND_NAMES
def test_the_losses_average_to_those_of_the_joined_batch(results: Results, name: str) -> None:
    expected = joined(name, len(results))["losses"]
    ranks = part_of(results, "whole batch", name)
    averaged = [key for key in expected if key.startswith("losses/")]
    of_few_samples = {"losses/kl", "losses/greedy_drop"}
    of_all = {"losses/explained_variance", "losses/grad_norm", "intrinsic/max"}
    of_all = {key for key in expected if key in of_all or key.startswith("values/")}
    assert "values/return_std" in of_all
    for key in set(averaged) - of_all - of_few_samples:
        mean = torch.stack([rank["losses"][key] for rank in ranks]).mean()
        torch.testing.assert_close(mean, expected[key], rtol=1e-4, atol=1e-6)
    for rank in ranks:
        for key in of_all:
            torch.testing.assert_close(rank["losses"][key], expected[key], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["vectors", "frames", "running scaling"])
def test_the_statistics_of_two_rollouts_are_those_of_the_joined_data(
    results: Results, name: str
) -> None:
    """Trap 2: merged as counts, means and squares, each rank giving what is new."""
    expected = joined(name, len(results))["statistics"]
    ranks = [rank["statistics"] for rank in part_of(results, "whole batch", name)]
    count = "intrinsic.reward_filter.moments.count"
    assert expected[count].item() == 2 * T * ENVS * len(results)
    for statistics in ranks:
        assert statistics.keys() == expected.keys()
        for key in statistics.keys() - {LOCAL}:
            rtol = 1e-10 if "observation_moments" in key or "scaling" in key else 1e-4
            torch.testing.assert_close(statistics[key], expected[key], rtol=rtol, atol=1e-12)
    sums = torch.cat([statistics[LOCAL] for statistics in ranks])
    torch.testing.assert_close(sums, expected[LOCAL], rtol=1e-4, atol=1e-12)


@KIND_NAMES
def test_all_ranks_hold_the_same_bits_after_uneven_minibatches(results: Results, name: str) -> None:
    """Traps 1 and 10: 15 samples in 4 minibatches, masks of different sizes, three updates."""
    first, *others = part_of(results, "uneven", name)
    for other in others:
        assert_all_equal(first, other)
    start = make_learner(KINDS[name], ENVS).policy.state_dict()
    trained = [key for key in start if not key.startswith("scaling.")]
    assert [k for k in trained if torch.equal(start[k], first[f"policy.{k}"])] == []
    scaling_moved = any(
        not torch.equal(start[k], first[f"policy.{k}"]) for k in start.keys() - trained
    )
    assert scaling_moved == KINDS[name].running


def test_a_predictor_with_a_mask_on_each_rank_learns_as_from_the_joined_mask(
    results: Results,
) -> None:
    """Trap 7: divided by the count that all ranks kept, however many each one did."""
    world_size = len(results)
    kept = [kept_samples(rank) for rank in range(world_size)]
    assert len({len(samples) for samples in kept}) > 1
    script = draw_script(Kind().rollout_shape(T, ENVS * world_size), 0)
    next_frames = torch.cat(
        [
            script.columns(slice(rank * ENVS, (rank + 1) * ENVS)).next_frames.flatten(0, 1)[samples]
            for rank, samples in enumerate(kept)
        ]
    )
    learner = make_learner(Kind(), ENVS)
    assert learner.intrinsic is not None
    with only_rank() as ranks:
        rnd_of(learner).observe(experience_of(script.next_frames.flatten(0, 1)), ranks)
    samples = torch.arange(len(next_frames))
    targets = rnd_of(learner).targets(next_frames.__getitem__, samples)
    batch = (next_frames, targets, torch.tensor(float(len(samples))))
    rnd_of(learner).losses(batch)["predictor"].backward()
    expected = gradients_of(learner.intrinsic)
    for result in results:
        for name, gradient in expected.items():
            torch.testing.assert_close(
                result["masked"][f"intrinsic.{name}"], gradient, rtol=1e-4, atol=1e-5
            )


def kept_samples(rank: int) -> Tensor:
    """Return what a rank kept for its predictor."""
    plan = drawn_again(rank)
    return plan.samples[plan.kept]


def drawn_again(rank: int) -> MinibatchPlan:
    """Draw a rank's plan again: it depends on the rank's stream alone."""
    with only_rank() as ranks:
        (plan,) = draw_minibatches(
            torch.zeros(T * ENVS),
            epochs=1,
            num_minibatches=1,
            predictor_share=0.3,
            generator=torch.Generator().manual_seed(10 + rank),
            ranks=ranks,
        )
    return plan


def test_a_head_that_sees_a_part_of_each_ranks_samples_learns_as_from_the_joined_part(
    results: Results,
) -> None:
    """Its statistics are those of the part that all ranks together chose."""
    kind = PART_OF_A_BATCH
    script = draw_script(kind.rollout_shape(T, ENVS * len(results)), 0)
    parts = []
    for rank in range(len(results)):
        rollout = RolloutBuffer(kind.rollout_shape(T, ENVS), torch.device("cpu"))
        mine = script.columns(slice(rank * ENVS, (rank + 1) * ENVS))
        rollout.start(mine.first)
        mine.fill(rollout)
        chosen = drawn_again(rank).samples[: round(kind.share * T * ENVS)]
        parts.append((rollout.observations(chosen), rollout.next_observations(chosen)))
    learner = make_learner(kind, ENVS)
    learner.tie()
    assert learner.representation is not None
    views = ViewPair(*(torch.cat(view) for view in zip(*parts, strict=True)))
    (learner.representation.coef * learner.representation(views)).backward()
    expected = gradients_of(learner.representation.head)
    assert expected
    for result in results:
        for name, gradient in expected.items():
            found = result["part for the head"][f"representation.head.{name}"]
            torch.testing.assert_close(found, gradient, rtol=1e-4, atol=1e-5)


def test_a_gradient_spoilt_on_one_rank_stops_all_of_them_together(results: Results) -> None:
    for result in results:
        message, unchanged = result["poisoned"]
        assert message.startswith("the gradient is not finite")
        assert unchanged


def test_ranks_that_were_built_apart_start_from_the_first_ones_weights(results: Results) -> None:
    """Cleanrl 476: also where nothing was seeded."""
    first, *others = (result["weights apart"] for result in results)
    for other in others:
        assert_all_equal(first, other)


def test_the_moments_and_counts_of_a_plan_are_those_of_all_ranks(results: Results) -> None:
    """Traps 6 and 7: normalising by a rank's own moments would depend on the split."""
    ranks = [result["plans"] for result in results]
    unequal = False
    for parts in zip(*(rank["plans"] for rank in ranks), strict=True):
        chosen = torch.cat(
            [
                rank["advantages"].double()[part["samples"]]
                for rank, part in zip(ranks, parts, strict=True)
            ]
        )
        kept = [len(part["kept"]) for part in parts]
        unequal |= len(set(kept)) > 1
        for part in parts:
            assert part["kept_total"].item() == pytest.approx(sum(kept) / len(ranks))
            assert part["advantage_mean"].item() == pytest.approx(chosen.mean().item(), rel=1e-5)
            expected = chosen.std(correction=0).item()
            assert part["advantage_std"].item() == pytest.approx(expected, rel=1e-5)
    assert unequal


def test_each_rank_has_an_order_of_its_own(results: Results) -> None:
    """Trap 8."""
    orders = [
        torch.cat([plan["samples"] for plan in result["plans"]["plans"]]).tolist()
        for result in results
    ]
    assert len({tuple(order) for order in orders}) == len(results)
