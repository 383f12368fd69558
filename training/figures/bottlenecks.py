"""Which part of a run makes the others wait, and what would help, in words.

The rules are explained in docs/guide.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from configs.typed import typed
from training.figures.time_split import TimeSplit

# Least share of the wall-clock time at which a part is named.
LIMITS = {"workers": 0.5, "learner": 0.6, "policy": 0.35, "ranks": 0.15, "writing": 0.1}
WINDOW_SECONDS = 30.0
FIRST_SECONDS = 5.0  # of the first window, after which there is a hint already
SECONDS_BETWEEN_LINES = 600.0
# Of fewer rows, what is written once at the beginning and the end is too large a share.
LEAST_ROWS_TO_JUDGE_WRITING = 10
LARGE_NETWORK = 1_000_000  # parameters; a GPU waits for a smaller one's Python


@dataclass(frozen=True)
class Setup:
    """What a rank has, and what it has to do with it.

    Attributes:
        environments, workers, cores: of a rank; workers are processes, or the emulator's threads,
            and 0 where the rank steps its environments itself.
        threads: with which torch computes on the CPU.
        on_gpu: whether the networks are on one.
        parameters: of all networks.
        checkpoint_every, log_every: updates between two of each.
        less_work: what makes an update shorter, of small networks and of large ones.
    """

    environments: int
    workers: int
    cores: int
    threads: int
    on_gpu: bool
    parameters: int
    checkpoint_every: int
    log_every: int
    less_work: tuple[str, str]


@dataclass(frozen=True)
class Bottleneck:
    """The part that is waited for, by its key in LIMITS, and the hint."""

    part: str
    text: str


def find_bottleneck(
    ranks: Sequence[TimeSplit], setup: Setup, *, judge_writing: bool = True
) -> Bottleneck | None:
    """Return what takes most of the time, of what takes more than its limit; None if nothing does.

    Args:
        ranks: each rank's split.
        setup: of a rank; all ranks have the same.
        judge_writing: whether enough was written to judge by.
    """
    mean = TimeSplit.mean((1.0, split) for split in ranks)
    shares = {
        "workers": mean.step,
        "learner": mean.learn,
        "policy": mean.act,
        "ranks": mean.sync if len(ranks) > 1 else 0.0,
        "writing": mean.save if judge_writing else 0.0,
    }
    above = [part for part, share in shares.items() if share >= LIMITS[part]]
    if not above:
        return None
    part = max(above, key=shares.__getitem__)
    texts = {
        "workers": _workers,
        "learner": _learner,
        "policy": _policy,
        "ranks": _ranks,
        "writing": _writing,
    }
    return Bottleneck(part, texts[part](f"{shares[part]:.0%} of the time", ranks, setup))


def _workers(share: str, ranks: Sequence[TimeSplit], setup: Setup) -> str:
    if setup.workers == 0:
        return (
            f"environments are the bottleneck: {share} goes to stepping them in the rank itself "
            f"({_count(setup.environments, 'environment')}{_per_rank(ranks)}); a cheaper "
            "environment would help, a faster learner would not"
        )
    if setup.workers < min(setup.cores, setup.environments):
        workers = min(setup.cores, setup.environments)
        help_ = f"{typed('--num_workers', workers)} would use all cores"
    else:
        help_ = "more cores would help, a faster learner would not"
    return (
        f"workers are the bottleneck: {share} goes to waiting for environments "
        f"({_count(setup.cores, 'core')}, {_count(setup.environments, 'environment')} on "
        f"{_count(setup.workers, 'worker')}{_per_rank(ranks)}); {help_}"
    )


def _learner(share: str, ranks: Sequence[TimeSplit], setup: Setup) -> str:
    where = "on the GPU" if setup.on_gpu else f"on the CPU, {_count(setup.threads, 'thread')}"
    if setup.parameters < LARGE_NETWORK:
        remedy = setup.less_work[0]
    else:
        remedy = f"{setup.less_work[1]}, a smaller network" + ("" if setup.on_gpu else ", or a GPU")
    idle = "the workers wait meanwhile" if setup.workers else "no environment steps meanwhile"
    return (
        f"learning is the bottleneck: {share} ({where}{_per_rank(ranks)}), and {idle}; {remedy} "
        "would help, more workers would not"
    )


def _policy(share: str, ranks: Sequence[TimeSplit], setup: Setup) -> str:
    smaller = "" if setup.parameters < LARGE_NETWORK else "a smaller network would help, and "
    together = f"{_count(setup.environments, 'environment')}{_per_rank(ranks)}"
    return (
        f"acting is the bottleneck: {share} goes to the policy's answers, one pass per env step of "
        f"{together}; {smaller}more environments in a rank share a pass"
    )


def _ranks(share: str, ranks: Sequence[TimeSplit], setup: Setup) -> str:
    late = waited_for(ranks)
    own = ranks[late]
    others = TimeSplit.mean((1.0, split) for rank, split in enumerate(ranks) if rank != late)
    if own.save - others.save > own.collect - others.collect:
        why = f"rank {late} writes meanwhile ({own.save:.0%} of its time); {_rarer(setup)}"
    else:
        why = (
            f"rank {late} collects longest ({own.collect:.0%} of its time, the others "
            f"{others.collect:.0%}); look for what else runs on its cores"
        )
    return f"ranks wait for each other: {share}; {why}"


def waited_for(ranks: Sequence[TimeSplit]) -> int:
    """Return the rank that waits least, and so is the one that the others wait for."""
    return min(range(len(ranks)), key=lambda rank: ranks[rank].sync)


def _writing(share: str, ranks: Sequence[TimeSplit], setup: Setup) -> str:
    return (
        f"writing is the bottleneck: {share} goes to checkpoints, rows and curves; {_rarer(setup)}"
    )


def _rarer(setup: Setup) -> str:
    return f"raise saveCkptEvery (now {setup.checkpoint_every}) or LogEvery (now {setup.log_every})"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _per_rank(ranks: Sequence[TimeSplit]) -> str:
    return " in each rank" if len(ranks) > 1 else ""


class TimeWatch:
    """Adds intervals up, and says what holds the run up where that changes.

    Attributes:
        hint: of the last window; "" where nothing holds the run up.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._whole: list[tuple[float, TimeSplit]] = []
        self._window: list[tuple[float, TimeSplit]] = []
        self._window_seconds = 0.0
        self._seconds = 0.0
        self._rows = 0
        self._last: Bottleneck | None = None
        self._said: Bottleneck | None = None
        self._said_at = -SECONDS_BETWEEN_LINES
        self.hint = ""

    def add(self, seconds: float, ranks: Sequence[TimeSplit]) -> str | None:
        """Take an interval; return a line where two windows in a row found something new."""
        self._rows += 1
        self._seconds += seconds
        self._window_seconds += seconds
        self._whole = _added(self._whole, seconds, ranks)
        self._window = _added(self._window, seconds, ranks)
        found = self._judge(self._window)
        if self._window_seconds < WINDOW_SECONDS:
            if self._seconds == self._window_seconds >= FIRST_SECONDS:
                self.hint = "" if found is None else found.text
            return None
        mean = _over_ranks(self._window)
        self._window, self._window_seconds = [], 0.0
        before, self._last = self._last, found
        self.hint = "" if found is None else found.text
        if found is None or before is None or found.part != before.part:
            return None
        is_new = self._said is None or self._said.part != found.part
        if not is_new or self._seconds - self._said_at < SECONDS_BETWEEN_LINES:
            return None
        self._said, self._said_at = found, self._seconds
        return f"{found.text} [{mean}]"

    def summary(self) -> str | None:
        """Return where the time of all intervals went, with a hint; None before the first."""
        if not self._whole:
            return None
        found = self._judge(self._whole)
        hint = "" if found is None else f"; {found.text}"
        return f"where the time went: {_over_ranks(self._whole)}{hint}"

    def _judge(self, sums: list[tuple[float, TimeSplit]]) -> Bottleneck | None:
        enough = self._rows >= LEAST_ROWS_TO_JUDGE_WRITING
        return find_bottleneck([split for _, split in sums], self._setup, judge_writing=enough)


def _added(
    sums: list[tuple[float, TimeSplit]], seconds: float, ranks: Sequence[TimeSplit]
) -> list[tuple[float, TimeSplit]]:
    """Return each rank's (seconds, split) with an interval more."""
    if not sums:
        return [(seconds, split) for split in ranks]
    return [
        (before + seconds, TimeSplit.mean([(before, mean), (seconds, split)]))
        for (before, mean), split in zip(sums, ranks, strict=True)
    ]


def _over_ranks(sums: list[tuple[float, TimeSplit]]) -> TimeSplit:
    return TimeSplit.mean((1.0, split) for _, split in sums)
