"""BYOL-Explore on rollouts known beforehand, against loops over times and horizons."""

import itertools
import statistics
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from agents.intrinsic.base import Experience
from agents.intrinsic.byol_explore import CHUNK_SIZE, BYOLExplore, _encoded
from agents.intrinsic.segments import SegmentBatch
from agents.minibatches import MinibatchPlan
from agents.networks.backbones import FrameBackbone, VectorBackbone
from agents.networks.world_model import WorldModel
from agents.ranks import Ranks
from agents.rollout import RolloutBuffer, RolloutShape
from tests.agents.scripts import Script, draw_script
from tests.ranks import run_in_ranks

T, N, A, D, K = 7, 3, 3, 6, 3
VECTOR, FRAME = (3,), (1, 36, 36)
Pairs = dict[tuple[int, int, int], float]  # the error of the prediction at t for horizon k in n


def shape_of(
    observation_shape: tuple[int, ...] = VECTOR, *, discrete: bool = True, num_envs: int = N
) -> RolloutShape:
    frames = len(observation_shape) == 3
    return RolloutShape(
        T,
        num_envs,
        stack_size=2 if frames else 1,
        observation_shape=observation_shape,
        observation_dtype=torch.uint8 if frames else torch.float32,
        action_shape=() if discrete else (A,),
    )


def bonus_for(shape: RolloutShape, longest_segment: int = 3) -> BYOLExplore:
    """Build it alike every time; the slow encoder is another network than the encoder."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        bonus = BYOLExplore(
            world_model_for(shape),
            horizon=K,
            num_envs=shape.num_envs,
            gamma=0.9,
            longest_segment=longest_segment,
        )
        bonus.slow_encoder.update(world_model_for(shape).encoder, 0.0)
    return bonus


def world_model_for(shape: RolloutShape) -> WorldModel:
    encoder: nn.Module
    if len(shape.observation_shape) == 3:
        channels, height, width = shape.observation_shape
        encoder = FrameBackbone(
            channels,
            height,
            width,
            conv_channels=(3, 4, 5),
            third_kernel=3,
            hidden_size=9,
            feature_size=D,
        )
    else:
        encoder = VectorBackbone(shape.observation_shape[0], (8, D))
    discrete = not shape.action_shape
    return WorldModel(encoder, D, num_actions=A, discrete=discrete, belief_size=5, hidden_size=8)


def lived(script: Script, shape: RolloutShape) -> Experience:
    """What a first rollout of `script` is to a bonus."""
    rollout = RolloutBuffer(shape, torch.device("cpu"))
    rollout.start(script.first)
    script.fill(rollout)
    return Experience(rollout, rollout.next_frames)


def part(script: Script, start: int, stop: int) -> Script:
    """Return the steps [start, stop) of a longer script."""
    first = script.first if start == 0 else script.observations[start - 1]
    names = [name for name in vars(script) if name != "first"]
    return replace(script, first=first, **{n: getattr(script, n)[start:stop] for n in names})


def plan_of(num_samples: int) -> MinibatchPlan:
    samples, one = torch.arange(num_samples), torch.ones(())
    return MinibatchPlan(samples, samples, num_samples * one, 0 * one, one)


def batch_of(
    bonus: BYOLExplore, experience: Experience, num_samples: int, seed: int = 0
) -> SegmentBatch:
    batch = bonus.sampler(experience, torch.Generator().manual_seed(seed))(plan_of(num_samples))
    return SegmentBatch(*batch)


@torch.no_grad()
def slow_errors(bonus: BYOLExplore, script: Script) -> tuple[Pairs, Tensor]:
    """The paper's equations, one sequence, one time, one horizon after the other.

    Returns:
        the errors, and the belief [N, M] after the last step's observation.
    """
    model, slow = bonus.world_model, bonus.slow_encoder
    actions = model.embed_actions(script.actions)
    zero_belief, zero_action = torch.zeros(1, model.belief_size), torch.zeros(1, A)
    errors, last = {}, []
    for n in range(script.rewards.shape[1]):
        belief, action = zero_belief, zero_action
        for t in range(len(script.rewards)):
            if t > 0 and script.ended[t - 1, n]:
                belief, action = zero_belief, zero_action
            observation = script.first[n] if t == 0 else script.observations[t - 1, n]
            features = model.encoder(observation.unsqueeze(0))
            belief = model.closed_loop(torch.cat([features, action], dim=1), belief)
            action, state = actions[t, n].unsqueeze(0), belief
            for k in range(1, K + 1):
                step = t + k - 1
                if step == len(script.rewards):
                    break
                state = model.open_loop(actions[step, n].unsqueeze(0), state)
                predicted, target = (
                    model.predictor(state)[0],
                    slow(script.next_frames[step, n][None])[0],
                )
                difference = predicted / predicted.norm() - target / target.norm()
                errors[t, k, n] = difference.square().sum().item()
                if script.ended[step, n]:
                    break
        last.append(belief[0])
    return errors, torch.stack(last)


def slow_bonuses(errors: Pairs, steps: int = T) -> Tensor:
    """K times the mean of the errors of all predictions of each step."""
    bonuses = torch.zeros(steps, N)
    for s, n in itertools.product(range(steps), range(N)):
        own = [error for (t, k, m), error in errors.items() if (t + k - 1, m) == (s, n)]
        bonuses[s, n] = K * statistics.fmean(own)
    return bonuses


KINDS = pytest.mark.parametrize(
    "shape",
    [shape_of(), shape_of(discrete=False), shape_of(FRAME)],
    ids=["vectors", "continuous actions", "frames"],
)


@KINDS
def test_the_bonus_is_the_papers_sum_of_errors_wherever_an_episode_ends(
    shape: RolloutShape,
) -> None:
    bonus, script = bonus_for(shape), draw_script(shape, seed=1)
    assert script.ended.any()
    errors, _ = slow_errors(bonus, script)
    bonuses = bonus.raw_bonuses(lived(script, shape))
    torch.testing.assert_close(bonuses, slow_bonuses(errors), rtol=1e-3, atol=1e-4)
    assert not bonuses.requires_grad


def test_no_prediction_crosses_an_episodes_end() -> None:
    shape = shape_of()
    script = draw_script(shape, seed=1, end_probability=0.0)
    script.truncated[3] = True
    bonuses = bonus_for(shape).raw_bonuses(lived(script, shape))
    later, earlier = (draw_script(shape, seed=1, end_probability=0.0) for _ in range(2))
    for other in (later, earlier):
        other.truncated[3] = True
    later.observations[3:], later.actions[4:], later.finals[4:] = 9.0, 0, 9.0
    earlier.first[:], earlier.observations[:3], earlier.finals[:4] = 9.0, 9.0, 9.0
    earlier.actions[:4] = 0
    of_later = bonus_for(shape).raw_bonuses(lived(later, shape))
    of_earlier = bonus_for(shape).raw_bonuses(lived(earlier, shape))
    assert torch.equal(of_later[:4], bonuses[:4])
    assert not torch.equal(of_later[4:], bonuses[4:])
    assert torch.equal(of_earlier[4:], bonuses[4:])
    assert not torch.equal(of_earlier[:4], bonuses[:4])


def test_the_belief_lives_on_over_rollouts_as_in_one_long_rollout() -> None:
    shape = shape_of()
    whole = draw_script(replace(shape, rollout_steps=2 * T), seed=2)
    whole.terminated[T - 1, 0] = True
    whole.terminated[T - 1, 1] = whole.truncated[T - 1, 1] = False
    bonus = bonus_for(shape)
    rollout = lived(part(whole, 0, T), shape).rollout
    first = bonus.raw_bonuses(Experience(rollout, rollout.next_frames))
    assert not bonus.belief[0].any()
    assert not bonus.previous_action[0].any()
    rollout.carry_over()
    part(whole, T, 2 * T).fill(rollout)
    second = bonus.raw_bonuses(Experience(rollout, rollout.next_frames))
    errors, belief = slow_errors(bonus, whole)
    expected = slow_bonuses(errors, 2 * T)
    torch.testing.assert_close(first, expected[:T], rtol=1e-3, atol=1e-4)
    # The first steps of a rollout lack the predictions made in the one before.
    torch.testing.assert_close(second[K - 1 :], expected[T + K - 1 :], rtol=1e-3, atol=1e-4)
    going_on = ~whole.ended[-1].unsqueeze(1)
    torch.testing.assert_close(bonus.belief, belief * going_on)


@KINDS
@pytest.mark.parametrize("longest", [2, 3, 10])
def test_the_loss_is_the_papers_on_every_segment(shape: RolloutShape, longest: int) -> None:
    bonus, script = bonus_for(shape, longest), draw_script(shape, seed=1)
    errors, _ = slow_errors(bonus, script)
    length, first_steps = {2: (2, (0, 1, 3, 5)), 3: (3, (0, 2, 4)), 10: (T, (0,))}[longest]
    means = []
    for first, n in itertools.product(first_steps, range(N)):
        for t in range(first, first + length):
            own = [
                error
                for (u, k, m), error in errors.items()
                if (u, m) == (t, n) and t + k - 1 < first + length
            ]
            means.append(statistics.fmean(own))
    experience = lived(script, shape)
    bonus.raw_bonuses(experience)
    batch = batch_of(bonus, experience, num_samples=length * len(first_steps) * N)
    assert batch.ended.shape == (length, len(first_steps) * N)
    loss = bonus.losses(batch)["predictor"]
    assert loss.item() == pytest.approx(statistics.fmean(means), rel=1e-3)


def test_segments_start_from_the_belief_that_was_lived_through() -> None:
    """Not from nothing: the rollout before and the steps before the segment count."""
    shape = shape_of()
    script, before = draw_script(shape, 1, end_probability=0.0), draw_script(shape, 3)
    bonus, fresh = bonus_for(shape), bonus_for(shape)
    bonus.raw_bonuses(lived(before, shape))
    carried = bonus.belief.clone()
    experience = lived(script, shape)
    bonus.raw_bonuses(experience)
    batch = batch_of(bonus, experience, 3 * 3 * N)
    at_start = {tuple(b.tolist()) for b in batch.belief}
    assert {tuple(b.tolist()) for b in carried} < at_start
    fresh.raw_bonuses(experience)
    of_fresh = batch_of(fresh, experience, 3 * 3 * N)
    assert (of_fresh.belief == 0).all(dim=1).sum() == N
    assert bonus.losses(batch) != fresh.losses(of_fresh)


def test_the_last_steps_of_a_rollout_are_normalised_over_as_many_frames_as_the_others() -> None:
    """Whatever is left of a division by the largest piece: a piece of one frame is all zeros."""
    sizes: list[int] = []

    class Watched(nn.Module):
        def forward(self, frames: Tensor) -> Tensor:
            sizes.append(len(frames))
            return frames.flatten(1)

    frames = torch.arange(2 * CHUNK_SIZE + 1.0).unsqueeze(1)
    found = _encoded(Watched(), lambda samples: frames[samples], torch.zeros(1, len(frames)))
    assert torch.equal(found[0], frames)
    assert max(sizes) <= CHUNK_SIZE
    assert max(sizes) - min(sizes) <= 1


def test_every_segment_is_dealt_once_an_epoch_in_an_order_of_its_own() -> None:
    shape = shape_of()
    bonus, experience = bonus_for(shape), lived(draw_script(shape, seed=1), shape)
    bonus.raw_bonuses(experience)
    sampler = bonus.sampler(experience, torch.Generator().manual_seed(0))
    epochs = []
    for _ in range(3):
        batches = [SegmentBatch(*sampler(plan_of(3 * 3 + 1))) for _ in range(3)]
        assert [batch.ended.shape for batch in batches] == [(3, 3)] * 3
        epochs.append([tuple(f.flatten().tolist()) for b in batches for f in b.frames.unbind(1)])
    assert all(len(set(epoch)) == 9 for epoch in epochs)
    assert len({frozenset(epoch) for epoch in epochs}) == 1
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_a_minibatch_smaller_than_a_segment_is_one_segment() -> None:
    shape = shape_of()
    batch = batch_of(bonus_for(shape), lived(draw_script(shape, seed=1), shape), num_samples=2)
    assert batch.ended.shape == (3, 1)


def test_frames_of_a_segment_are_the_newest_of_each_stack_in_order() -> None:
    shape = shape_of(FRAME)
    script = draw_script(shape, seed=1)
    batch = batch_of(bonus_for(shape, T), lived(script, shape), num_samples=T * N)
    assert batch.frames.dtype == torch.uint8
    seen = {tuple(frames.flatten().tolist()) for frames in batch.frames.unbind(1)}
    told = torch.cat([script.first.unsqueeze(0), script.observations[:-1]])
    assert seen == {tuple(frames.flatten().tolist()) for frames in told.unbind(1)}


def test_the_bonus_falls_on_what_comes_again_and_stays_on_what_is_new() -> None:
    shape = shape_of()
    strange = draw_script(shape, seed=9, end_probability=0.0)
    cycle = 2 * torch.randn(4, 3, generator=torch.Generator().manual_seed(0)) + 1
    phase = torch.arange(T + 1).unsqueeze(1) + torch.arange(N)
    frames = cycle[phase % 4]
    script = replace(strange, first=frames[0], observations=frames[1:])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder = VectorBackbone(3, (32, 16))
        model = WorldModel(
            encoder, 16, num_actions=A, discrete=True, belief_size=32, hidden_size=32
        )
    bonus = BYOLExplore(model, K, N, gamma=0.9)
    experience, unseen = lived(script, shape), lived(strange, shape)

    def fresh_bonus(of: Experience) -> float:
        for carried in (bonus.belief, bonus.previous_action):
            carried.zero_()
        return bonus.raw_bonuses(of).mean().item()

    optimizer = torch.optim.Adam([p for p in bonus.parameters() if p.requires_grad], lr=1e-2)
    before = fresh_bonus(experience)
    for _ in range(60):
        fresh_bonus(experience)
        optimizer.zero_grad()
        bonus.losses(batch_of(bonus, experience, T * N))["predictor"].backward()
        optimizer.step()
        bonus.after_step()
    assert fresh_bonus(experience) < 0.05 * before
    assert fresh_bonus(unseen) > 10 * fresh_bonus(experience)


@pytest.mark.parametrize("growth", [2.0, 0.25])
def test_only_what_exceeds_the_recent_mean_is_rewarded(ranks: Ranks, growth: float) -> None:
    """The paper's adjusted averages, as one long sum; also where errors fall fast."""
    bonus, means, squares = bonus_for(shape_of()), [], []
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        raw = (torch.rand(T, N, generator=generator) + 0.2) * growth**seed
        scaled = bonus.scale(raw, ranks)
        means.append(raw.double().mean().item())
        squares.append(raw.double().square().mean().item())
        weights = [0.9**age for age in reversed(range(len(means)))]
        mean, square = (
            sum(w * m for w, m in zip(weights, series, strict=True)) / sum(weights)
            for series in (means, squares)
        )
        std = (square - mean**2) ** 0.5
        kept = ((raw.double() - min(mean, means[-1])) / std).clamp_min(0.0)
        expected = kept / bonus.reward_filter.moments.std
        torch.testing.assert_close(scaled.double(), expected, rtol=1e-4, atol=1e-6)
        assert bonus.metrics()["intrinsic/error_mean"].item() == pytest.approx(mean)
        assert bonus.metrics()["intrinsic/error_std"].item() == pytest.approx(std)
        assert 0.2 * T * N < (scaled > 0).sum() < T * N


def test_what_is_believed_is_kept_for_the_rank_and_the_rest_for_all(ranks: Ranks) -> None:
    shape = shape_of()
    one = bonus_for(shape)
    one.scale(one.raw_bonuses(lived(draw_script(shape, seed=1), shape)), ranks)
    rank_state = {name: tensor.clone() for name, tensor in one.rank_state().items()}
    assert set(rank_state) == {"filter_sums", "belief", "previous_action"}
    assert all(tensor.any() for tensor in rank_state.values())
    assert not [n for n in one.state_dict() if n.split(".")[-1] in {"belief", "previous_action"}]
    other = bonus_for(shape)
    other.load_state_dict(one.state_dict())
    other.restore_rank_state(rank_state)
    script = draw_script(shape, seed=2)
    for bonus in (one, other):
        raw = bonus.raw_bonuses(lived(script, shape))
        rank_state[str(id(bonus))] = bonus.scale(raw, ranks)
    assert torch.equal(rank_state[str(id(one))], rank_state[str(id(other))])


@KINDS
def test_an_empty_rollout_gives_every_trained_parameter_a_gradient_and_changes_nothing(
    shape: RolloutShape,
) -> None:
    bonus = bonus_for(shape)
    bonus.raw_bonuses(lived(draw_script(shape, seed=1), shape))
    before = {name: tensor.clone() for name, tensor in bonus.named_buffers()}
    small = replace(shape, rollout_steps=2, num_envs=1)
    rollout = RolloutBuffer(small, torch.device("cpu"))
    batch = batch_of(bonus, Experience(rollout, rollout.next_frames), 2)
    bonus.losses(batch)["predictor"].backward()
    trained = {name: p for name, p in bonus.named_parameters() if p.requires_grad}
    assert {name.split(".")[0] for name in trained} == {"world_model"}
    assert [n for n, p in trained.items() if p.grad is None or not p.grad.isfinite().all()] == []
    assert [n for n, b in bonus.named_buffers() if not torch.equal(b, before[n])] == []


@KINDS
def test_a_rollout_trains_the_whole_world_model_and_never_the_target(shape: RolloutShape) -> None:
    bonus = bonus_for(shape)
    batch = batch_of(bonus, lived(draw_script(shape, seed=1), shape), T * N)
    assert not any(tensor.requires_grad for tensor in batch)
    bonus.losses(batch)["predictor"].backward()
    for name, parameter in bonus.world_model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name
    for parameter in bonus.slow_encoder.parameters():
        assert not parameter.requires_grad
        assert parameter.grad is None


def test_the_slow_encoder_follows_after_a_step() -> None:
    bonus = bonus_for(shape_of())
    slow, online = bonus.slow_encoder.slow, bonus.world_model.encoder
    pairs = zip(slow.parameters(), online.parameters(), strict=True)
    expected = [0.99 * one.detach() + 0.01 * other.detach() for one, other in pairs]
    bonus.after_step()
    for one, other in zip(slow.parameters(), expected, strict=True):
        torch.testing.assert_close(one.detach(), other)


def test_errors_are_full_precision_under_autocast() -> None:
    shape = shape_of(FRAME)
    bonus, experience = bonus_for(shape), lived(draw_script(shape, seed=1), shape)
    plain = bonus_for(shape).raw_bonuses(experience)
    with torch.autocast("cpu", torch.bfloat16):
        bonuses = bonus.raw_bonuses(experience)
        loss = bonus.losses(batch_of(bonus, experience, T * N))["predictor"]
    assert bonuses.dtype == loss.dtype == torch.float32
    assert bonus.belief.dtype == torch.float32
    torch.testing.assert_close(bonuses, plain, rtol=0.1, atol=0.1)


class Losses(nn.Module):
    """What DistributedDataParallel wraps."""

    def __init__(self, bonus: BYOLExplore) -> None:
        super().__init__()
        self.bonus = bonus

    def forward(self, batch: SegmentBatch) -> Tensor:
        return self.bonus.losses(batch)["predictor"]


RankResult = tuple[Tensor, float, dict[str, Tensor]]


def one_update(ranks: Ranks, envs: slice, wrap: Callable[[Losses], nn.Module]) -> RankResult:
    """Judge and train on some environments of one script; return rewards, loss and gradient."""
    shape = shape_of(num_envs=envs.stop - envs.start)
    script = draw_script(shape_of(num_envs=4), seed=1).columns(envs)
    experience, bonus = lived(script, shape), bonus_for(shape)
    module = wrap(Losses(bonus))
    rewards = bonus.scale(bonus.raw_bonuses(experience), ranks)
    for seed in range(2):  # the second pass fails if a parameter took no part in the first
        module.zero_grad()
        loss = module(batch_of(bonus, experience, 3 * 3 * shape.num_envs, seed))
        loss.backward()
    mean_loss = ranks.sum(loss.detach()) / ranks.world_size
    trained = {n: p for n, p in bonus.named_parameters() if p.requires_grad}
    return rewards, mean_loss.item(), {n: p.grad for n, p in trained.items() if p.grad is not None}


def half_update(ranks: Ranks) -> RankResult:
    """Take this rank's half of the environments."""
    envs = slice(2 * ranks.rank, 2 * ranks.rank + 2)
    return one_update(ranks, envs, DistributedDataParallel)


def test_two_ranks_are_one_process_on_the_joined_batch(ranks: Ranks, tmp_path: Path) -> None:
    rewards, loss, gradients = one_update(ranks, slice(0, 4), lambda module: module)
    halves = run_in_ranks(half_update, 2, tmp_path)
    torch.testing.assert_close(torch.cat([half[0] for half in halves], dim=1), rewards)
    for _, half_loss, half_gradients in halves:
        assert half_loss == pytest.approx(loss, rel=1e-5)
        assert half_gradients.keys() == gradients.keys()
        for name, gradient in half_gradients.items():
            torch.testing.assert_close(gradient, gradients[name], rtol=1e-4, atol=1e-6)


def test_where_episodes_begin_anew_nothing_is_believed_of_the_old_ones() -> None:
    bonus = bonus_for(shape_of())
    for buffer in (bonus.belief, bonus.previous_action):
        buffer.fill_(1.0)
    bonus.start_episodes()
    assert not bonus.belief.any()
    assert not bonus.previous_action.any()
