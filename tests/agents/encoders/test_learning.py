"""Every objective learns: on a few squares its figure leaves that of the trivial solution behind.

For what draws it is one picture for all, for labels their mean, for a transition that nothing
changes, for views that all are alike (SimCLR) or have nothing to do with each other (Barlow Twins).
"""

import math
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from agents.encoders.barlow_twins import BarlowTwins
from agents.encoders.byol import BYOL
from agents.encoders.contrastive import SimCLR
from agents.encoders.drawing import DrawingObjective
from agents.encoders.frame_decoder import FrameDecoder
from agents.encoders.objective import Objective, Samples
from agents.encoders.vae import VAE
from agents.steps.adam import FusedAdam
from tests.agents.encoders.squares import (
    KINDS,
    SHAPES,
    SIDE,
    convolutions,
    make,
    part,
    squares,
    stream,
)
from tests.agents.small import drawn_from
from training.probing.centroids import centroid_errors, centroids

DOT = 4  # pixels along a side


class Trained(NamedTuple):
    """What came of it."""

    objective: Objective
    last_loss: float
    figures: dict[str, Tensor]


def train(objective: Objective, *, count: int, steps: int, batch: int, rate: float) -> Trained:
    """Train on some squares; look at all of them in the end."""
    samples, generator = squares(objective.needs, count), stream()
    objective.fit(samples)
    trained = [p for p in objective.parameters() if p.requires_grad]
    optimizer = FusedAdam([{"params": trained, "lr": rate}], eps=1e-8)
    for step in range(steps):
        rows = torch.randint(0, count, (batch,), generator=generator)
        losses = objective(part(samples, rows), generator)
        objective.zero_grad(set_to_none=True)
        losses.total.backward()
        optimizer.step()
        objective.after_step(step / steps)
    objective.eval()
    return Trained(objective, losses.total.item(), objective.diagnose(samples))


def test_the_vae_draws_its_squares() -> None:
    with drawn_from(0):
        objective = VAE.create(SHAPES)
    figures = train(objective, count=8, steps=40, batch=8, rate=1e-3).figures
    assert figures["reconstruction/ratio_to_mean_picture"] < 0.6


def test_the_convolutional_autoencoder_draws_its_squares() -> None:
    figures = train(make("conv_autoencoder"), count=4, steps=60, batch=4, rate=3e-3).figures
    assert figures["reconstruction/object_ratio"] < 0.5


def test_the_state_tells_where_the_square_is() -> None:
    figures = train(make("state_decoder"), count=32, steps=80, batch=16, rate=3e-3).figures
    assert figures["reconstruction/object_ratio"] < 0.3


def dots(count: int, generator: torch.Generator) -> Samples:
    """Draw dots on black, each with its place as the state."""
    places = torch.rand(count, 2, generator=generator)
    corners = (places * (SIDE - DOT)).round().unsqueeze(-1)
    inside = (torch.arange(SIDE) >= corners) & (torch.arange(SIDE) < corners + DOT)
    shown = inside[:, 0].unsqueeze(-1) & inside[:, 1].unsqueeze(-2)
    return Samples(observations=(220 * shown).to(torch.uint8).unsqueeze(-1), states=places)


def test_a_small_object_is_drawn_in_its_place_and_not_as_a_patch_of_all_that_may_be_one() -> None:
    objective, generator = make("state_decoder"), stream()
    objective.fit(dots(256, generator))
    optimizer = FusedAdam([{"params": list(objective.parameters()), "lr": 3e-3}], eps=1e-8)
    for _ in range(200):
        objective.zero_grad(set_to_none=True)
        objective(dots(16, generator), generator).total.backward()
        optimizer.step()
    assert isinstance(objective, DrawingObjective)
    with torch.no_grad():
        original, made = objective.reconstruct(dots(64, generator))
    background = objective.scene.background
    errors = centroid_errors(*(centroids(each, background, 0.1) for each in (original, made)))
    assert errors.num_missed == 0
    assert errors.distances.mean() < 4
    assert objective.scene.moving(made).sum() < 16 * objective.scene.moving(original).sum()


def test_a_decoder_draws_from_the_features_of_an_encoder_that_stands_still() -> None:
    with drawn_from(0):
        objective = FrameDecoder(convolutions())
    figures = train(objective, count=8, steps=100, batch=8, rate=3e-3).figures
    assert figures["reconstruction/ratio_to_mean_picture"] < 0.6


def test_labels_are_predicted() -> None:
    figures = train(make("reward_induced"), count=16, steps=120, batch=16, rate=1e-2).figures
    assert figures["labels/explained_row"] > 0.5
    assert figures["labels/explained_column"] > 0.5


def test_a_transition_is_predicted() -> None:
    figures = train(make("transition"), count=128, steps=60, batch=64, rate=1e-2).figures
    assert figures["transition/ratio_to_persistence"] < 0.05
    assert 0.95 < figures["transition/r2"] < 1


def test_views_of_one_square_are_found_among_those_of_others() -> None:
    with drawn_from(0):
        objective = SimCLR(convolutions())
    trained = train(objective, count=64, steps=20, batch=16, rate=1e-3)
    assert trained.last_loss < math.log(2 * 16 - 1) - 0.7
    assert trained.figures["representation/effective_rank"] > 3


def test_byol_agrees_with_its_slow_copy_without_a_collapse() -> None:
    with drawn_from(0):
        objective = BYOL(convolutions())
    trained = train(objective, count=64, steps=20, batch=16, rate=1e-3)
    assert trained.last_loss < 1.5  # 4 are two right angles
    assert trained.figures["representation/effective_rank"] > 3


def test_barlow_twins_correlates_views_and_no_features() -> None:
    with drawn_from(0):
        objective = BarlowTwins(convolutions())
    trained = train(objective, count=64, steps=20, batch=16, rate=1e-3)
    assert trained.last_loss < 0.5 * 256
    assert trained.figures["representation/effective_rank"] > 3


def test_features_foretell_themselves_and_differ_from_each_other() -> None:
    objective = KINDS["temporal_barlow"]()
    trained = train(objective, count=64, steps=20, batch=16, rate=1e-3)
    assert trained.last_loss < 0.2 * SHAPES.feature_size
    assert trained.figures["representation/effective_rank"] > 3


@pytest.mark.parametrize("kind", ["vae", "conv_autoencoder", "state_decoder", "frame_decoder"])
def test_what_draws_starts_from_the_mean_picture(kind: str) -> None:
    objective = make(kind).eval()
    samples = squares(objective.needs, 16)
    objective.fit(samples)
    ratio = objective.diagnose(samples)["reconstruction/ratio_to_mean_picture"]
    assert ratio.item() == pytest.approx(1.0, abs=0.1)
