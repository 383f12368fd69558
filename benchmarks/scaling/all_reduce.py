"""How much ranks tell each other in an update, and how long gloo takes for it."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from agents.ranks import Ranks
from benchmarks.all_reduce.made_up_network import Link
from benchmarks.all_reduce.sums import LinkRefusedError, Transfer, transfer
from benchmarks.learner.agent import build_agent
from benchmarks.measuring import spread
from configs.loading import load_config
from training.ranks.distributed import Place, process_group

BYTES = 4  # of a gradient's number, float32
MANY = 64  # ranks of 8 nodes x 8 GPUs
Case = tuple[int, Link | None]  # ranks, and the cable of each; None = the loopback


@dataclass(frozen=True)
class Volume:
    """What the ranks sum up in an update.

    Attributes:
        numbers: trained parameters, that of a head's twin of the backbone included.
        passes: minibatches of an update; each sums all numbers once.
    """

    numbers: int
    passes: int

    @property
    def bytes_per_update(self) -> int:
        """Of gradients, on each rank."""
        return BYTES * self.numbers * self.passes

    def sent_per_update(self, ranks: int) -> float:
        """Return the bytes that each rank sends where sums go around a ring."""
        return 2 * (ranks - 1) / ranks * self.bytes_per_update


def volume(recipe: Path, overrides: Sequence[str]) -> Volume:
    """Return that of a recipe.

    Raises:
        ConfigurationError: it cannot be read, or shows state vectors.
    """
    config = load_config(recipe, [*overrides, "NumEnv=1"]).config
    with process_group(Place(0, 1, 0, 1), torch.device("cpu"), 60.0, 60.0):
        learner = build_agent(config, Ranks(torch.device("cpu"))).learner
    trained = sum(each.numel() for each in learner.parameters() if each.requires_grad)
    return Volume(trained, config.ppo.epochs * config.ppo.num_minibatches)


def cases(options: argparse.Namespace) -> list[Case]:
    """Return the loopback and all made-up cables, for every number of ranks."""
    links = [
        None,
        *(Link(rate, 0.0) for rate in options.rates),
        *(Link(0.0, delay) for delay in options.delays),
    ]
    return [(ranks, link) for link in links for ranks in options.summing_ranks]


def measure(
    numbers: int, every: Sequence[Case], rounds: int, repeats: int
) -> tuple[dict[Case, Transfer], dict[str, str]]:
    """Sum `numbers` over ranks in all cases, taking turns.

    Returns:
        the cases that could be measured, and for each cable that could not the reason.
    """
    found: dict[Case, Transfer] = {}
    refused: dict[str, str] = {}
    for _ in range(repeats):
        for ranks, link in every:
            if str(link) in refused:
                continue
            try:
                turn = transfer(ranks, numbers, rounds, link)
            except LinkRefusedError as error:
                refused[str(link)] = str(error)
                continue
            before = found.get((ranks, link), Transfer([], []))
            found[ranks, link] = Transfer(before.wall + turn.wall, before.cpu + turn.cpu)
    return found, refused


def report(options: argparse.Namespace) -> str:
    """Measure; return all that is to be told."""
    sums = volume(options.recipe, options.set)
    found, refused = measure(sums.numbers, cases(options), options.rounds, options.repeats)
    words = (
        f"{sums.numbers:,} trained parameters x {BYTES} bytes x {sums.passes} minibatches = "
        f"{sums.bytes_per_update / 1e6:,.0f} MB of gradients an update; in a ring of {MANY} ranks "
        f"each sends {sums.sent_per_update(MANY) / 1e6:,.0f} MB."
    )
    skipped = [f"Not measured: cables of {link} ({reason})." for link, reason in refused.items()]
    return "\n\n".join([words, table(sums, found), *skipped])


def table(sums: Volume, found: Mapping[Case, Transfer]) -> str:
    """Return one row per case: medians with their range.

    A cable's rate is compared with what each rank sends: 2 (R - 1) / R of its gradients.
    """
    lines = [
        "| ranks | cable of each | ms per sum | CPU ms, all ranks | Gbit/s sent by each | "
        "ms per update |",
        "|---|---|---|---|---|---|",
    ]
    for (ranks, link), costs in found.items():
        bits = sums.sent_per_update(ranks) / sums.passes * 8
        cells = (
            str(ranks),
            "loopback" if link is None else str(link),
            spread([wall * 1e3 for wall in costs.wall], 1),
            spread([cpu * 1e3 for cpu in costs.cpu], 1),
            spread([bits / wall / 1e9 for wall in costs.wall], 2),
            spread([wall * sums.passes * 1e3 for wall in costs.wall]),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
