"""What holds for every objective: its losses, what it trains, how it is kept."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from agents.encoders.byol import BYOL
from agents.encoders.conv_autoencoder import ConvAutoencoder, PooledEncoder
from agents.encoders.drawing import DrawingObjective
from agents.encoders.frame_decoder import FrameDecoder
from agents.encoders.objective import DataShapes, Needs, Samples
from agents.encoders.preprocessing import FramePreprocessing, UnexpectedObservationError
from agents.encoders.registry import OBJECTIVES, UnknownKindError, build_objective, objective_named
from agents.encoders.reward_induced import RecurrentEncoder, RewardInduced
from agents.encoders.temporal_barlow import TemporalBarlow
from agents.encoders.transition import Transition
from agents.encoders.vae import VAE
from agents.losses.vae import gaussian_divergence
from tests.agents.encoders.squares import (
    KINDS,
    LABELS,
    SHAPES,
    SteadyVAE,
    convolutions,
    make,
    part,
    squares,
    stream,
)

EVERY = pytest.mark.parametrize("kind", list(KINDS))
DRAWING = ["vae", "conv_autoencoder", "state_decoder", "frame_decoder"]


def test_every_kind_is_tested() -> None:
    assert set(KINDS) == set(OBJECTIVES)


@EVERY
def test_a_loss_reaches_every_trained_parameter_and_draws_from_the_given_stream_alone(
    kind: str,
) -> None:
    objective, state = make(kind), torch.get_rng_state()
    samples = squares(objective.needs, 6)
    objective.fit(samples)
    frozen = {n: p.clone() for n, p in objective.named_parameters() if not p.requires_grad}
    losses = objective(samples, stream())
    losses.total.backward()
    for name, parameter in objective.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
        if parameter.grad is not None:
            assert parameter.grad.isfinite().all(), name
            assert parameter.grad.any(), name
    assert all(torch.equal(dict(objective.named_parameters())[n], p) for n, p in frozen.items())
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(value.requires_grad for value in losses.parts.values())
    assert losses.total.dtype == torch.float32


@EVERY
def test_bfloat16_changes_a_loss_but_little_and_its_gradients_stay_finite(kind: str) -> None:
    objective = make(kind)
    samples = squares(objective.needs, 6)
    objective.fit(samples)
    exact = objective(samples, stream()).total.detach()
    with torch.autocast("cpu", torch.bfloat16):
        narrow = objective(samples, stream()).total
    assert narrow.dtype == torch.float32
    torch.testing.assert_close(narrow.detach(), exact, rtol=0.03, atol=0.01)
    narrow.backward()
    assert all(p.grad.isfinite().all() for p in objective.parameters() if p.grad is not None)


@EVERY
def test_a_description_and_the_state_make_it_anew_and_it_learns_on_the_same(kind: str) -> None:
    objective = make(kind)
    samples = squares(objective.needs, 6)
    objective.fit(samples)
    again = build_objective(json.loads(json.dumps(objective.facts)))
    again.load_state_dict(objective.state_dict())
    assert again.facts == objective.facts
    assert again.needs == objective.needs
    if kind != "vae":  # the tests' own draws no noise
        assert torch.equal(again(samples, stream()).total, objective(samples, stream()).total)
    objective.eval(), again.eval()
    figures, others = objective.diagnose(samples), again.diagnose(samples)
    assert figures.keys() == others.keys()
    assert all(torch.equal(figures[name], others[name]) for name in figures)


@EVERY
def test_figures_are_finite_numbers_and_take_no_notice_of_fillings(kind: str) -> None:
    objective = make(kind).eval()
    samples = squares(objective.needs, 6)
    objective.fit(samples)
    figures = objective.diagnose(samples)
    assert all(value.isfinite() and value.dim() == 0 for value in figures.values())
    assert 1 <= figures["representation/effective_rank"] <= objective.encoder.feature_size
    if samples.mask is not None and samples.observations is not None:
        samples.observations[~samples.mask] = 0
        again = objective.diagnose(samples)
        assert all(torch.equal(figures[name], again[name]) for name in figures)


@EVERY
def test_losses_take_no_notice_of_fillings(kind: str) -> None:
    objective = make(kind)
    samples = squares(objective.needs, 6)
    objective.fit(samples)
    loss = objective(samples, stream()).total
    if samples.mask is None or samples.observations is None:
        return
    samples.observations[~samples.mask] = 0
    if samples.labels is not None:
        samples.labels[~samples.mask] = torch.nan
    assert torch.equal(objective(samples, stream()).total, loss)


@EVERY
def test_samples_that_lack_something_are_refused_by_its_name(kind: str) -> None:
    objective = make(kind)
    with pytest.raises(ValueError, match=r"the samples hold no (observations|states)"):
        objective(Samples(), stream())


@pytest.mark.parametrize("kind", DRAWING)
def test_what_is_drawn_stands_beside_what_was_seen(kind: str) -> None:
    objective = make(kind).eval()
    samples = squares(objective.needs, 6)
    objective.fit(samples)
    pictures = objective.reconstruct(samples)
    assert pictures is not None
    assert pictures.original.shape == pictures.reconstruction.shape
    frames = samples.observations
    assert frames is not None
    seen = frames if samples.mask is None else frames[samples.mask]
    torch.testing.assert_close(
        pictures.original, seen.permute(0, 3, 1, 2) / 255.0, rtol=0.0, atol=1e-6
    )
    assert isinstance(objective, DrawingObjective)
    moving = objective.scene.moving(pictures.original)
    assert 0.02 < moving.float().mean() < 0.3  # the square, and no more than some ground around


@pytest.mark.parametrize("kind", sorted(set(KINDS) - set(DRAWING)))
def test_the_others_draw_nothing(kind: str) -> None:
    objective = make(kind)
    assert objective.reconstruct(squares(objective.needs, 2)) is None


def test_the_vaes_loss_is_that_of_the_paper() -> None:
    objective = SteadyVAE.create(SHAPES)
    samples = squares(objective.needs, 5)
    losses = objective(samples, stream())
    frames = samples.observations
    assert frames is not None
    mean, log_variance = objective.encoder.gaussian(objective.encoder.preprocessing(frames))
    code = mean + (0.5 * log_variance).exp() * torch.sin(1e3 * mean)
    drawn = objective.draw(code).double().detach().numpy()
    wanted = frames.permute(0, 3, 1, 2).double().numpy() / 255.0
    terms = [
        ((drawn[n] - wanted[n]) ** 2).sum()
        + max(float(gaussian_divergence(mean, log_variance)[n].detach()), 0.5 * 6)
        for n in range(5)
    ]
    assert losses.total.item() == pytest.approx(float(np.mean(terms)), rel=1e-4)


def test_the_vaes_noise_comes_from_the_stream() -> None:
    objective = VAE.create(SHAPES)
    samples = squares(objective.needs, 4)
    one, same, other = (objective(samples, stream(seed)).total for seed in (0, 0, 1))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_the_reward_induced_loss_is_the_sum_of_each_labels_mean_over_what_was_seen() -> None:
    objective = make("reward_induced")
    assert isinstance(objective, RewardInduced)
    samples = squares(objective.needs, 5)
    losses = objective(samples, stream())
    assert samples.observations is not None
    assert samples.labels is not None
    assert samples.mask is not None
    found = objective.predict(objective.encoder.encode_sequence(samples.observations))
    for k, name in enumerate(LABELS):
        errors = [
            float((found[b, t, k] - samples.labels[b, t, k]).detach()) ** 2
            for b in range(5)
            for t in range(4)
            if samples.mask[b, t]
        ]
        assert losses.parts[name].item() == pytest.approx(np.mean(errors), rel=1e-4)
    assert losses.total.item() == pytest.approx(sum(float(x) for x in losses.parts.values()))


def test_the_transition_speaks_of_standardised_states_and_takes_choices_too() -> None:
    objective = make("transition")
    assert isinstance(objective, Transition)
    samples = squares(objective.needs, 50)
    objective.fit(samples)
    before, _ = objective.encoder.encode(objective.observed(samples))
    torch.testing.assert_close(before.mean(dim=0), torch.zeros(2), rtol=0.0, atol=1e-5)
    choosing = Transition(objective.encoder, action_size=3, discrete_actions=True)
    chosen = choosing.predict(before[:3], torch.tensor([0, 1, 2]))
    assert torch.equal(chosen, choosing.transition(before[:3], torch.eye(3)))


@pytest.mark.parametrize("kind", ["frame_decoder", "transition"])
def test_a_finished_encoder_stays_in_evaluation_mode_and_as_it_was(kind: str) -> None:
    encoder = PooledEncoder(FramePreprocessing(64, 64, 1), feature_size=6)
    objective = (
        FrameDecoder(encoder)
        if kind == "frame_decoder"
        else Transition(encoder, action_size=2, discrete_actions=False)
    )
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    objective.train()
    samples = squares(objective.needs, 4)
    objective.fit(samples)
    objective(samples, stream()).total.backward()
    objective.after_step(0.5)
    assert not encoder.training
    assert all(torch.equal(before[name], x) for name, x in encoder.state_dict().items())


def test_byols_slow_copies_follow_after_a_step_and_rest_at_the_end() -> None:
    objective = BYOL(convolutions(), hidden_size=8, projection_size=5, momentum=0.9)
    slow = objective.slow_network.slow.state_dict()["1.weight"]
    before, target = slow.clone(), dict(objective.encoder.named_parameters())["network.1.weight"]
    with torch.no_grad():
        target.add_(1.0)
    objective.after_step(0.0)
    torch.testing.assert_close(slow - before, torch.full_like(slow, 0.1), rtol=1e-3, atol=1e-5)
    moved = slow.clone()
    objective.after_step(1.0)
    assert torch.equal(slow, moved)


def test_batch_statistics_are_renewed_after_a_step() -> None:
    objective = make("conv_autoencoder")
    samples = squares(objective.needs, 4)
    buffers = {n: x.clone() for n, x in objective.named_buffers() if "running" in n}
    assert buffers
    objective(samples, stream())
    assert all(torch.equal(x, buffers[n]) for n, x in objective.named_buffers() if n in buffers)
    objective.after_step(0.1)
    assert not any(torch.equal(x, buffers[n]) for n, x in objective.named_buffers() if n in buffers)


def test_a_code_may_be_the_last_map_itself() -> None:
    encoder = PooledEncoder(FramePreprocessing(64, 32, 1), feature_size=0)
    assert encoder.feature_size == 4 * 2
    objective = ConvAutoencoder(encoder)
    assert build_objective(objective.facts).encoder.feature_size == 8


@pytest.mark.parametrize("neighbours", [True, False])
def test_views_are_of_the_frame_itself_or_of_the_one_that_followed(*, neighbours: bool) -> None:
    objective = BYOL(convolutions(), neighbours=neighbours, view="none")
    needs = Needs(("observations", "next_observations"))
    samples = squares(needs, 4)
    views = objective.draw_views(samples, stream())
    assert torch.equal(views.first, views.second) != neighbours
    assert objective.needs == (needs if neighbours else Needs(("observations",)))


def test_shifted_views_come_from_the_stream() -> None:
    objective = BYOL(convolutions())
    samples = squares(objective.needs, 4)
    one, same, other = (objective.draw_views(samples, stream(seed)) for seed in (0, 0, 1))
    assert torch.equal(one.first, same.first)
    assert not torch.equal(one.first, other.first)
    assert not torch.equal(one.first, one.second)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("vae.Vae", "vae"),
        ("VAE", "vae"),
        ("contrastive.SimCLR", "simclr"),
        ("conv_autoencoder.ConvAutoencoder", "conv_autoencoder"),
        ("temporal_barlow", "temporal_barlow"),
    ],
)
def test_objectives_answer_to_their_names(name: str, kind: str) -> None:
    assert objective_named(name).kind == kind


def test_a_name_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(UnknownKindError, match=r"no objective 'vae\.Vea'.*did you mean vae\.vae"):
        objective_named("vae.Vea")


VECTORS = DataShapes(None, 6, state_size=2, action_size=2)
LACKING: list[tuple[str, DataShapes, str]] = [
    ("vae", VECTORS, "vectors alone"),
    ("vae", DataShapes(FramePreprocessing(96, 96, 3), 6), "not 96 x 96"),
    ("simclr", VECTORS, "vectors alone"),
    ("state_decoder", DataShapes(SHAPES.frames, 6), "has none"),
    ("transition", DataShapes(None, 6, state_size=2), "lacks them"),
    ("temporal_barlow", DataShapes(SHAPES.frames, 6), "needs actions"),
    ("reward_induced", DataShapes(SHAPES.frames, 6), "predicts labels"),
    ("frame_decoder", SHAPES, "has been trained"),
]


@pytest.mark.parametrize(("kind", "shapes", "words"), LACKING)
def test_a_dataset_that_lacks_something_is_refused(
    kind: str, shapes: DataShapes, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        OBJECTIVES[kind].create(shapes)


def test_every_objective_is_built_for_a_dataset_that_has_all() -> None:
    for kind, objective in OBJECTIVES.items():
        shapes = replace(SHAPES, finished=convolutions()) if kind == "frame_decoder" else SHAPES
        assert objective.create(shapes).kind == kind


@pytest.mark.parametrize("change", [{"kind": "sound"}, {"settings": {"loudness": 1}}])
def test_a_description_of_nothing_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(UnknownKindError):
        build_objective(TemporalBarlow.create(SHAPES).facts | change)


def test_frames_of_another_form_are_refused_by_the_loss_too() -> None:
    objective = RewardInduced(
        RecurrentEncoder(FramePreprocessing(64, 64, 1), feature_size=6), labels=LABELS, steps=4
    )
    samples = squares(objective.needs, 2)
    assert samples.observations is not None
    with pytest.raises(UnexpectedObservationError):
        objective(samples._replace(observations=samples.observations / 255.0), stream())


def test_samples_can_be_parted() -> None:
    samples = squares(Needs(("observations", "mask"), 3), 4)
    assert part(samples, slice(1, 3)).mask is not None
    assert part(samples, slice(1, 3)).states is None


def test_a_state_decoder_from_before_it_had_hidden_layers_is_built_as_it_was() -> None:
    facts = make("state_decoder").facts
    settings = {k: v for k, v in facts["settings"].items() if k != "hidden_sizes"}
    old = build_objective({**facts, "settings": {**settings, "object_share": 0.5}})
    assert "decoder.layers.0.weight" in old.state_dict()
    assert "decoder.layers.0.weight" not in make("state_decoder").state_dict()
    again = build_objective(facts)
    again.load_state_dict(make("state_decoder").state_dict())
