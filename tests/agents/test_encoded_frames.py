"""Features in the place of frames are those of the encoder on each whole episode by itself."""

import copy

import pytest
import torch
from torch import Tensor

from agents.encoded_frames import EncodedRollout, frame_stack
from agents.encoders.backbone import EncoderBackbone, encode_frames
from agents.encoders.convolutional import ConvolutionEncoder
from agents.encoders.encoder import Encoder, StateEncoder
from agents.encoders.preprocessing import (
    FramePreprocessing,
    UnexpectedObservationError,
    VectorPreprocessing,
)
from agents.encoders.reward_induced import RecurrentEncoder
from agents.encoders.vae import VAEEncoder
from agents.networks.actor_critic import EncodedActorCritic, VectorActorCritic
from agents.networks.scaling import NoScaling
from agents.rollout import RolloutBuffer, RolloutShape
from tests.agents.scripts import Script, draw_script
from tests.agents.small import drawn_from

CPU = torch.device("cpu")
T, N, D = 9, 4, 5
COLOURS = (3, 64, 64)
RECURRENT, STATELESS = RecurrentEncoder, ConvolutionEncoder
KINDS = [RECURRENT, STATELESS]


def make(kind: type[Encoder], seed: int = 0) -> Encoder:
    with drawn_from(seed):
        encoder: Encoder = kind(FramePreprocessing(64, 64, 3), feature_size=D)  # type: ignore[call-arg]
    return encoder.eval().requires_grad_(False)


def shape_of(stack_size: int, T: int = T) -> RolloutShape:
    return RolloutShape(T, N, stack_size, (D,), torch.float32, ())


def script_of(seed: int = 0, T: int = T) -> Script:
    return draw_script(RolloutShape(T, N, 1, COLOURS, torch.uint8, ()), seed, 0.3)


def rollout_of(kind: type[Encoder], stack_size: int = 1, T: int = T) -> EncodedRollout:
    return EncodedRollout(make(kind), shape_of(stack_size, T), CPU)


def by_episode(encoder: Encoder, script: Script, n: int) -> tuple[list[Tensor], dict[int, Tensor]]:
    """Return the features at t = 0 .. T of one environment, and at the ends of its episodes.

    Each episode is encoded as a sequence of its own, as a dataset would have it.
    """
    along: list[Tensor] = []
    finals = {}
    episode = [script.first[n]]
    for t in range(T + 1):
        over = t < T and bool(script.ended[t, n])
        if over:
            episode.append(script.finals[t, n])
        if over or t == T:
            kept = torch.stack(episode).permute(0, 2, 3, 1)  # the channel last, as datasets keep it
            features = encoder.encode_sequence(kept.unsqueeze(0))[0]
            along += list(features[:-1] if over else features)
            if over:
                finals[t] = features[-1]
            episode = []
        if t < T:
            episode.append(script.observations[t, n])
    return along, finals


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("groups", [[slice(0, N)], [slice(0, 1), slice(1, N)]])
def test_a_rollout_holds_the_features_of_each_episode_from_its_start(
    kind: type[Encoder], groups: list[slice]
) -> None:
    script, rollout = script_of(), rollout_of(kind)
    rollout.start(script.first)
    script.fill(rollout, groups)
    assert script.ended.any()
    ended = 0
    for n in range(N):
        along, finals = by_episode(make(kind), script, n)
        for t, features in enumerate(along):
            found = rollout.observation(t, slice(n, n + 1))[0]
            torch.testing.assert_close(found, features, rtol=1e-4, atol=1e-5)
        for t, features in finals.items():
            found = rollout.next_observations(torch.tensor([t * N + n]))[0]
            torch.testing.assert_close(found, features, rtol=1e-4, atol=1e-5)
            ended += 1
    assert ended == int(script.ended.sum())


def test_what_another_episode_showed_changes_no_feature() -> None:
    """Poison: all that was shown before an end; what follows it must be the same bits."""
    script = script_of()
    n, end = next((n, t) for t in range(T - 1) for n in range(N) if script.ended[t, n])
    poisoned = copy.deepcopy(script)
    poisoned.first[n] = 255 - poisoned.first[n]
    poisoned.observations[:end, n] = 255 - poisoned.observations[:end, n]
    poisoned.finals[: end + 1, n] = 255 - poisoned.finals[: end + 1, n]
    found = []
    for each in (script, poisoned):
        rollout = rollout_of(RECURRENT)
        rollout.start(each.first)
        each.fill(rollout)
        found.append(torch.stack([rollout.observation(t, slice(n, n + 1)) for t in range(T + 1)]))
    assert not torch.equal(found[0][: end + 1], found[1][: end + 1])
    assert torch.equal(found[0][end + 1 :], found[1][end + 1 :])


@pytest.mark.parametrize("kind", KINDS)
def test_a_rollout_that_takes_over_goes_on_as_one_that_never_stopped(kind: type[Encoder]) -> None:
    scripts = [script_of(seed) for seed in range(2)]
    first, other = rollout_of(kind), rollout_of(kind)
    first.start(scripts[0].first)
    scripts[0].fill(first)
    ahead = rollout_of(kind)
    ahead.restore_contents({name: tensor.clone() for name, tensor in first.contents().items()})
    other.restore(ahead.end_state())
    first.carry_over()
    again = rollout_of(kind)
    again.restore(first.carried_state())
    for rollout in (first, other, again):
        scripts[1].fill(rollout)
    samples = torch.arange(T * N)
    for rollout in (other, again):
        assert torch.equal(rollout.observations(samples), first.observations(samples))
        assert torch.equal(rollout.next_observations(samples), first.next_observations(samples))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stack_size", [1, 3])
def test_acting_outside_of_a_rollout_sees_the_same_bits(
    kind: type[Encoder], stack_size: int
) -> None:
    script, rollout = script_of(), rollout_of(kind, stack_size)
    rollout.start(script.first)
    script.fill(rollout)
    frames = frame_stack(make(kind), script.first, stack_size)
    for t in range(T):
        assert torch.equal(frames.observation, rollout.observation(t, slice(0, N)))
        frames.push(script.observations[t], script.ended[t])
    assert frames.observation.shape == (N, stack_size * D)


def test_without_an_encoder_the_policy_sees_frames() -> None:
    first = script_of().first
    assert torch.equal(frame_stack(None, first, 2).observation, torch.cat([first, first], dim=1))


def test_frames_of_another_size_are_refused_when_they_come() -> None:
    with pytest.raises(UnexpectedObservationError, match="trained on uint8 frames"):
        rollout_of(STATELESS).start(torch.zeros(N, 3, 36, 36, dtype=torch.uint8))


@pytest.mark.parametrize("kind", [*KINDS, VAEEncoder])
def test_a_backbone_lays_the_features_of_each_frame_side_by_side(kind: type[Encoder]) -> None:
    encoder = make(kind)
    frames = script_of().first
    stacked = torch.cat([frames, frames.flip(0)], dim=1)
    found = EncoderBackbone(encoder, 2)(stacked)
    wanted = [
        encoder.frame_features(each.permute(0, 2, 3, 1).contiguous())
        for each in (frames, frames.flip(0))
    ]
    torch.testing.assert_close(found, torch.cat(wanted, dim=1), rtol=1e-4, atol=1e-6)
    if kind is not RECURRENT:
        whole, _ = encoder.encode(frames.permute(0, 2, 3, 1).contiguous())
        assert torch.equal(wanted[0], whole)


def test_a_backbone_that_normalises_shows_features_of_mean_0_and_deviation_1() -> None:
    encoder = make(RECURRENT).requires_grad_(True)
    frames = torch.cat([script_of().first, script_of().first.flip(0)], dim=1)
    backbone = EncoderBackbone(encoder, 2, normalize=True)
    raw = EncoderBackbone(encoder, 2)(frames)
    wanted = torch.stack(
        [(row - row.mean()) / (row.var(correction=0) + 1e-5).sqrt() for row in raw]
    )
    torch.testing.assert_close(backbone(frames), wanted)
    backbone(frames).square().sum().backward()
    assert all(p.grad is not None for p in backbone.parameters() if p.requires_grad)


@pytest.mark.parametrize("frozen", [True, False])
def test_a_frozen_encoder_is_full_precision_under_autocast_and_a_trained_one_is_not(
    frozen: bool,
) -> None:
    backbone, frames = EncoderBackbone(make(STATELESS), 1, frozen=frozen), script_of().first
    full = backbone(frames)
    with torch.autocast("cpu", torch.bfloat16):
        found = backbone(frames)
    assert torch.equal(found, full) == frozen
    if frozen:
        encoded, _ = encode_frames(backbone.encoder, frames, None)
        assert torch.equal(found, encoded)


@pytest.mark.parametrize(
    ("kind", "idle"), [(RECURRENT, "lstm."), (VAEEncoder, "log_variance."), (STATELESS, "none")]
)
def test_every_trained_parameter_of_a_backbone_gets_a_gradient(
    kind: type[Encoder], idle: str
) -> None:
    backbone = EncoderBackbone(make(kind).requires_grad_(True), 1)
    backbone(script_of().first).sum().backward()
    for name, parameter in backbone.encoder.named_parameters():
        assert parameter.requires_grad == (not name.startswith(idle)), name
        assert (parameter.grad is not None) == parameter.requires_grad, name


def test_an_encoder_of_states_is_no_backbone() -> None:
    encoder = StateEncoder(VectorPreprocessing(3))
    with pytest.raises(ValueError, match="no frames"):
        EncodedRollout(encoder, RolloutShape(T, N, 1, (3,), torch.float32, ()), CPU).start(
            torch.zeros(N, 3)
        )


@pytest.mark.parametrize("split", [False, True])
def test_only_a_split_brain_keeps_the_critics_gradient_from_the_actors_encoder(
    split: bool,
) -> None:
    with drawn_from(1):
        heads = VectorActorCritic(
            NoScaling(),
            D,
            (6,),
            num_actions=3,
            discrete=True,
            value_init_gain=1.0,
            intrinsic_head=False,
        )
    backbone = EncoderBackbone(make(STATELESS).requires_grad_(True), 1)
    policy = EncodedActorCritic(backbone, heads, copy.deepcopy(backbone) if split else None)
    output = policy(script_of().first)
    output.value_extrinsic.sum().backward()
    reached = [parameter.grad is not None for parameter in policy.backbone.parameters()]
    assert reached == [not split] * len(reached)
    if policy.critic_backbone is not None:
        assert all(parameter.grad is not None for parameter in policy.critic_backbone.parameters())


def test_a_plain_rollout_carries_no_memory() -> None:
    rollout = RolloutBuffer(shape_of(1), CPU)
    assert rollout.end_state().memory is None
    assert rollout.carried_state().named().keys() == {"frames", "ages"}
