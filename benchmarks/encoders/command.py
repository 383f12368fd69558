"""What training and using the VAE costs, beside a plain implementation.

    python -m benchmarks.encoders --repeats 5
    python -m benchmarks.encoders --dataset data/car

Arms live in one run and take turns, so that a busy machine slows all of them; ratios to the plain
one are taken turn by turn. Frames are made up, and none is read from disk, unless a dataset is
given: then the loop of --train_encoder and the encoding of --encode are measured on it.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from agents.encoders.objective import DataShapes, Samples
from agents.encoders.preprocessing import FramePreprocessing
from agents.encoders.vae import VAE
from agents.steps.adam import FusedAdam
from benchmarks.encoders.on_disk import CPU, DatasetEncoding, LoopTraining, PlainEncoding, frames_of
from benchmarks.encoders.plain import LATENTS, PlainTraining
from benchmarks.log import add_log_flag, recording
from benchmarks.measuring import spread
from training.ranks.allocator import keep_freed_memory
from training.ranks.distributed import process_group, read_place

SIDE, CHANNELS, SEED = 64, 3, 0
NUM_FRAMES = 2048
ENCODED = (1, 16, 64, 256)  # batch sizes


class Training(Protocol):
    """What is timed."""

    images_per_step: int

    def step(self) -> None:
        """Learn from one batch."""


class Encoding(Protocol):
    """What is timed of encoding."""

    def step(self) -> int:
        """Encode some observations; return how many."""
        ...


class OwnTraining:
    """The project's VAE, from frames in one tensor.

    Args:
        frames: uint8 [N, 64, 64, 3].
        batch_size: frames of a step.
        narrow: whether networks compute in bfloat16.
    """

    def __init__(self, frames: NDArray[np.uint8], batch_size: int, *, narrow: bool) -> None:
        preprocessing = FramePreprocessing(SIDE, SIDE, CHANNELS)
        self.objective = VAE.create(DataShapes(preprocessing, LATENTS))
        self.images_per_step = batch_size
        self._frames = torch.from_numpy(frames)
        self._narrow = narrow
        self._optimizer = FusedAdam(
            [{"params": list(self.objective.parameters()), "lr": 1e-3}], eps=1e-8
        )
        self._generator = torch.Generator().manual_seed(SEED)

    def step(self) -> None:
        """Learn from one batch, drawn at random."""
        rows = torch.randint(
            0, len(self._frames), (self.images_per_step,), generator=self._generator
        )
        with self._precision():
            losses = self.objective(Samples(observations=self._frames[rows]), self._generator)
        self.objective.zero_grad(set_to_none=True)
        losses.total.backward()
        self._optimizer.step()

    @torch.no_grad()
    def encode(self, batch_size: int) -> None:
        """Encode the first frames."""
        with self._precision():
            self.objective.encoder.encode(self._frames[:batch_size])

    def _precision(self) -> AbstractContextManager[object]:
        return torch.autocast("cpu", torch.bfloat16) if self._narrow else nullcontext()


def rate(work: Callable[[], object], times: int, images: int) -> float:
    """Return images per CPU-second of all threads of this process."""
    began = time.process_time()
    for _ in range(times):
        work()
    return times * images / (time.process_time() - began)


def train_table(frames: NDArray[np.uint8], repeats: int, images: int) -> str:
    """Return a row for each way to train."""
    arms: dict[str, Training] = {
        "plain, batch 32": PlainTraining(frames),
        "float32, batch 32": OwnTraining(frames, 32, narrow=False),
        "bfloat16, batch 32": OwnTraining(frames, 32, narrow=True),
        "float32, batch 128": OwnTraining(frames, 128, narrow=False),
        "bfloat16, batch 128": OwnTraining(frames, 128, narrow=True),
    }
    return _table("training", _in_turns(arms, repeats, images))


def encode_table(frames: NDArray[np.uint8], repeats: int, images: int) -> str:
    """Return a row for each batch size and precision."""
    arms = {
        f"{name}, batch {size}": (OwnTraining(frames, size, narrow=narrow), size)
        for name, narrow in (("float32", False), ("bfloat16", True))
        for size in ENCODED
    }
    rates: dict[str, list[float]] = {name: [] for name in arms}
    for repeat in range(-1, repeats):
        for name, (arm, size) in arms.items():
            found = rate(partial(arm.encode, size), max(1, images // size), size)
            if repeat >= 0:
                rates[name].append(found)
    return _table("encoding", rates)


def disk_tables(folder: Path, repeats: int, images: int) -> list[str]:
    """Return the rows of training and of encoding on a dataset, and how long loading took."""
    dataset, frames = frames_of(folder, NUM_FRAMES)
    with ExitStack() as stack:
        stack.enter_context(process_group(read_place(), CPU, 60.0, 60.0))
        loops = {
            f"the loop, {where}, {name}, batch 32": LoopTraining(
                dataset, 32, stack, narrow=narrow, decoded=decoded
            )
            for where, decoded in (("decoded once", True), ("from disk", False))
            for name, narrow in (("float32", False), ("bfloat16", True))
        }
        arms: dict[str, Training] = {"plain, batch 32, in memory": PlainTraining(frames), **loops}
        training = _table("training on a dataset", _in_turns(arms, repeats, images))
        waits = [f"{name}: {loop.waited / loop.worked:.1%}" for name, loop in loops.items()]
    encodings: dict[str, Encoding] = {
        "plain, batch 1, in memory": PlainEncoding(frames),
        "whole episodes, from disk": DatasetEncoding(dataset),
    }
    rates: dict[str, list[float]] = {name: [] for name in encodings}
    for repeat in range(-1, repeats):
        for name, arm in encodings.items():
            began, done = time.process_time(), 0
            while done < images:
                done += arm.step()
            if repeat >= 0:
                rates[name].append(done / (time.process_time() - began))
    waited = "share of a step that waits for data: " + "; ".join(waits)
    return [training, waited, _table("encoding a dataset", rates)]


def _in_turns(arms: dict[str, Training], repeats: int, images: int) -> dict[str, list[float]]:
    """Return images per CPU-second of each arm, turn by turn; the first turn does not count."""
    rates: dict[str, list[float]] = {name: [] for name in arms}
    for repeat in range(-1, repeats):
        for name, arm in arms.items():
            times = max(1, images // arm.images_per_step)
            found = rate(arm.step, times, arm.images_per_step)
            if repeat >= 0:
                rates[name].append(found)
    return rates


def _table(title: str, rates: dict[str, list[float]]) -> str:
    lines = [f"| {title} | images per CPU-second | x the first row |", "|---|---|---|"]
    first = next(iter(rates.values()))
    for name, own in rates.items():
        ratios = [one / base for one, base in zip(own, first, strict=True)]
        lines.append(f"| {name} | {spread(own)} | {spread(ratios, 2)} |")
    return "\n".join(lines)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.encoders",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--repeats", type=int, default=5, help="turns of each arm (%(default)s)")
    parser.add_argument("--images", type=int, default=512, help="of a turn (%(default)s)")
    parser.add_argument("--dataset", type=Path, help="of frames of 64 x 64 pixels, on disk")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (%(default)s)")
    add_log_flag(parser)
    options = parser.parse_args(argv)
    if min(options.repeats, options.images, options.threads) < 1:
        parser.error("--repeats, --images and --threads must be at least 1")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and add to the log; return the exit code."""
    options = parse(argv)
    torch.set_num_threads(options.threads)
    keep_freed_memory()  # as every training does
    torch.manual_seed(SEED)
    shape = (NUM_FRAMES, SIDE, SIDE, CHANNELS)
    frames = np.random.default_rng(SEED).integers(0, 256, shape, np.uint8)
    with recording("encoders", options, ("torch", "numpy")) as record:
        if options.dataset is not None:
            for table in disk_tables(options.dataset, options.repeats, options.images):
                record.say(table)
            return 0
        record.say(train_table(frames, options.repeats, options.images))
        record.say(encode_table(frames, options.repeats, options.images))
    return 0
