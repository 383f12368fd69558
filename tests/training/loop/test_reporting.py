"""From an update to a row of figures and the state on the terminal, on one rank."""

from collections.abc import Iterator, Mapping
from functools import partial

import pytest
import torch

from agents.ranks import Ranks
from tests.ranks import only_rank
from tests.workers.pool_probes import GameProbe
from tests.workers.pools import make_pool
from training.figures.bottlenecks import Setup
from training.figures.curve_pages import Pages
from training.figures.curves import Picture
from training.live.status import Status
from training.loop.episodes import EpisodeLog
from training.loop.reporting import Reporter
from training.loop.stopwatch import Stopwatch
from training.session import Clock
from workers.pool import WorkerPool

SETUP = Setup(
    environments=4,
    workers=2,
    cores=2,
    threads=1,
    on_gpu=False,
    parameters=3_000_000,
    checkpoint_every=10,
    log_every=1,
    less_work=("fewer Epoch or MiniBatch", "fewer Epoch"),
)


class Records:
    """Keeps what it is told, as a writer of rows and as a terminal."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, dict[str, float]]] = []
        self.states: list[Status] = []
        self.lines: list[str] = []

    def write(self, env_steps: int, frames: int, values: Mapping[str, float]) -> None:
        self.rows.append((env_steps, frames, dict(values)))

    def show(self, pages: Pages) -> None:
        raise AssertionError(pages)

    def draw(self, name: str, picture: Picture, env_steps: int) -> None:
        raise AssertionError(name)

    def update(self, status: Status) -> None:
        self.states.append(status)

    def tick(self, activity: str) -> None:
        raise AssertionError(activity)

    def message(self, text: str) -> None:
        self.lines.append(text)

    def close(self) -> None:
        self.lines.append("closed")


@pytest.fixture(scope="module")
def ranks() -> Iterator[Ranks]:
    with only_rank() as ranks:
        yield ranks


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    with make_pool(partial(GameProbe, None), num_processes=1) as pool:
        yield pool


def run(ranks: Ranks, pool: WorkerPool, records: Records, error: Exception | None = None) -> None:
    """Report two updates: one that collects for long, one that learns for long."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    with Reporter(ranks, pool, records, records, optimizer, SETUP) as reporter:
        reporter.begin(100)
        stopwatch = Stopwatch()
        for number in (1, 2):
            with stopwatch.measure("collect"), stopwatch.measure("act"):
                torch.ones(1)
            reporter.report(
                Clock(updates=number, env_steps=100 + 64 * number),
                {"losses/policy": torch.tensor(0.25)},
                EpisodeLog(),
                stopwatch,
            )
        if error is not None:
            raise error


def test_a_row_holds_figures_rates_and_shares(ranks: Ranks, pool: WorkerPool) -> None:
    records = Records()
    run(ranks, pool, records)
    assert [row[:2] for row in records.rows] == [(164, 164), (228, 228)]
    values = records.rows[-1][2]
    assert values["losses/policy"] == 0.25
    assert values["charts/learning_rate"] == 0.5
    assert values["charts/SPS"] > 0
    assert 0 < values["time/fraction_act"] <= values["time/fraction_collect"] < 1
    assert values["time/fraction_save"] > 0  # the first row was written in the second interval
    assert not [name for name in values if name.startswith("ranks/")]


def test_the_terminal_is_told_the_row_and_each_rank(ranks: Ranks, pool: WorkerPool) -> None:
    records = Records()
    run(ranks, pool, records)
    status = records.states[-1]
    assert (status.env_steps, status.updates, status.phase) == (228, 2, "train")
    assert status.values == records.rows[-1][2]
    (rank,) = status.ranks
    assert rank.split.collect == status.values["time/fraction_collect"]
    assert rank.memory > 10
    assert rank.gpu_memory is None


def test_a_good_end_says_where_the_time_went_below_the_last_state(
    ranks: Ranks, pool: WorkerPool
) -> None:
    records = Records()
    run(ranks, pool, records)
    assert records.lines[0] == "closed"
    assert records.lines[1].startswith("where the time went: collect ")
    assert len(records.lines) == 2


def test_an_error_has_the_last_word(ranks: Ranks, pool: WorkerPool) -> None:
    records = Records()
    with pytest.raises(RuntimeError):
        run(ranks, pool, records, RuntimeError("stop"))
    assert records.lines == ["closed"]
