"""What writing costs a collection: environments stepped with and without a dataset behind them.

    python -m benchmarks.collecting
    python -m benchmarks.collecting --recipes configs/Sprites/collect.conf --episodes 400

Both ways step the same environments through the same loop, with the same policy and the same
episodes; the first drops what was lived, the second writes it. They take turns, and each starts
workers of its own. Start and end of the workers do not count for the time on the wall; the CPU time
is that of all processes, the end of the writing included.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.log import add_log_flag, recording
from benchmarks.measuring import spread
from benchmarks.runs import PROJECT
from configs.errors import ScoutError
from configs.loading import load_config
from configs.schema import Config
from training.collecting.playing import TakeEpisode, play_numbers
from training.collecting.policies import RandomPolicy
from training.recording.describing import describe, episode_of, schema_from_spec
from training.recording.recorder import Lived
from training.recording.writing import WritingThread
from trajectories.episode import Value
from trajectories.writer import ShardWriter
from workers.environment_pool import EnvironmentPool
from workers.opening import Sizes, open_pool

PACKAGES = ("numpy", "gymnasium", "pyarrow", "Box2D")


@dataclass(frozen=True)
class Timing:
    """One turn: frames, bytes on disk, seconds on the wall and of all processors."""

    frames: int
    num_bytes: int
    wall: float
    cpu: float


def measure(config: Config, options: argparse.Namespace, *, writes: bool) -> Timing:
    """Play the episodes once."""
    sizes = Sizes(options.parallelism, 1, 1, 0, None, options.parallelism, made_alike=True)
    cpu = _cpu_seconds()
    with open_pool(config, sizes, with_states=True) as pool, tempfile.TemporaryDirectory() as out:
        timing = (_writing if writes else _dropping)(pool, config, options.episodes, Path(out))
    return Timing(*timing, _cpu_seconds() - cpu)


def _dropping(
    pool: EnvironmentPool, config: Config, episodes: int, out: Path
) -> tuple[int, int, float]:
    began = time.monotonic()
    frames = _play(pool, episodes, lambda number, lived: None)
    return frames, 0, time.monotonic() - began


def _writing(
    pool: EnvironmentPool, config: Config, episodes: int, out: Path
) -> tuple[int, int, float]:
    began = time.monotonic()
    schema = schema_from_spec(pool.spec, None)
    writer = ShardWriter(
        out, schema, describe(config.environment, "random", None, None), "benchmark"
    )
    with WritingThread(writer) as thread:

        def take(number: int, lived: Lived) -> None:
            values: dict[str, Value] = {"id": str(number), "number": number}
            thread.put(partial(episode_of, lived, schema, None, values), lived.num_bytes)

        frames = _play(pool, episodes, take)
    return frames, writer.num_bytes, time.monotonic() - began


def _play(pool: EnvironmentPool, episodes: int, take: TakeEpisode) -> int:
    policies = [RandomPolicy(pool.spec) for _ in range(pool.num_environments)]
    return play_numbers(pool, policies, range(episodes), 1, take, lambda tally: True).frames


def _cpu_seconds() -> float:
    """Return the processor time of this process and of all that it has waited for."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def table(timings: Mapping[str, Sequence[tuple[Timing, Timing]]]) -> str:
    """Return one row per recipe: medians with their range, ratios turn by turn."""
    lines = [
        "| | frames/s without | frames/s written | written / without | CPU us per frame without | "
        "CPU us written | CPU without / written | B per frame |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, turns in timings.items():
        cells = (
            spread([plain.frames / plain.wall for plain, _ in turns]),
            spread([own.frames / own.wall for _, own in turns]),
            spread([plain.wall / own.wall for plain, own in turns], 2),
            spread([plain.cpu / plain.frames * 1e6 for plain, _ in turns]),
            spread([own.cpu / own.frames * 1e6 for _, own in turns]),
            spread([plain.cpu / own.cpu for plain, own in turns], 2),
            spread([own.num_bytes / own.frames for _, own in turns]),
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.collecting",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = ("CarRacing", "Sprites", "LunarLander")
    default = [PROJECT / "configs" / name / "collect.conf" for name in names]
    parser.add_argument("--recipes", nargs="+", type=Path, default=default, metavar="PATH")
    parser.add_argument("--episodes", type=int, default=40, help="of each turn (%(default)s)")
    parser.add_argument("--max_steps", type=int, default=200, help="of an episode (%(default)s)")
    parser.add_argument("--parallelism", type=int, default=2, help="at once (%(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="turns of each way (%(default)s)")
    add_log_flag(parser)
    options = parser.parse_args(argv)
    if min(options.episodes, options.max_steps, options.parallelism, options.repeats) < 1:
        parser.error("--episodes, --max_steps, --parallelism and --repeats must be at least 1")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and add to the log; return the exit code."""
    options = parse(argv)
    try:
        with recording("collecting", options, PACKAGES) as record:
            timings: dict[str, list[tuple[Timing, Timing]]] = {}
            for recipe in options.recipes:
                config = load_config(recipe, [f"MaxStepPerEpisode={options.max_steps}"]).config
                timings[recipe.parent.name] = [
                    (
                        measure(config, options, writes=False),
                        measure(config, options, writes=True),
                    )
                    for _ in range(options.repeats)
                ]
            record.say(table(timings))
    except ScoutError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
