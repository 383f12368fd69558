"""The VAE on a dataset on disk: the loop of --train_encoder, and the encoding of --encode.

Beside each stands the plain implementation on the same frames, which are in memory there.
"""

import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from agents.encoders.vae import VAE
from benchmarks.encoders.plain import LATENTS, PlainTraining
from training.offline.encoding import latents_of
from training.offline.loader import Loader
from training.offline.samples import open_source
from training.offline.shapes import shapes_of
from training.offline.steps import Steps
from trajectories.memory import in_memory
from trajectories.reader import Dataset, open_dataset
from trajectories.sampling import Position

CPU = torch.device("cpu")
ROOM = 8_000_000_000  # bytes that a decoded dataset may take


class LoopTraining:
    """Batches of a dataset by the loader's thread, and the loop's optimiser steps.

    Args:
        dataset: of frames of 64 x 64 pixels.
        batch_size: frames of a step.
        narrow: whether networks compute in bfloat16.
        decoded: whether the dataset is decoded into memory once.
        stack: ends the loader's thread.

    Attributes:
        waited: seconds spent waiting for batches, in all.
        worked: seconds of all steps, waiting included.
    """

    def __init__(
        self, dataset: Dataset, batch_size: int, stack: ExitStack, *, narrow: bool, decoded: bool
    ) -> None:
        module = VAE.create(shapes_of(dataset.info.schema, LATENTS)).train()
        if decoded:
            dataset = in_memory(dataset, ROOM, lambda _: None)
        source = open_source(dataset, module.needs, batch_size=batch_size, seed=0)
        self.images_per_step = batch_size
        self.waited = self.worked = 0.0
        self._loader = stack.enter_context(Loader(source, Position(), CPU))
        self._steps = Steps(
            module,
            learning_rate=1e-3,
            max_grad_norm=None,
            precision=torch.bfloat16 if narrow else torch.float32,
        )
        self._generator = torch.Generator().manual_seed(0)

    def step(self) -> None:
        """Learn from one batch."""
        began = time.monotonic()
        samples = self._loader.next()
        self.waited += time.monotonic() - began
        self._steps.take(samples, self._generator, 0.0)
        self.worked += time.monotonic() - began


class DatasetEncoding:
    """Whole episodes, read from disk and encoded as --encode does."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._encoder = VAE.create(shapes_of(dataset.info.schema, LATENTS)).encoder.eval()
        self._next = 0

    def step(self) -> int:
        """Encode the next episode; return its observations."""
        episode = self._dataset.episode(self._next % len(self._dataset))
        self._next += 1
        latents_of(self._encoder, episode.observations)
        return len(episode.observations)


class PlainEncoding:
    """One frame at a time, as an agent's environment gives them."""

    def __init__(self, frames: NDArray[np.uint8]) -> None:
        self._frames = frames
        self._model = PlainTraining(frames).model.eval()
        self._next = 0

    @torch.no_grad()
    def step(self) -> int:
        """Encode the next 64 frames; return how many."""
        for _ in range(64):
            frame = self._frames[self._next % len(self._frames)]
            picture = torch.from_numpy(frame.transpose(2, 0, 1)).float().div(255.0)
            self._model.encode(picture.unsqueeze(0))
            self._next += 1
        return 64


def frames_of(folder: Path, count: int) -> tuple[Dataset, NDArray[np.uint8]]:
    """Return a dataset, and the frames of its first episodes, [n, 64, 64, 3] with n >= count."""
    dataset = open_dataset(folder)
    parts: list[NDArray[np.uint8]] = []
    for episode in dataset.scan():
        parts.append(episode.observations)
        if sum(map(len, parts)) >= count:
            break
    return dataset, np.concatenate(parts)
