"""What an env step costs Scout and other trainers from end to end: collecting and learning.

    python -m benchmarks.peers
    python -m benchmarks.peers --peers scout_rnd cleanrl_rnd --checkout jcwleo.json --repeats 5

All train on the same game with the same numbers of environments, steps, epochs and minibatches, on
the CPU. They take turns, and ratios are taken turn by turn. In a turn a trainer is started by its
own script, makes one update that does not count and then those that do; its figures are those
between the marks of these updates, of all its processes together. Env steps per second depend on
who uses more of the cores at once, CPU time per env step does not.

A trainer that has no script here is described by a JSON file:

    {"name": "mine", "folder": "../mine", "mark": "update done, ([0-9]+) steps",
     "command": ["python", "train.py", "--envs", "{num_envs}", "--steps", "{num_steps}"]}
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.log import add_log_flag, recording
from benchmarks.measuring import spread
from benchmarks.peers.scripts.sizes import Sizes, add_sizes, sizes_of
from benchmarks.peers.trainers import Peer, known_peers, read_checkout
from benchmarks.peers.watch import Turn, WatchError, watch
from configs.errors import ConfigurationError, ScoutError

BASELINE = "scout_rnd"
PACKAGES = (
    "torch",
    "numpy",
    "gymnasium",
    "ale-py",
    "stable-baselines3",
    "sample-factory",
    "envpool",
    "cleanrl",
    "gym",
)


class Contest:
    """Trainers that take turns.

    Args:
        peers: by name.
        sizes: of all.

    Attributes:
        turns: by name; those that failed have none.
        left_out: the reason by name.
    """

    def __init__(self, peers: Mapping[str, Peer], sizes: Sizes) -> None:
        self._peers, self._sizes = peers, sizes
        self.left_out = {name: why for name, peer in peers.items() if (why := peer.obstacle(sizes))}
        self.turns: dict[str, list[Turn]] = {
            name: [] for name in peers if name not in self.left_out
        }

    def take_turns(self, updates: int, patience: float, caption: str) -> None:
        """Let every trainer that is left take a turn.

        Args:
            updates, patience: see `watch`.
            caption: what is printed before each.
        """
        for name in list(self.turns):
            peer = self._peers[name]
            try:
                turn = watch(peer.watched(self._sizes), updates, patience)
            except WatchError as error:
                print(f"{peer.label}: {error}\n", file=sys.stderr, flush=True)
                self.left_out[name] = str(error).splitlines()[0]
                del self.turns[name]
                continue
            self.turns[name].append(turn)
            figures = f"{turn.cpu:,.0f} CPU us/step, {turn.steps_per_second:,.0f} env steps/s"
            print(f"{caption} {peer.label}: {figures}", flush=True)

    def report(self) -> str:
        """Return the table, and who is left out."""
        parts = [table(self._peers, self.turns)] if any(self.turns.values()) else []
        if self.left_out:
            reasons = (f"- {self._peers[name].label}: {why}" for name, why in self.left_out.items())
            parts.append("\n".join(["Left out:", *reasons]))
        return "\n\n".join(parts)


def table(peers: Mapping[str, Peer], turns: Mapping[str, Sequence[Turn]]) -> str:
    """Return a row per trainer: medians with their range, ratios taken turn by turn.

    "per core" are env steps for each second of CPU time, whatever number of cores was busy.
    """
    first = next(name for name, own in turns.items() if own)
    base = peers[first].label
    lines = [
        f"| | CPU us/step | per core | env steps/s | CPU / {base} | speed / {base} | MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, own in turns.items():
        pairs = list(
            zip(own, turns[first], strict=False)
        )  # an interrupt leaves some one turn short
        if not pairs:
            continue
        cells = (
            spread([turn.cpu for turn in own]),
            spread([1e6 / turn.cpu for turn in own]),
            spread([turn.steps_per_second for turn in own]),
            spread([turn.cpu / other.cpu for turn, other in pairs], 2),
            spread([turn.steps_per_second / other.steps_per_second for turn, other in pairs], 2),
            f"{max(turn.memory for turn in own):,.0f}",
        )
        lines.append(f"| {peers[name].label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def chosen_peers(options: argparse.Namespace) -> dict[str, Peer]:
    """Return those that the command line names, Scout with RND first.

    Raises:
        ConfigurationError: a name or a file is wrong, or the sizes do not divide.
    """
    known = known_peers(options.ranks)
    names = options.peers or list(known)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigurationError(f"--peers {' '.join(unknown)}: there are {', '.join(known)}")
    if options.num_envs % (options.ranks * options.minibatches):
        raise ConfigurationError("--num_envs must divide by --ranks and --minibatches")
    peers = {name: known[name] for name in known if name in {BASELINE, *names}}
    return peers | {path.stem: read_checkout(path) for path in options.checkout}


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_sizes(parser)
    parser.set_defaults(processes=len(os.sched_getaffinity(0)))
    parser.add_argument("--peers", nargs="+", metavar="NAME", help="scout_rnd is always one (all)")
    parser.add_argument("--checkout", nargs="+", type=Path, default=[], metavar="FILE.json")
    parser.add_argument("--ranks", type=int, default=1, help="of Scout (%(default)s)")
    parser.add_argument("--updates", type=int, default=2, help="that count (%(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each (%(default)s)")
    parser.add_argument(
        "--patience", type=float, default=900.0, help="seconds without an update (%(default)s)"
    )
    add_log_flag(parser)
    options = parser.parse_args(argv)
    numbers = [value for value in vars(options).values() if isinstance(value, int | float)]
    if min(number for number in numbers if not isinstance(number, bool)) <= 0:
        parser.error("numbers must be above 0")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; return the exit code."""
    options = parse(argv)
    try:
        peers = chosen_peers(options)
        with recording("peers", options, PACKAGES) as record:
            contest = Contest(peers, sizes_of(options))
            try:
                for repeat in range(1, options.repeats + 1):
                    caption = f"[{repeat}/{options.repeats}]"
                    contest.take_turns(options.updates, options.patience, caption)
            finally:
                if report := contest.report():
                    record.say(report)
    except ScoutError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0 if contest.turns else 1
