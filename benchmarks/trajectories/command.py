"""What rollouts on disk cost: bytes of a frame, CPU time to write, to slice at random, to scan.

    python -m benchmarks.trajectories
    python -m benchmarks.trajectories --episodes 8 --steps 500 --repeats 4

Frames are those of CarRacing-v3 at 64x64. Stores take turns, all in one process; times are CPU
seconds of all its threads, and ratios are taken round by round. Those that are not installed are
left out (`make peers_venv`).
"""

import argparse
import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.log import add_log_flag, recording
from benchmarks.measuring import spread
from benchmarks.trajectories.car_racing import planar, play
from benchmarks.trajectories.stores import OURS, STORES, Reader, Store
from trajectories.episode import Episode
from trajectories.schema import Schema

PACKAGES = ("numpy", "pyarrow", "minari", "h5py", "pylance", "gymnasium")
NEEDS = {"Minari": "minari", "Lance": "lance"}
SLICE = 32  # steps
SECONDS = 0.5  # CPU, at least, of random slices in a round
LEAST_SLICES = 3


class Cost(NamedTuple):
    """What one round of a store took, in CPU time.

    Attributes:
        frame_bytes: on disk, of one frame with all that belongs to it.
        write: microseconds a frame.
        slice: milliseconds of a random slice.
        scan: microseconds a frame.
    """

    frame_bytes: float
    write: float
    slice: float
    scan: float


def measure(store: Store, schema: Schema, episodes: Sequence[Episode], seed: int) -> Cost:
    """Write, slice and scan once."""
    frames = sum(len(episode.observations) for episode in episodes)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "store"
        folder.mkdir()
        write = _cpu_seconds(lambda: store.write(folder, schema, episodes))
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        reader = store.open(folder)
        check(reader, store, episodes)
        slices = _slice_seconds(reader, episodes, np.random.default_rng(seed))
        scan = _cpu_seconds(lambda: [len(piece) for piece in reader.scan()])
    return Cost(size / frames, 1e6 * write / frames, 1e3 * slices, 1e6 * scan / frames)


def check(reader: Reader, store: Store, episodes: Sequence[Episode]) -> None:
    """See that a slice is what was written: a fast answer must be a right one.

    Raises:
        AssertionError: it is not.
    """
    start = episodes[1].length - SLICE
    frames, actions, rewards = reader.slice(1, start, SLICE)
    wanted = episodes[1].observations[start:]
    if store.is_lossless:
        np.testing.assert_array_equal(frames.reshape(wanted.shape), wanted)
    np.testing.assert_array_equal(actions, episodes[1].actions[start:])
    np.testing.assert_array_equal(rewards, episodes[1].rewards[start:])


def _cpu_seconds(call: Callable[[], object]) -> float:
    begin = time.process_time()
    call()
    return time.process_time() - begin


def _slice_seconds(
    reader: Reader, episodes: Sequence[Episode], stream: np.random.Generator
) -> float:
    taken, count = 0.0, 0
    while taken < SECONDS or count < LEAST_SLICES:
        index = int(stream.integers(len(episodes)))
        start = int(stream.integers(episodes[index].length - SLICE + 1))
        taken += _cpu_seconds(lambda index=index, start=start: reader.slice(index, start, SLICE))  # type: ignore[misc]
        count += 1
    return taken / count


def installed() -> dict[str, Store]:
    """Return the stores whose libraries are here."""
    return {
        name: make()
        for name, make in STORES.items()
        if all(importlib.util.find_spec(NEEDS[n]) for n in NEEDS if name.startswith(n))
    }


def table(costs: Mapping[str, Sequence[Cost]]) -> str:
    """Return a row for each store: medians with their range, and their CPU time in Scout's."""
    lines = [
        "| store | B/frame | write us/frame | 32-step slice ms | scan us/frame "
        "| write / Scout | slice / Scout | scan / Scout |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, own in costs.items():
        size = f"{statistics.median(cost.frame_bytes for cost in own):,.0f}"
        times = [
            spread([getattr(cost, field) for cost in own], digits)
            for field, digits in (("write", 1), ("slice", 2), ("scan", 1))
        ]
        ratios = [
            spread(
                [
                    getattr(other, field) / getattr(ours, field)
                    for ours, other in zip(costs[OURS], own, strict=True)
                ],
                1,
            )
            for field in ("write", "slice", "scan")
        ]
        lines.append(f"| {' | '.join((name, size, *times, *ratios))} |")
    return "\n".join(lines)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.trajectories",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--episodes", type=int, default=8, help="(%(default)s)")
    parser.add_argument("--steps", type=int, default=500, help="of an episode (%(default)s)")
    parser.add_argument("--repeats", type=int, default=4, help="rounds (%(default)s)")
    add_log_flag(parser)
    options = parser.parse_args(argv)
    if options.episodes < 2 or options.steps < SLICE or options.repeats < 1:
        parser.error(f"at least 2 episodes of {SLICE} steps and 1 round are needed")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table, add it to the log."""
    options = parse(argv)
    by_pixel = play(options.episodes, options.steps)
    given = {False: by_pixel, True: planar(*by_pixel)}
    stores = installed()
    costs: dict[str, list[Cost]] = {name: [] for name in stores}
    with recording("trajectories", options, PACKAGES) as record:
        for store in stores.values():  # libraries load and warm up
            measure(store, *given[store.is_planar], 0)
        for number in range(options.repeats):
            for name, store in stores.items():
                costs[name].append(measure(store, *given[store.is_planar], number))
                print(f"round {number + 1}, {name}: {costs[name][-1]}", flush=True)
        record.say(table(costs))
        left_out = sorted(set(STORES) - set(stores))
        if left_out:
            record.say(f"Left out, not installed (make peers_venv): {', '.join(left_out)}")
    return 0
