"""DRND's bonus, its drawn targets and its whitening against the formulas; ranks: test_snd.py."""

import numpy as np
import pytest
import torch
from torch import Tensor

from agents.intrinsic.base import Experience, IntrinsicReward
from agents.intrinsic.drnd import DistributionalNetworkDistillation
from agents.intrinsic.rnd import PredictorBatch
from agents.intrinsic.whitening import CHUNK_SIZE
from agents.minibatches import MinibatchPlan
from agents.networks.rnd import FrameEncoder, VectorEncoder
from agents.ranks import Ranks
from agents.rollout import RolloutBuffer
from tests.agents.scripts import draw_script
from tests.agents.small import FRAME, VECTOR, Kind, drawn_from, filled, gradients_of

KINDS = pytest.mark.parametrize("shape", [VECTOR, FRAME])
T, N, NUM_TARGETS, ALPHA = 5, 4, 3, 0.9


def encoder_of(shape: tuple[int, ...], features: int = 6) -> torch.nn.Module:
    """A network of inputs of `shape`, from the global generator."""
    if shape == VECTOR:
        return VectorEncoder(3, (16,), features, 0.2)
    return FrameEncoder(
        36, 36, conv_channels=(2, 3, 4), feature_size=features, extra_hidden=(), leaky_slope=0.2
    )


def drnd_of(
    shape: tuple[int, ...], num_targets: int = NUM_TARGETS
) -> DistributionalNetworkDistillation:
    with drawn_from(0):
        targets = [encoder_of(shape) for _ in range(num_targets)]
        return DistributionalNetworkDistillation(targets, encoder_of(shape), shape, N, 0.9, ALPHA)


def played(
    shape: tuple[int, ...], seed: int = 0, steps: int = T, envs: slice = slice(0, N)
) -> Experience:
    """A rollout of what a script tells of the environments `envs`."""
    kind = Kind(shape)
    script = draw_script(kind.rollout_shape(steps, N), seed).columns(envs)
    rollout = filled(script, kind.rollout_shape(steps, envs.stop - envs.start))
    return Experience(rollout, rollout.next_frames)


def plan_of(kept: list[int], samples: Tensor) -> MinibatchPlan:
    """A minibatch of `samples` that keeps the positions `kept`, on the only rank."""
    zero = torch.zeros(())
    return MinibatchPlan(samples, torch.tensor(kept), torch.tensor(float(len(kept))), zero, zero)


def generator_of(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def inputs_of(experience: Experience) -> Tensor:
    return experience.next_inputs(experience.samples)


def whitened(inputs: Tensor, seen: Tensor) -> Tensor:
    """clip((x - mean) / std, -5, 5) by the statistics of `seen`, in double precision."""
    data = seen.double().numpy()
    scaled = (inputs.double().numpy() - data.mean(axis=0)) / np.sqrt(data.var(axis=0) + 1e-8)
    return torch.from_numpy(np.clip(scaled, -5, 5)).float()


@torch.no_grad()
def slow_bonuses(drnd: DistributionalNetworkDistillation, scaled: Tensor) -> Tensor:
    """The formulas with both moments as the text writes them, in numpy and double precision."""
    targets = np.stack([target(scaled).double().numpy() for target in drnd.targets])
    predicted = drnd.predictor(scaled).double().numpy()
    mean, second_moment = targets.mean(axis=0), (targets**2).mean(axis=0)
    ratio = np.abs(predicted**2 - mean**2) / (second_moment - mean**2)
    first = ((predicted - mean) ** 2).sum(axis=1)
    second = np.sqrt(np.clip(ratio, 1e-3, 1.0)).mean(axis=1)
    return torch.from_numpy(ALPHA * first + (1 - ALPHA) * second).float()


def state_of(bonus: IntrinsicReward) -> dict[str, Tensor]:
    """Copies of all that a checkpoint holds of a bonus."""
    state = bonus.state_dict() | bonus.rank_state()
    return {name: value.clone() for name, value in state.items()}


def changed(bonus: IntrinsicReward, before: dict[str, Tensor]) -> set[str]:
    """The networks and statistics, by their first names, that are not as they were."""
    after = state_of(bonus)
    return {name.split(".")[0] for name in before if not torch.equal(after[name], before[name])}


@KINDS
def test_the_bonus_is_that_of_the_formulas_under_the_statistics_so_far(
    ranks: Ranks, shape: tuple[int, ...]
) -> None:
    drnd, old, new = drnd_of(shape), played(shape, 1), played(shape, 2)
    drnd.observe(old, ranks)
    before = state_of(drnd)
    bonuses = drnd.raw_bonuses(new)
    assert changed(drnd, before) == set()
    expected = slow_bonuses(drnd, whitened(inputs_of(new), inputs_of(old)))
    torch.testing.assert_close(bonuses.flatten(), expected, rtol=1e-3, atol=1e-4)
    drnd.observe(new, ranks)
    both = torch.cat([inputs_of(old), inputs_of(new)])
    expected = slow_bonuses(drnd, whitened(inputs_of(new), both))
    torch.testing.assert_close(drnd.raw_bonuses(new).flatten(), expected, rtol=1e-3, atol=1e-4)
    assert not torch.allclose(bonuses, drnd.raw_bonuses(new))


@KINDS
def test_every_sample_keeps_the_features_of_one_target_under_the_new_statistics(
    ranks: Ranks, shape: tuple[int, ...]
) -> None:
    drnd, experience = drnd_of(shape), played(shape)
    drnd.observe(experience, ranks)
    samples = experience.samples
    drawn = drnd.drawn_features(experience.next_inputs, samples, generator_of(0))
    scaled = whitened(inputs_of(experience), inputs_of(experience))
    with torch.no_grad():
        features = torch.stack([target(scaled) for target in drnd.targets])
    matches = (features - drawn).abs().amax(dim=2) < 1e-3
    assert (matches.sum(dim=0) == 1).all()
    assert matches.any(dim=1).all()
    again = drnd.drawn_features(experience.next_inputs, samples, generator_of(0))
    assert torch.equal(drawn, again)
    other = drnd.drawn_features(experience.next_inputs, samples, generator_of(1))
    assert not torch.equal(drawn, other)


def test_targets_are_drawn_equally_often() -> None:
    drnd = drnd_of(VECTOR)
    samples, point = torch.arange(3000), torch.ones(3000, *VECTOR)
    drawn = drnd.drawn_features(point.__getitem__, samples, generator_of(0))
    shares = [
        (drawn - target(point[:1])).abs().amax(dim=1).lt(1e-5).float().mean().item()
        for target in drnd.targets
    ]
    assert shares == pytest.approx([1 / NUM_TARGETS] * NUM_TARGETS, abs=0.05)


def test_a_rollout_of_several_chunks_is_treated_as_one(ranks: Ranks) -> None:
    drnd, experience = drnd_of(VECTOR), played(VECTOR, steps=CHUNK_SIZE // 2)
    drnd.observe(experience, ranks)
    scaled = drnd.observation_moments(inputs_of(experience))
    torch.testing.assert_close(
        drnd.raw_bonuses(experience).flatten(), slow_bonuses(drnd, scaled), rtol=1e-3, atol=1e-4
    )


def test_a_minibatch_holds_the_inputs_and_drawn_features_of_what_it_keeps(ranks: Ranks) -> None:
    drnd, experience = drnd_of(VECTOR), played(VECTOR)
    drnd.observe(experience, ranks)
    drawn = drnd.drawn_features(experience.next_inputs, experience.samples, generator_of(3))
    take = drnd.sampler(experience, generator_of(3))
    samples = torch.tensor([7, 2, 19, 4])
    for kept in ([0, 2], [1, 2, 3]):
        batch = take(plan_of(kept, samples))
        assert isinstance(batch, PredictorBatch)
        assert torch.equal(batch.inputs, inputs_of(experience)[samples[kept]])
        assert torch.equal(batch.targets, drawn[samples[kept]])
    with torch.no_grad():
        predicted = drnd.predictor(drnd.observation_moments(batch[0]))
    errors = (predicted - batch[1]).square().mean(dim=1)
    loss = drnd.losses((*batch[:2], torch.tensor(3.5)))
    torch.testing.assert_close(loss["predictor"].detach(), errors.sum() / 3.5)


def test_the_loss_trains_the_whole_predictor_and_no_target() -> None:
    drnd, experience = drnd_of(FRAME), played(FRAME)
    batch = drnd.sampler(experience, generator_of(0))(plan_of([0, 1], experience.samples[:8]))
    assert not any(part.requires_grad for part in batch)
    sum(drnd.losses(batch).values(), torch.zeros(())).backward()
    gradients = gradients_of(drnd)
    assert all(name.startswith("predictor.") for name in gradients)
    assert [name for name, gradient in gradients.items() if not gradient.any()] == []
    assert all(p.grad is None for p in drnd.targets.parameters())


@KINDS
def test_an_empty_rollout_without_statistics_trains_all_and_changes_nothing(
    shape: tuple[int, ...],
) -> None:
    """What the agent does before its first update, with ten targets and two samples."""
    drnd = drnd_of(shape, num_targets=10)
    rollout = RolloutBuffer(Kind(shape).rollout_shape(2, 1), torch.device("cpu"))
    before = state_of(drnd)
    global_state = torch.get_rng_state()
    take = drnd.sampler(Experience(rollout, rollout.next_frames), generator_of(0))
    sum(drnd.losses(take(plan_of([0, 1], torch.arange(2)))).values(), torch.zeros(())).backward()
    gradients = [p.grad for p in drnd.parameters() if p.requires_grad]
    assert all(g is not None and g.isfinite().all() for g in gradients)
    assert torch.equal(torch.get_rng_state(), global_state)
    assert changed(drnd, before) == set()


def test_the_bonus_falls_on_what_was_trained_on_and_stays_higher_elsewhere(ranks: Ranks) -> None:
    drnd = drnd_of(VECTOR)
    corner = torch.rand(2, T * N, 3, generator=generator_of(0))
    known, unseen = corner[0], 1.0 - 3.0 * corner[1]
    rollout = played(VECTOR).rollout
    drnd.observe(Experience(rollout, torch.cat([known, unseen])[::2].__getitem__), ranks)
    old, other = (Experience(rollout, inputs.__getitem__) for inputs in (known, unseen))
    untrained = drnd.raw_bonuses(old).mean(), drnd.raw_bonuses(other).mean()
    optimizer = torch.optim.Adam(drnd.predictor.parameters(), lr=3e-3)
    before = state_of(drnd)
    generator = generator_of(1)
    for _ in range(60):
        take = drnd.sampler(old, generator)
        optimizer.zero_grad()
        drnd.losses(take(plan_of(list(range(T * N)), old.samples)))["predictor"].backward()
        optimizer.step()
    assert drnd.raw_bonuses(old).mean() < 0.2 * untrained[0]
    assert drnd.raw_bonuses(old).mean() < 0.2 * drnd.raw_bonuses(other).mean()
    assert changed(drnd, before) == {"predictor"}


def test_a_state_that_is_saved_and_loaded_gives_the_same_bonus(ranks: Ranks) -> None:
    drnd, experience = drnd_of(VECTOR), played(VECTOR)
    drnd.observe(experience, ranks)
    drnd.scale(drnd.raw_bonuses(experience), ranks)
    with drawn_from(9):
        targets = [encoder_of(VECTOR) for _ in range(NUM_TARGETS)]
        other = DistributionalNetworkDistillation(targets, encoder_of(VECTOR), VECTOR, N, 0.9)
    other.load_state_dict(drnd.state_dict())
    other.restore_rank_state(drnd.rank_state())
    assert torch.equal(other.raw_bonuses(experience), drnd.raw_bonuses(experience))
    assert other.metrics().keys() == drnd.metrics().keys()
    assert all(torch.equal(value, other.metrics()[name]) for name, value in drnd.metrics().items())
    assert torch.equal(other.rank_state()["filter_sums"], drnd.rank_state()["filter_sums"])


def test_autocast_leaves_bonuses_features_and_losses_in_float32(ranks: Ranks) -> None:
    drnd, experience = drnd_of(VECTOR), played(VECTOR)
    drnd.observe(experience, ranks)
    with torch.autocast("cpu", torch.bfloat16):
        bonuses = drnd.raw_bonuses(experience)
        batch = drnd.sampler(experience, generator_of(0))(plan_of([0, 1], experience.samples))
        loss = drnd.losses(batch)["predictor"]
    assert {bonuses.dtype, batch[1].dtype, loss.dtype} == {torch.float32}
    torch.testing.assert_close(bonuses, drnd.raw_bonuses(experience), rtol=0.1, atol=0.1)


def test_one_target_is_refused() -> None:
    with pytest.raises(ValueError, match="two targets or more, not 1"):
        drnd_of(VECTOR, num_targets=1)
