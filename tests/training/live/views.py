"""States of a run to draw."""

from training.figures.time_split import TimeSplit
from training.live.history import SPEED, Series
from training.live.status import RankFigures, Status, View

SPLIT = TimeSplit(collect=0.5, act=0.1, learn=0.4, sync=0.05, save=0.02)
VALUES = {
    "charts/episodic_return": -132.44,
    "intrinsic/mean": 0.01234,
    "atari/rooms_total": 24.0,
    "losses/policy": -0.0123,
    "losses/value_extrinsic": 0.31,
    "losses/entropy": 1.03,
    "losses/approx_kl": 0.004,
    "losses/explained_variance": 0.895,
}
HINT = "workers are the bottleneck: 62% of the time goes to waiting for environments (2 cores)"


def rank(
    number: int = 0, *, collect: float = 0.5, sync: float = 0.05, lost: int = 0
) -> RankFigures:
    split = TimeSplit(collect=collect, act=0.1, learn=0.4, sync=sync, save=0.02)
    return RankFigures(split, 412.0 + number, None, lost)


def view(
    *,
    env_steps: int = 72_000,
    num_ranks: int = 1,
    hint: str = HINT,
    phase: str = "train",
    rate: float | None = 1200.0,
    frame_skip: int = 4,
    values: dict[str, float] | None = None,
) -> View:
    """Return a state with all there may be to show, unless told otherwise."""
    figures = VALUES if values is None else values
    history = {name: Series() for name in (*figures, SPEED)}
    for name, series in history.items():
        for index in range(40):
            series.add(figures.get(name, 1200.0) * (1 + index / 40))
    return View(
        title="Montezuma_rnd00  MontezumaRevengeNoFrameskip-v4  RND  64 environments",
        status=Status(
            env_steps, 37, phase, figures, [rank(number) for number in range(num_ranks)], hint
        ),
        total_env_steps=491_520_000,
        frame_skip=frame_skip,
        elapsed=60.0,
        steps_per_second=rate,
        activity="collecting",
        history=history,
    )
