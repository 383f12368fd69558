"""SND's bonus, its pairs and both of its losses against the formulas; SND and DRND in two ranks."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from agents.intrinsic.base import Batch, Experience, IntrinsicReward
from agents.intrinsic.drnd import DistributionalNetworkDistillation
from agents.intrinsic.snd import PairBatch, SelfSupervisedDistillation
from agents.intrinsic.whitening import CHUNK_SIZE
from agents.minibatches import MinibatchPlan
from agents.ranks import Ranks
from agents.rollout import RolloutBuffer
from tests.agents.intrinsic.test_drnd import (
    KINDS,
    N,
    T,
    changed,
    drnd_of,
    encoder_of,
    generator_of,
    inputs_of,
    plan_of,
    played,
    state_of,
    whitened,
)
from tests.agents.small import FRAME, VECTOR, Kind, drawn_from, gradients_of
from tests.ranks import run_in_ranks

KEPT = ((0, 3, 4, 7, 9), (2, 6))  # positions that train the predictor, by rank
NUM_KEPT = 7


def snd_of(
    shape: tuple[int, ...], shift: int = 0, noise: float = 0.0, seed: int = 0
) -> SelfSupervisedDistillation:
    with drawn_from(seed):
        return SelfSupervisedDistillation(
            encoder_of(shape), encoder_of(shape), shape, N, 0.9, shift=shift, noise=noise
        )


def scaled(inputs: Tensor, seen: Tensor) -> Tensor:
    """Pixels over 255; vectors whitened by the statistics of `seen`."""
    return inputs / 255.0 if inputs.dtype == torch.uint8 else whitened(inputs, seen)


def all_of(experience: Experience) -> MinibatchPlan:
    samples = experience.samples
    return plan_of(list(range(len(samples))), samples)


def pairs_of(bonus: SelfSupervisedDistillation, experience: Experience) -> PairBatch:
    """What followed all samples of a rollout in order, and what they started from."""
    batch = bonus.sampler(experience, generator_of(0))(all_of(experience))
    assert isinstance(batch, PairBatch)
    return batch


def slow_vicreg(first: np.ndarray, second: np.ndarray) -> float:
    """The paper's three terms with the weights 1, 1 and 1 / 25."""
    features = first.shape[1]
    total = float(((first - second) ** 2).mean())
    for view in (first, second):
        covariance = np.cov(view, rowvar=False)
        for i in range(features):
            total += max(0.0, 1.0 - np.sqrt(covariance[i, i] + 1e-4)) / features
            for j in range(features):
                total += covariance[i, j] ** 2 / features / 25.0 if j != i else 0.0
    return total


@KINDS
def test_the_bonus_is_the_mean_squared_error_under_the_statistics_so_far(
    ranks: Ranks, shape: tuple[int, ...]
) -> None:
    snd, old, new = snd_of(shape), played(shape, 1), played(shape, 2)
    seen = inputs_of(old)
    snd.observe(old, ranks)
    for _ in range(2):
        before = state_of(snd)
        bonuses = snd.raw_bonuses(new)
        assert bonuses.shape == (T, N)
        assert changed(snd, before) == set()
        inputs = scaled(inputs_of(new), seen)
        with torch.no_grad():
            errors = (snd.predictor(inputs) - snd.target(inputs)).square().mean(dim=1)
        torch.testing.assert_close(bonuses.flatten(), errors, rtol=1e-3, atol=1e-5)
        snd.observe(new, ranks)
        seen = torch.cat([inputs_of(old), inputs_of(new)])


def test_vectors_are_whitened_and_frames_are_not(ranks: Ranks) -> None:
    for shape, statistics in ((VECTOR, {"observation_moments"}), (FRAME, set())):
        snd = snd_of(shape)
        before = state_of(snd)
        snd.observe(played(shape), ranks)
        assert changed(snd, before) == statistics
        assert ("observation/mean" in snd.metrics()) == bool(statistics)
        assert "intrinsic/normalizer" in snd.metrics()


def test_a_rollout_of_several_chunks_is_treated_as_one() -> None:
    snd, experience = snd_of(VECTOR), played(VECTOR, steps=CHUNK_SIZE // 2)
    inputs = inputs_of(experience).clamp(-5, 5)
    with torch.no_grad():
        errors = (snd.predictor(inputs) - snd.target(inputs)).square().mean(dim=1)
    torch.testing.assert_close(snd.raw_bonuses(experience).flatten(), errors)


@KINDS
def test_a_pair_is_of_two_consecutive_observations_of_one_episode(
    ranks: Ranks, shape: tuple[int, ...]
) -> None:
    snd, experience = snd_of(shape), played(shape)
    snd.observe(experience, ranks)
    rollout, followed = experience.rollout, inputs_of(experience)
    assert (rollout.terminated | rollout.truncated)[:-1].any()
    started = torch.cat(
        [
            rollout.observation(t, slice(n, n + 1))[:, -shape[0] :]
            for t in range(T)
            for n in range(N)
        ]
    )
    batch = pairs_of(snd, experience)
    torch.testing.assert_close(batch.inputs, scaled(followed, followed), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(batch.neighbours, scaled(started, followed), rtol=1e-4, atol=1e-5)


def test_a_minibatch_holds_what_the_plan_keeps() -> None:
    snd, experience = snd_of(VECTOR), played(VECTOR)
    every = pairs_of(snd, experience)
    samples, kept = torch.tensor([7, 2, 19, 4]), [0, 2, 3]
    batch = snd.sampler(experience, generator_of(0))(plan_of(kept, samples))
    assert torch.equal(batch[0], every.inputs[samples[kept]])
    assert torch.equal(batch[1], every.neighbours[samples[kept]])
    assert batch[2].item() == 3.0


def test_the_neighbour_is_shifted_from_the_given_stream_where_that_is_asked_for() -> None:
    plain, experience = snd_of(FRAME), played(FRAME)
    clean = pairs_of(plain, experience)
    batches = [pairs_of(snd_of(FRAME, shift=2), experience) for _ in range(2)]
    assert torch.equal(batches[0].neighbours, batches[1].neighbours)
    assert torch.equal(batches[0].inputs, clean.inputs)
    middle = (..., slice(4, -4), slice(4, -4))
    places = [
        clean.neighbours.roll((down, right), dims=(2, 3))[middle]
        for down in range(-2, 3)
        for right in range(-2, 3)
    ]
    moved = batches[0].neighbours[middle]
    same = torch.stack([(place == moved).flatten(1).all(dim=1) for place in places])
    assert same.any(dim=0).all()
    assert same.any(dim=1).sum() > 5


def test_the_neighbour_is_noisy_from_the_given_stream_where_that_is_asked_for() -> None:
    experience = played(VECTOR, steps=300)
    clean = pairs_of(snd_of(VECTOR), experience)
    one, other = (pairs_of(snd_of(VECTOR, noise=0.2), experience) for _ in range(2))
    assert torch.equal(one.neighbours, other.neighbours)
    assert torch.equal(one.inputs, clean.inputs)
    noise = one.neighbours - clean.neighbours
    assert noise.std().item() == pytest.approx(0.2, rel=0.1)
    assert noise.mean().item() == pytest.approx(0.0, abs=0.02)


@KINDS
def test_the_losses_are_those_of_the_formulas(ranks: Ranks, shape: tuple[int, ...]) -> None:
    snd, experience = snd_of(shape), played(shape)
    snd.observe(experience, ranks)
    batch = pairs_of(snd, experience)._replace(kept_total=torch.tensor(3.5))
    losses = snd.losses(batch)
    assert losses.keys() == {"predictor", "target"}
    with torch.no_grad():
        first, second = (snd.target(view).double().numpy() for view in batch[:2])
        predicted = snd.predictor(batch.inputs).double().numpy()
    errors = ((predicted - first) ** 2).mean(axis=1)
    assert losses["predictor"].item() == pytest.approx(errors.sum() / 3.5, rel=1e-4)
    assert losses["target"].item() == pytest.approx(slow_vicreg(first, second), rel=1e-4)


def test_each_loss_trains_its_own_network_alone() -> None:
    for name, other in (("predictor", "target"), ("target", "predictor")):
        snd, experience = snd_of(FRAME), played(FRAME)
        snd.losses(pairs_of(snd, experience))[name].backward()
        gradients = {key: p.grad for key, p in snd.named_parameters()}
        assert all(g is None for key, g in gradients.items() if key.startswith(other))
        own = [g for key, g in gradients.items() if key.startswith(name)]
        # A bias of the last layer changes no distance, deviation or covariance.
        assert all(g is not None and g.any() for g in (own if name == "predictor" else own[:-1]))


@KINDS
def test_an_empty_rollout_without_statistics_reaches_all_and_changes_nothing(
    shape: tuple[int, ...],
) -> None:
    snd = snd_of(shape, shift=0 if shape == VECTOR else 4, noise=0.0)
    rollout = RolloutBuffer(Kind(shape).rollout_shape(2, 1), torch.device("cpu"))
    before, global_state = state_of(snd), torch.get_rng_state()
    batch = pairs_of(snd, Experience(rollout, rollout.next_frames))
    sum(snd.losses(batch).values(), torch.zeros(())).backward()
    assert all(p.requires_grad for p in snd.parameters())
    assert all(p.grad is not None and p.grad.isfinite().all() for p in snd.parameters())
    assert changed(snd, before) == set()
    assert torch.equal(torch.get_rng_state(), global_state)


def test_the_bonus_falls_on_what_was_trained_on_and_the_target_moves_without_collapse(
    ranks: Ranks,
) -> None:
    snd, rollout = snd_of(VECTOR), played(VECTOR).rollout
    known, far = torch.rand(2, T * N, 3, generator=generator_of(0))
    unseen = 1.0 - 3.0 * far
    snd.observe(Experience(rollout, torch.cat([known, unseen])[::2].__getitem__), ranks)
    old, other = (Experience(rollout, inputs.__getitem__) for inputs in (known, unseen))
    untrained, before = snd.raw_bonuses(old).mean(), state_of(snd)
    optimizer = torch.optim.Adam(snd.parameters(), lr=1e-2)
    take = snd.sampler(old, generator_of(1))
    for _ in range(120):
        optimizer.zero_grad()
        sum(snd.losses(take(all_of(old))).values(), torch.zeros(())).backward()
        optimizer.step()
    assert changed(snd, before) == {"target", "predictor"}
    assert snd.raw_bonuses(old).mean() < 0.3 * untrained
    assert snd.raw_bonuses(old).mean() < 0.2 * snd.raw_bonuses(other).mean()
    with torch.no_grad():
        # Pairs of this script have nothing in common, which pulls all features together.
        assert snd.target(pairs_of(snd, old).inputs).std(dim=0).min() > 0.3


def test_a_state_that_is_saved_and_loaded_gives_the_same_bonus(ranks: Ranks) -> None:
    snd, other, experience = snd_of(VECTOR), snd_of(VECTOR, seed=9), played(VECTOR)
    snd.observe(experience, ranks)
    snd.scale(snd.raw_bonuses(experience), ranks)
    other.load_state_dict(snd.state_dict())
    other.restore_rank_state(snd.rank_state())
    assert changed(other, state_of(snd)) == set()
    assert torch.equal(other.raw_bonuses(experience), snd.raw_bonuses(experience))


def test_autocast_leaves_bonuses_and_losses_in_float32(ranks: Ranks) -> None:
    snd, experience = snd_of(VECTOR), played(VECTOR)
    snd.observe(experience, ranks)
    with torch.autocast("cpu", torch.bfloat16):
        bonuses, losses = snd.raw_bonuses(experience), snd.losses(pairs_of(snd, experience))
    assert {bonuses.dtype, *(loss.dtype for loss in losses.values())} == {torch.float32}
    torch.testing.assert_close(bonuses, snd.raw_bonuses(experience), rtol=0.1, atol=0.1)


def test_vectors_cannot_be_shifted() -> None:
    with pytest.raises(ValueError, match="no frames that could be shifted"):
        snd_of(VECTOR, shift=4)


class Replica(nn.Module):
    """What the learner does with a bonus, alone."""

    def __init__(self, bonus: IntrinsicReward) -> None:
        super().__init__()
        self.bonus = bonus

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        return self.bonus.losses(batch)


class Case(NamedTuple):
    """A bonus and what it looks at."""

    bonus: DistributionalNetworkDistillation | SelfSupervisedDistillation
    shape: tuple[int, ...]


class Outcome(NamedTuple):
    """What a rank trained on, its losses, and the averaged gradients."""

    batch: Batch
    losses: dict[str, Tensor]
    gradients: dict[str, Tensor]


def cases() -> dict[str, Case]:
    return {
        "DRND": Case(drnd_of(VECTOR), VECTOR),
        "SND of vectors": Case(snd_of(VECTOR, noise=0.1), VECTOR),
        "SND of frames": Case(snd_of(FRAME, shift=3), FRAME),
    }


def trained(module: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """Run a backward pass; return the losses."""
    losses: dict[str, Tensor] = module(batch)
    torch.stack(list(losses.values())).sum().backward()
    return {name: loss.detach() for name, loss in losses.items()}


def outcome_of(case: Case, ranks: Ranks) -> Outcome:
    """Observe this rank's half of the environments; train on what its plan keeps of them."""
    experience = played(case.shape, envs=slice(2 * ranks.rank, 2 * ranks.rank + 2))
    case.bonus.observe(experience, ranks)
    plan = replace(
        plan_of(list(KEPT[ranks.rank]), experience.samples),
        kept_total=torch.tensor(NUM_KEPT / ranks.world_size),
    )
    batch = case.bonus.sampler(experience, generator_of(ranks.rank))(plan)
    replica = DistributedDataParallel(Replica(case.bonus), broadcast_buffers=False)
    for _ in range(2):  # the second pass is refused where a parameter took no part in the first
        replica.zero_grad()
        losses = trained(replica, batch)
    return Outcome(batch, losses, gradients_of(case.bonus))


def outcomes_of_all(ranks: Ranks) -> dict[str, Outcome]:
    return {name: outcome_of(case, ranks) for name, case in cases().items()}


def test_two_ranks_equal_one_process_on_the_joined_batch(ranks: Ranks, tmp_path: Path) -> None:
    """In value and gradient, though they keep different numbers of samples."""
    outcomes = run_in_ranks(outcomes_of_all, 2, tmp_path)
    for name, (bonus, shape) in cases().items():
        parts = [outcome[name] for outcome in outcomes]
        bonus.observe(played(shape), ranks)
        first, second = (torch.cat([part.batch[field] for part in parts]) for field in (0, 1))
        losses = trained(Replica(bonus), (first, second, torch.tensor(float(NUM_KEPT))))
        if "target" in losses:
            assert torch.equal(parts[0].losses["target"], parts[1].losses["target"])
        mean = {key: (parts[0].losses[key] + parts[1].losses[key]) / 2 for key in losses}
        torch.testing.assert_close(mean, losses)
        for part in parts:
            torch.testing.assert_close(part.gradients, gradients_of(bonus), rtol=1e-4, atol=1e-5)
