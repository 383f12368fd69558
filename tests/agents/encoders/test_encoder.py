"""Every encoder: one interface, the same features however it is asked, and made anew from words."""

import json
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from agents.encoders.conv_autoencoder import PooledEncoder
from agents.encoders.encoder import Encoder, StateEncoder
from agents.encoders.preprocessing import FramePreprocessing, VectorPreprocessing
from agents.encoders.registry import ENCODERS, UnknownKindError, build_encoder
from agents.encoders.reward_induced import RecurrentEncoder
from agents.encoders.state_autoencoder import VectorEncoder
from agents.encoders.vae import VAEEncoder
from agents.losses.collapse import feature_spread
from tests.agents.encoders.squares import SIDE, convolutions, draw, recurrent
from tests.agents.small import drawn_from

B, T = 3, 5
FRAMES = FramePreprocessing(SIDE, SIDE, 1)
BUILT: dict[str, Callable[[], Encoder]] = {
    "vae": lambda: VAEEncoder(FRAMES, feature_size=6),
    "convolutions": convolutions,
    "pooled convolutions": lambda: PooledEncoder(FRAMES, feature_size=6),
    "recurrent": recurrent,
    "state": lambda: StateEncoder(VectorPreprocessing(2)),
    "dense": lambda: VectorEncoder(VectorPreprocessing(2), feature_size=6),
}
EVERY = pytest.mark.parametrize("kind", list(BUILT))


def built(kind: str) -> Encoder:
    with drawn_from(0):
        return BUILT[kind]().eval()


def shown(encoder: Encoder, *, seed: int = 0) -> Tensor:
    """Sequences [B, T, ...] of what the encoder observes."""
    positions = torch.rand(B, T, 2, generator=torch.Generator().manual_seed(seed))
    return positions if encoder.observes == "states" else draw(positions)


def stepwise(encoder: Encoder, sequences: Tensor) -> Tensor:
    memory, features = encoder.initial_memory(B), []
    for observations in sequences.unbind(dim=1):
        one, memory = encoder.encode(observations, memory)
        features.append(one)
    return torch.stack(features, dim=1)


def test_every_kind_is_tested() -> None:
    assert set(BUILT) == set(ENCODERS)


@EVERY
@torch.no_grad()
def test_a_sequence_is_encoded_as_step_by_step(kind: str) -> None:
    encoder = built(kind)
    features = encoder.encode_sequence(shown(encoder))
    assert features.shape == (B, T, encoder.feature_size)
    assert features.dtype == torch.float32
    torch.testing.assert_close(features, stepwise(encoder, shown(encoder)), rtol=1e-5, atol=1e-6)


@EVERY
@torch.no_grad()
def test_what_fills_a_sequence_up_changes_nothing(kind: str) -> None:
    encoder = built(kind)
    sequences, others = shown(encoder), shown(encoder, seed=1)
    mask = torch.arange(T) < torch.tensor([[5], [3], [1]])
    kept = mask.view(B, T, *[1] * (sequences.dim() - 2))
    features = encoder.encode_sequence(sequences, mask)
    spoilt = torch.where(kept, sequences, others)
    if encoder.observes == "states":
        spoilt = torch.where(kept, sequences, torch.nan)
    assert torch.equal(encoder.encode_sequence(spoilt, mask), features)
    assert (features[~mask] == 0).all()
    torch.testing.assert_close(features[mask], encoder.encode_sequence(sequences)[mask])


def test_a_mask_with_gaps_is_refused() -> None:
    encoder = built("recurrent")
    with pytest.raises(ValueError, match="gaps"):
        encoder.encode_sequence(shown(encoder), torch.tensor([[1, 0, 1, 1, 1]] * B).bool())


@EVERY
@torch.no_grad()
def test_a_row_depends_on_its_own_observation_alone(kind: str) -> None:
    """Batch statistics would mix rows: a policy would act by what other environments show."""
    encoder = built(kind)
    observations = shown(encoder)[:, 0]
    together, _ = encoder.encode(observations)
    for row in range(B):
        alone, _ = encoder.encode(observations[row : row + 1])
        torch.testing.assert_close(alone[0], together[row], rtol=1e-5, atol=1e-6)
    assert (together[0] - together[1]).abs().max() > 1e-4


@torch.no_grad()
def test_a_memory_is_what_was_seen_and_can_be_laid_back_by_row() -> None:
    encoder = built("recurrent")
    assert isinstance(encoder, RecurrentEncoder)
    first, second = shown(encoder)[:, 0], shown(encoder)[:, 1]
    _, memory = encoder.encode(first)
    assert memory is not None
    assert memory.shape == encoder.initial_memory(B).shape == (B, 2, 6)
    memory[0] = encoder.initial_memory(1)[0]  # an episode has ended there
    after, _ = encoder.encode(second, memory)
    fresh, _ = encoder.encode(second)
    torch.testing.assert_close(after[0], fresh[0])
    assert (after[1:] - fresh[1:]).abs().amax(dim=1).min() > 1e-4


@torch.no_grad()
def test_the_vae_tells_how_sure_it_is_and_the_others_do_not() -> None:
    for kind in BUILT:
        encoder = built(kind)
        latents, _ = encoder.latents(shown(encoder)[:, 0])
        assert (latents.deviation is not None) == (kind == "vae")
    encoder = built("vae")
    assert isinstance(encoder, VAEEncoder)
    latents, _ = encoder.latents(shown(encoder)[:, 0])
    mean, log_variance = encoder.gaussian(encoder.preprocessing(shown(encoder)[:, 0]))
    assert torch.equal(latents.mean, mean)
    assert latents.deviation is not None
    torch.testing.assert_close(latents.deviation.square().log(), log_variance)


@EVERY
@torch.no_grad()
def test_a_description_and_the_weights_make_it_anew(kind: str) -> None:
    encoder = built(kind)
    again = build_encoder(json.loads(json.dumps(encoder.facts)))
    again.load_state_dict(encoder.state_dict())
    assert again.facts == encoder.facts
    assert torch.equal(
        again.eval().encode_sequence(shown(encoder)), encoder.encode_sequence(shown(encoder))
    )


def test_a_description_of_nothing_is_refused_with_the_kinds_there_are() -> None:
    facts = built("vae").facts
    with pytest.raises(UnknownKindError, match="no encoder 'vea'; there are vae, conv"):
        build_encoder(facts | {"kind": "vea"})
    with pytest.raises(UnknownKindError, match="cannot be built"):
        build_encoder(facts | {"settings": {"latents": 3}})


@EVERY
def test_the_gradient_of_features_reaches_every_weight(kind: str) -> None:
    """A policy may train on, through `encode`."""
    encoder = built(kind).train()
    features, _ = encoder.encode(shown(encoder)[:, 0])
    if kind == "state":
        assert not features.requires_grad
        return
    features.square().sum().backward()
    untouched = {name for name, p in encoder.named_parameters() if p.grad is None}
    assert untouched == ({"log_variance.weight", "log_variance.bias"} if kind == "vae" else set())


@EVERY
@torch.no_grad()
def test_bfloat16_changes_features_but_little(kind: str) -> None:
    encoder = built(kind)
    observations = shown(encoder)[:, 0]
    exact, _ = encoder.encode(observations)
    with torch.autocast("cpu", torch.bfloat16):
        narrow, _ = encoder.encode(observations)
    assert narrow.dtype == torch.float32
    torch.testing.assert_close(narrow, exact, rtol=0.05, atol=0.02)


def test_a_new_encoder_with_a_memory_tells_sparse_frames_apart() -> None:
    frames = torch.zeros(40, 64, 64, 1, dtype=torch.uint8)
    places = torch.randint(0, 52, (40, 2), generator=torch.Generator().manual_seed(0))
    for frame, (row, column) in zip(frames, places.tolist(), strict=True):
        frame[row : row + 12, column : column + 12] = 255
    with drawn_from(0):
        encoder = RecurrentEncoder(FramePreprocessing(64, 64, 1), feature_size=64)
    with torch.no_grad():
        features, _ = encoder.encode(frames)
    assert feature_spread(features) > 0.2  # with PyTorch's own weights it is about 0.003
