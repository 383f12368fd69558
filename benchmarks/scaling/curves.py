"""Time and memory against environments, ranks, feature width and rollout length."""

import argparse
import csv
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.scaling.fit import fit_line
from benchmarks.scaling.ranks import COMMON
from benchmarks.timed_runs import Plan, Timing, time_run

SWEEPS = ("environments", "ranks", "feature width", "rollout length")
Quantity = Callable[[Timing], float]
QUANTITIES: dict[str, Quantity] = {
    "CPU us per env step": lambda timing: timing.cpu,
    "wall us per env step": lambda timing: timing.wall,
    "CPU s per update": lambda timing: timing.cpu * timing.steps_per_update / 1e6,
    "MB": lambda timing: timing.memory,
}


@dataclass(frozen=True)
class Sweep:
    """One quantity of a run at several values, all others at their base.

    Attributes:
        name: of the quantity.
        values: at least two.
        plan: the run at a value.
    """

    name: str
    values: Sequence[int]
    plan: Callable[[int], Plan]


@dataclass(frozen=True)
class Point:
    """One run of a sweep."""

    sweep: str
    value: int
    timing: Timing


def sweeps(options: argparse.Namespace) -> list[Sweep]:
    """Return what is to be varied; ranks keep their number of environments each."""
    share = max(1, options.num_envs // max(options.rank_counts))

    def plan(*settings: str, num_envs: int = options.num_envs, ranks: int | None = None) -> Plan:
        length = f"NumStep={options.rollout_steps}"
        return Plan(
            recipe=options.recipe,
            overrides=(*COMMON, length, *options.set, *settings),
            updates=options.updates,
            num_envs=num_envs,
            ranks=ranks,
        )

    values = (options.environments, options.rank_counts, options.widths, options.lengths)
    makers = (
        lambda value: plan(num_envs=value),
        lambda value: plan(num_envs=share, ranks=value),
        lambda value: plan(f"FeatureDim={value}"),
        lambda value: plan(f"NumStep={value}"),
    )
    every = zip(SWEEPS, values, makers, strict=True)
    return [Sweep(name, own, make) for name, own, make in every if name in options.sweeps]


def measure(options: argparse.Namespace) -> list[Point]:
    """Run all points, `repeats` times over; add each run's row to curves.csv at once.

    Raises:
        ConfigurationError: a run's recipe cannot be read; nothing has been run.
    """
    todo = [(sweep, value) for sweep in sweeps(options) for value in sweep.values]
    for sweep, value in todo:
        sweep.plan(value).check()
    points = []
    options.folder.mkdir(parents=True, exist_ok=True)
    with (options.folder / "curves.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sweep", "value", *QUANTITIES])
        for repeat in range(options.repeats):
            for sweep, value in todo:
                told = f"turn {repeat + 1} of {options.repeats}: {value} ({sweep.name})"
                print(told, file=sys.stderr, flush=True)
                point = Point(sweep.name, value, time_run(sweep.plan(value)))
                points.append(point)
                writer.writerow([sweep.name, value, *_numbers(point)])
                file.flush()
    return points


def tables(points: Sequence[Point]) -> str:
    """Return for each sweep a table of medians, and one of the lines through all its points."""
    return "\n\n".join(
        part
        for name in dict.fromkeys(point.sweep for point in points)
        for part in _tables([point for point in points if point.sweep == name])
    )


def readable(number: float) -> str:
    """Return three digits at least, and no exponent where there are more."""
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def _tables(points: Sequence[Point]) -> tuple[str, str]:
    name = points[0].sweep
    measured = [f"| {name} | {' | '.join(QUANTITIES)} |", "|---" * (len(QUANTITIES) + 1) + "|"]
    for value in dict.fromkeys(point.value for point in points):
        rows = [_numbers(point) for point in points if point.value == value]
        cells = [readable(statistics.median(column)) for column in zip(*rows, strict=True)]
        measured.append(f"| {value} | {' | '.join(cells)} |")
    fitted = [f"| a + b x {name} | a | b | largest residual |", "|---|---|---|---|"]
    for quantity, of in QUANTITIES.items():
        line = fit_line([point.value for point in points], [of(point.timing) for point in points])
        cells = [readable(number) for number in (line.intercept, line.slope, line.residual)]
        fitted.append(f"| {quantity} | {' | '.join(cells)} |")
    return "\n".join(measured), "\n".join(fitted)


def _numbers(point: Point) -> list[float]:
    return [of(point.timing) for of in QUANTITIES.values()]
