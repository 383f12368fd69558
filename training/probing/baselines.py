"""What an encoder is measured against: itself untrained, PCA of the frames, supervised training."""

import numpy as np
import torch
from torch import nn

from agents.encoders.encoder import Encoder
from agents.encoders.objective import Needs, Samples, given
from agents.encoders.registry import build_encoder
from agents.networks.batch_norm import follow_batch
from training.building.seeding import stream_seed
from training.offline.loader import on_device
from training.offline.samples import open_source
from training.probing.ridge import Floats, Scale
from training.probing.rows import Rows
from trajectories.episode import Array
from trajectories.reader import Dataset
from trajectories.sampling import Position

PCA_FRAMES = 1500  # that the components are taken from: they cost the square of it
WINDOW = 30  # steps that an encoder with a memory is shown
BATCH_FRAMES, BATCH_WINDOWS = 64, 8
LEARNING_RATE = 1e-3


def untrained(encoder: Encoder, seed: int) -> Encoder:
    """Return an encoder of the same kind and size, with the same preprocessing and new weights."""
    device = next(encoder.parameters()).device
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, "untrained encoder"))
        made = build_encoder(encoder.facts)
    made.preprocessing.load_state_dict(encoder.preprocessing.state_dict())
    return made.to(device).eval()


def supervised(
    encoder: Encoder, dataset: Dataset, states: Floats, steps: int, seed: int
) -> Encoder:
    """Return an encoder of the same kind that was trained end to end to tell the state.

    By the mean squared error of the standardised state, through a linear layer, with Adam.

    Args:
        encoder: which kind; it is not changed.
        dataset: to train on.
        states: [N, S], whose scale is taken.
        steps: of the optimiser.
        seed: of weights and of the order of the data.
    """
    made = untrained(encoder, seed).train()
    device = next(made.parameters()).device
    scale = Scale.of(states)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, "supervised head"))
        head = nn.Linear(made.feature_size, states.shape[1]).to(device)
    parameters = [*made.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=LEARNING_RATE)
    window = 1 if made.initial_memory(1) is None else WINDOW
    needs = Needs(("observations", "states", "mask"), window)
    if window == 1:
        needs = Needs(("observations", "states"))
    size = min(BATCH_FRAMES, dataset.num_frames)
    if window > 1:
        size = min(BATCH_WINDOWS, int((-(-dataset.lengths // window)).sum()))
    source = open_source(dataset, needs, batch_size=size, seed=stream_seed(seed, "supervised data"))
    batches = source.batches(Position())
    mean, deviation = (
        torch.from_numpy(each).float().to(device) for each in (scale.mean, scale.deviation)
    )
    for _ in range(steps):
        samples = on_device(next(batches)[0], device)
        features, states_seen = _seen(made, samples)
        error = (head(features) - (states_seen - mean) / deviation).square().mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        follow_batch(made)
    return made.eval().requires_grad_(False)


def _seen(encoder: Encoder, samples: Samples) -> tuple[torch.Tensor, torch.Tensor]:
    """Return features [K, D] and states [K, S] of all observations, fillings left out."""
    observations, states = given(samples, "observations"), given(samples, "states")
    if samples.mask is None:
        return encoder.encode(observations)[0], states
    features = encoder.encode_sequence(observations, samples.mask)
    return features[samples.mask], states[samples.mask]


def principal_components(values: Floats, count: int) -> tuple[Floats, Floats]:
    """Return the mean [P] and the first principal directions [K, P] of values [N, P].

    Pearson 1901; from the Gram matrix, as there are fewer samples than numbers of a frame. K is
    `count`, or how many directions there are where these are fewer.
    """
    mean = values.mean(axis=0)
    centred = values - mean
    if len(centred) >= centred.shape[1]:
        _, singular, right = np.linalg.svd(centred, full_matrices=False)
        kept = singular > 1e-9 * max(float(singular[0]), 1e-300)
        return mean, np.asarray(right[kept][:count])
    energies, left = np.linalg.eigh(centred @ centred.T)
    energies, left = energies[::-1], left[:, ::-1]
    kept = energies > 1e-12 * max(float(energies[0]), 1e-300)
    few, singular = left[:, kept][:, :count], np.sqrt(energies[kept][:count])
    return mean, np.asarray((few / singular).T @ centred)


def pca_features(rows: Rows, others: Rows, count: int) -> tuple[Floats, Floats]:
    """Return PCA's features of two sets of frames, [N, K] each, fitted on some of the first."""
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), PCA_FRAMES)).round())
    mean, directions = principal_components(_flat(rows.frames[chosen.astype(np.int64)]), count)
    found = [
        np.concatenate([(_flat(chunk) - mean) @ directions.T for chunk in _chunks(each.frames)])
        for each in (rows, others)
    ]
    return found[0], found[1]


def _flat(frames: Array) -> Floats:
    return frames.reshape(len(frames), -1).astype(np.float64)


def _chunks(frames: Array) -> list[Array]:
    return [frames[first : first + 512] for first in range(0, len(frames), 512)]
