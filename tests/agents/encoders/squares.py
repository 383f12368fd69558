"""A bright square on a shaded ground, and every objective built small for it."""

from collections.abc import Callable

import torch
from torch import Tensor

from agents.encoders.barlow_twins import BarlowTwins
from agents.encoders.byol import BYOL
from agents.encoders.contrastive import SimCLR
from agents.encoders.conv_autoencoder import ConvAutoencoder
from agents.encoders.convolutional import ConvolutionEncoder
from agents.encoders.encoder import StateEncoder
from agents.encoders.frame_decoder import FrameDecoder
from agents.encoders.objective import DataShapes, Needs, Objective, Samples
from agents.encoders.preprocessing import FramePreprocessing, VectorPreprocessing
from agents.encoders.registry import OBJECTIVES
from agents.encoders.reward_induced import RecurrentEncoder
from agents.encoders.transition import Transition
from agents.encoders.vae import VAE
from tests.agents.small import drawn_from

SIDE, SQUARE = 64, 16
LABELS = ("row", "column")
SHAPES = DataShapes(
    FramePreprocessing(SIDE, SIDE, 1), feature_size=6, state_size=2, action_size=2, labels=LABELS
)


class SteadyVAE(VAE):
    """Its noise depends on the sample alone, so that ranks draw what one process would."""

    def _noise(self, mean: Tensor, generator: torch.Generator) -> Tensor:
        return torch.sin(1e3 * mean.detach())


def convolutions() -> ConvolutionEncoder:
    return ConvolutionEncoder(FramePreprocessing(SIDE, SIDE, 1), feature_size=6)


def recurrent() -> RecurrentEncoder:
    return RecurrentEncoder(FramePreprocessing(SIDE, SIDE, 1), feature_size=6)


# Views that draw nothing: the second one shows what followed.
PLAIN = {"neighbours": True, "view": "none"}
KINDS: dict[str, Callable[[], Objective]] = {
    "vae": lambda: SteadyVAE.create(SHAPES),
    "simclr": lambda: SimCLR(convolutions(), hidden_size=8, projection_size=5, **PLAIN),  # type: ignore[arg-type]
    "byol": lambda: BYOL(convolutions(), hidden_size=8, projection_size=5, **PLAIN),  # type: ignore[arg-type]
    "barlow_twins": lambda: BarlowTwins(convolutions(), projection_sizes=(8, 5), **PLAIN),  # type: ignore[arg-type]
    "temporal_barlow": lambda: OBJECTIVES["temporal_barlow"].create(SHAPES),
    "conv_autoencoder": lambda: ConvAutoencoder.create(SHAPES),
    "state_autoencoder": lambda: OBJECTIVES["state_autoencoder"].create(SHAPES),
    "state_decoder": lambda: OBJECTIVES["state_decoder"].create(SHAPES),
    "reward_induced": lambda: OBJECTIVES["reward_induced"](recurrent(), labels=LABELS, steps=4),  # type: ignore[call-arg]
    "frame_decoder": lambda: FrameDecoder(recurrent(), steps=4),
    "transition": lambda: Transition(
        StateEncoder(VectorPreprocessing(2)), action_size=2, discrete_actions=False
    ),
}


def make(kind: str, seed: int = 0) -> Objective:
    """Build an objective, alike whenever its arguments are."""
    with drawn_from(seed):
        return KINDS[kind]()


def draw(positions: Tensor) -> Tensor:
    """Draw squares with their corners at positions [..., 2] in [0, 1]; uint8 [..., H, W, 1]."""
    corners = (positions * (SIDE - SQUARE)).round().unsqueeze(-1)
    inside = (torch.arange(SIDE) >= corners) & (torch.arange(SIDE) < corners + SQUARE)
    square = inside[..., 0, :].unsqueeze(-1) & inside[..., 1, :].unsqueeze(-2)
    ground = torch.arange(SIDE).expand(SIDE, SIDE)
    return torch.where(square, 220, ground).to(torch.uint8).unsqueeze(-1)


def squares(needs: Needs, count: int, seed: int = 0) -> Samples:
    """Play with `count` squares, each pushed by its actions; the fields that are needed."""
    generator = torch.Generator().manual_seed(seed)
    steps = needs.steps
    positions = torch.rand(count, 1, 2, generator=generator) * 0.6 + 0.2
    actions = torch.rand(count, steps, 2, generator=generator) * 0.2 - 0.1
    walked = (positions + actions.cumsum(dim=1)).clamp(0.0, 1.0)
    states = torch.cat([positions, walked], dim=1)
    mask = torch.ones(count, steps, dtype=torch.bool)
    mask[::2, steps // 2 + 1 :] = False  # every other window is a short one
    everything = {
        "observations": draw(states[:, :-1]),
        "next_observations": draw(states[:, 1:]),
        "states": states[:, :-1],
        "next_states": states[:, 1:],
        "actions": actions,
        "labels": states[:, :-1],
        "mask": mask,
    }
    taken = {name: everything[name] for name in needs.fields}
    return Samples(**(taken if steps > 1 else {name: x[:, 0] for name, x in taken.items()}))


def part(samples: Samples, rows: slice | Tensor) -> Samples:
    """Return some of the samples."""
    return Samples(*(field if field is None else field[rows] for field in samples))


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
