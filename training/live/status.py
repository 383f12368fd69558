"""What is known of a run at one moment, as the terminal's displays are told it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from training.figures.time_split import TimeSplit
from training.live.history import Series
from training.live.subject import PLAY, Headline, Subject
from training.live.words import figure

TRAINING = "train"


@dataclass(frozen=True)
class RankFigures:
    """One agent process over the last interval.

    Attributes:
        split: where its time went.
        memory: resident megabytes of the agent process, without its workers.
        gpu_memory: megabytes that it holds on its GPU; None without one.
        worker_restarts: lost workers replaced so far.
    """

    split: TimeSplit
    memory: float
    gpu_memory: float | None
    worker_restarts: int


@dataclass(frozen=True)
class RandomPlay:
    """How far the random play before the first update is.

    Attributes:
        done: env steps of all ranks in this phase.
        total: of the whole phase, as far as that is known; 0 before there is anything to go by.
    """

    done: int
    total: int


@dataclass(frozen=True)
class Status:
    """One update's figures.

    Attributes:
        env_steps: of all ranks so far.
        updates: so far.
        phase: what is being done, for instance "warm-up 3/50".
        values: the row of figures, as in metrics.jsonl.
        ranks: every agent process, in order; empty before the first row.
        hint: what holds the run up, in words; "" where nothing does.
        random_play: how far that is, while nothing is learnt yet.
    """

    env_steps: int
    updates: int = 0
    phase: str = TRAINING
    values: Mapping[str, float] = field(default_factory=dict)
    ranks: Sequence[RankFigures] = ()
    hint: str = ""
    random_play: RandomPlay | None = None


@dataclass(frozen=True)
class View:
    """All that a display draws from.

    Attributes:
        title: the run in a few words.
        status: the last figures.
        total_env_steps: where the run ends.
        frame_skip: frames per env step.
        elapsed: seconds since the run began.
        steps_per_second: None before there is a rate; of random play while that goes on.
        activity: what this process does at this moment; "" where that is not known.
        history: what was, by the names of the figures, and the rate as SPEED.
        subject: what is counted and shown.
    """

    title: str
    status: Status
    total_env_steps: int
    frame_skip: int
    elapsed: float
    steps_per_second: float | None
    activity: str
    history: Mapping[str, Series]
    subject: Subject = PLAY

    @property
    def done(self) -> int:
        """Env steps so far: of the run, or of random play while that goes on."""
        play = self.status.random_play
        return self.status.env_steps if play is None else play.done

    @property
    def total(self) -> int:
        """Env steps at the end of that; 0 where it is not known."""
        play = self.status.random_play
        return self.total_env_steps if play is None else play.total

    @property
    def unit(self) -> str:
        """What is counted."""
        unit = self.subject.unit
        return unit if self.status.random_play is None else f"{unit} of random play"

    @property
    def remaining(self) -> float | None:
        """Seconds to the end at this rate."""
        if self.steps_per_second is None or self.total == 0:
            return None
        return max(0, self.total - self.done) / self.steps_per_second  # a rollout may go past it


def headline_figure(status: Status, headline: Headline) -> str:
    """Return the figure of a headline in few letters; nothing where there is none."""
    value = status.values.get(headline.name)
    return str(int(value)) if headline.whole and value is not None else figure(value)
