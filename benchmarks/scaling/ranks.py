"""Several ranks on a core each beside one rank on one core."""

import argparse
import os
import statistics
from collections.abc import Mapping, Sequence

from benchmarks.measuring import spread
from benchmarks.timed_runs import Plan, Timing, time_in_turns
from configs.errors import ConfigurationError

ALONE = "1 rank, 1 core"
# The paper trains the predictor on a smaller part of more samples, which would pass for speed.
COMMON = ("LearnerThreads=1", "UpdateProportion=0.25")


def plans(options: argparse.Namespace) -> dict[str, Plan]:
    """Return one rank alone; R ranks that share its environments; R ranks with as many each.

    The global minibatch is that of one rank alone in the first case of R ranks, and R times as
    large in the second.

    Raises:
        ConfigurationError: there are fewer than R cores, or the environments cannot be shared out.
    """
    cores, ranks, num_envs = sorted(os.sched_getaffinity(0)), options.ranks, options.num_envs
    if len(cores) < ranks:
        raise ConfigurationError(f"{ranks} ranks need as many cores; this machine has {len(cores)}")
    if num_envs % ranks:
        raise ConfigurationError(f"{num_envs} environments cannot be shared out to {ranks} ranks")

    def plan(num_ranks: int, envs_of_rank: int) -> Plan:
        return Plan(
            recipe=options.recipe,
            overrides=(*COMMON, *options.set),
            updates=options.updates,
            num_envs=envs_of_rank,
            ranks=num_ranks,
            cores=tuple(cores[:num_ranks]),
        )

    several = f"{ranks} ranks, {ranks} cores"
    return {
        ALONE: plan(1, num_envs),
        f"{several}, {num_envs // ranks} environments each (strong)": plan(
            ranks, num_envs // ranks
        ),
        f"{several}, {num_envs} environments each (weak)": plan(ranks, num_envs),
    }


def measure(options: argparse.Namespace) -> str:
    """Run all layouts in turns; return the table."""
    layouts = plans(options)
    return table(layouts, time_in_turns(layouts, options.repeats))


def table(layouts: Mapping[str, Plan], timings: Mapping[str, Sequence[Timing]]) -> str:
    """Return one row per layout: medians with their range, ratios turn by turn.

    Other load on the machine takes wall time and hardly any CPU time. The last ratio is the speed
    of R cores that are never idle, R x CPU time alone / CPU time; what ranks wait for each other is
    not in it.
    """
    lines = [
        "| | env steps/s | CPU us per step | speed / alone | speed by CPU time / alone | MB |",
        "|---|---|---|---|---|---|",
    ]
    for name, own in timings.items():
        ranks = layouts[name].ranks or 1
        pairs = list(zip(own, timings[ALONE], strict=True))
        cells = (
            spread([timing.steps_per_second for timing in own]),
            spread([timing.cpu for timing in own]),
            spread([timing.steps_per_second / base.steps_per_second for timing, base in pairs], 2),
            spread([ranks * base.cpu / timing.cpu for timing, base in pairs], 2),
            f"{statistics.median(timing.memory for timing in own):,.0f}",
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)
