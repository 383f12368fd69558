"""The bonus, its whitening and the predictor's loss against the paper's formulas in numpy."""

import numpy as np
import pytest
import torch
from torch import Tensor

from agents.intrinsic.base import Inputs
from agents.intrinsic.rnd import RandomNetworkDistillation
from agents.intrinsic.whitening import CHUNK_SIZE
from agents.ranks import Ranks
from tests.agents.small import (
    FRAME,
    VECTOR,
    Kind,
    drawn_from,
    experience_of,
    gradients_of,
    make_rnd,
)

KINDS = pytest.mark.parametrize("shape", [VECTOR, FRAME])


def rnd_of(shape: tuple[int, ...]) -> RandomNetworkDistillation:
    with drawn_from(0):
        return make_rnd(Kind(shape), num_envs=4)


def some_frames(shape: tuple[int, ...], count: int = 40, seed: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    if shape == FRAME:
        return torch.randint(0, 256, (count, *shape), generator=generator, dtype=torch.uint8)
    return torch.randn(count, *shape, generator=generator) * 4 + 3


def source(frames: Tensor) -> Inputs:
    return lambda samples: frames[samples]


def whitened(frames: Tensor, seen: Tensor) -> Tensor:
    """clip((x - mean) / std, -5, 5) by the statistics of `seen`, in double precision."""
    data = seen.double().numpy()
    scaled = (frames.double().numpy() - data.mean(axis=0)) / np.sqrt(data.var(axis=0) + 1e-8)
    return torch.from_numpy(np.clip(scaled, -5, 5)).float()


@KINDS
def test_the_observation_statistics_are_those_of_every_frame_seen_once(
    ranks: Ranks, shape: tuple[int, ...]
) -> None:
    """Traps 2 and 4: nothing but what was seen, each rollout's new frames added once."""
    rnd = rnd_of(shape)
    rollouts = [some_frames(shape, 40, seed) for seed in range(3)]
    for frames in rollouts:
        rnd.observe(experience_of(frames), ranks)
    seen = torch.cat(rollouts).double()
    moments = rnd.observation_moments.moments
    assert moments.count.item() == 120
    torch.testing.assert_close(moments.mean, seen.mean(dim=0), rtol=1e-10, atol=0)
    torch.testing.assert_close(moments.m2 / 120, seen.var(dim=0, correction=0), rtol=1e-10, atol=0)


@KINDS
def test_the_input_is_whitened_and_clipped_at_five(ranks: Ranks, shape: tuple[int, ...]) -> None:
    rnd, seen = rnd_of(shape), some_frames(shape)
    rnd.observe(experience_of(seen), ranks)
    frames = torch.cat([some_frames(shape, 10, 2), 100 * torch.ones(1, *shape, dtype=seen.dtype)])
    if shape == VECTOR:
        assert whitened(frames, seen).max() == 5
    found = rnd.observation_moments(frames)
    torch.testing.assert_close(found, whitened(frames, seen), rtol=1e-4, atol=1e-5)


@KINDS
def test_the_bonus_is_the_mean_squared_error_under_the_present_statistics(
    ranks: Ranks, shape: tuple[int, ...]
) -> None:
    rnd, seen, frames = rnd_of(shape), some_frames(shape), some_frames(shape, 10, 2)
    rnd.observe(experience_of(seen), ranks)
    samples = torch.tensor([7, 0, 7, 3])
    inputs = whitened(frames, seen)[samples]
    with torch.no_grad():
        errors = (rnd.predictor(inputs) - rnd.target(inputs)).numpy() ** 2
    bonuses = rnd.errors(source(frames), samples)
    np.testing.assert_allclose(bonuses.numpy(), errors.mean(axis=1), rtol=1e-3)
    assert bonuses.min() > 0


def test_a_rollout_of_several_chunks_is_treated_as_one(ranks: Ranks) -> None:
    rnd = rnd_of(VECTOR)
    frames = some_frames(VECTOR, 2 * CHUNK_SIZE + 77)
    samples = torch.randperm(len(frames), generator=torch.Generator().manual_seed(0))
    rnd.observe(experience_of(frames), ranks)
    assert rnd.observation_moments.moments.count.item() == len(frames)
    torch.testing.assert_close(rnd.observation_moments.moments.mean, frames.double().mean(dim=0))
    inputs = rnd.observation_moments(frames[samples])
    with torch.no_grad():
        features = rnd.target(inputs)
        errors = (rnd.predictor(inputs) - features).square().mean(dim=1)
    torch.testing.assert_close(rnd.targets(source(frames), samples), features)
    torch.testing.assert_close(rnd.errors(source(frames), samples), errors)


def test_looking_at_bonuses_and_targets_learns_nothing(ranks: Ranks) -> None:
    rnd, frames = rnd_of(VECTOR), some_frames(VECTOR)
    rnd.observe(experience_of(frames), ranks)
    before = {name: value.clone() for name, value in rnd.state_dict().items()}
    rnd.errors(source(frames), torch.arange(40))
    rnd.targets(source(frames), torch.arange(40))
    for name, value in rnd.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_the_loss_is_the_sum_of_errors_over_the_given_count() -> None:
    """Trap 7: the divisor is given, it is not the number of rows of this rank."""
    rnd, frames = rnd_of(VECTOR), some_frames(VECTOR, 5)
    samples = torch.arange(5)
    targets = rnd.targets(source(frames), samples)
    loss = rnd.losses((frames, targets, torch.tensor(3.5)))["predictor"]
    torch.testing.assert_close(loss, rnd.errors(source(frames), samples).sum() / 3.5)


def test_the_loss_trains_the_whole_predictor_and_never_the_target() -> None:
    rnd, frames = rnd_of(FRAME), some_frames(FRAME, 5)
    targets = rnd.targets(source(frames), torch.arange(5))
    assert not targets.requires_grad
    rnd.losses((frames, targets, torch.tensor(5.0)))["predictor"].backward()
    gradients = gradients_of(rnd)
    assert all(name.startswith("predictor.") for name in gradients)
    assert [name for name, gradient in gradients.items() if not gradient.any()] == []
    assert all(p.grad is None and not p.requires_grad for p in rnd.target.parameters())


def test_target_and_predictor_start_apart() -> None:
    rnd = rnd_of(VECTOR)
    pairs = zip(rnd.target.parameters(), rnd.predictor.parameters(), strict=True)
    assert any(not torch.equal(one, other) for one, other in pairs)
