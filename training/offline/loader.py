"""Batches made by a thread while the last one is trained on."""

import queue
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import torch

from agents.encoders.objective import Samples
from training.offline.samples import Source
from trajectories.sampling import Position

AHEAD = 3  # batches that are made before they are asked for
SECONDS_BETWEEN_LOOKS = 0.1


class Loader:
    """Hands out batches of a source from a position on; it knows the position after each.

    Reading, decompressing and copying leave Python's lock, so a thread is enough: it works beside
    torch.

    Args:
        source: of batches.
        position: where to begin.
        device: where batches are wanted.

    Attributes:
        position: after the last batch that was handed out.
    """

    def __init__(self, source: Source, position: Position, device: torch.device) -> None:
        self.position = position
        self._device = device
        self._ready: queue.Queue[tuple[Samples, Position] | BaseException] = queue.Queue(AHEAD)
        self._is_over = threading.Event()
        batches = source.batches(position)
        self._thread = threading.Thread(
            target=self._fill, args=(batches,), name="loader", daemon=True
        )
        self._thread.start()

    def next(self) -> Samples:
        """Return the next batch, on the device.

        Raises:
            DatasetError: a row of it is damaged.
        """
        made = self._ready.get()
        if isinstance(made, BaseException):
            raise made
        samples, self.position = made
        return on_device(samples, self._device)

    def close(self) -> None:
        """End the thread."""
        self._is_over.set()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _fill(self, batches: Iterator[tuple[Samples, Position]]) -> None:
        try:
            for samples, position in batches:
                if not self._hand_over((_pinned(samples, self._device), position)):
                    return
        except BaseException as error:  # noqa: BLE001 - raised again where the batch is asked for
            self._hand_over(error)

    def _hand_over(self, made: tuple[Samples, Position] | BaseException) -> bool:
        """Wait for room; return whether anybody still wants it."""
        while not self._is_over.is_set():
            try:
                self._ready.put(made, timeout=SECONDS_BETWEEN_LOOKS)
            except queue.Full:
                continue
            return True
        return False


def on_device(samples: Samples, device: torch.device) -> Samples:
    """Return the samples on a device."""
    return Samples(*(v if v is None else v.to(device, non_blocking=True) for v in samples))


def part_of(samples: Samples, part: slice) -> Samples:
    """Return some of the samples."""
    return Samples(*(v if v is None else v[part] for v in samples))


def size_of(samples: Samples) -> int:
    """Return how many samples there are."""
    return next(len(values) for values in samples if values is not None)


def _pinned(samples: Samples, device: torch.device) -> Samples:
    """Return the samples where a GPU copies them by itself."""
    if device.type != "cuda":
        return samples
    return Samples(*(v if v is None else v.pin_memory() for v in samples))
