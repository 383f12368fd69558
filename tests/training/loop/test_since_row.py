"""What is gathered between two rows: of all ranks, and across a checkpoint."""

from pathlib import Path

import numpy as np
import torch

from agents.ppo.policy_change import GREEDY_DROP
from agents.ranks import Ranks
from agents.rollout import RolloutBuffer, RolloutShape
from tests.ranks import only_rank, run_in_ranks
from training.figures.novelty import NOVELTY, novelty_correlation
from training.loop.frame_cells import NUM_CELLS, coarse_cells, exact_cells
from training.loop.since_row import SinceRow
from training.loop.visits import VisitRecorder
from workers.environments.base import EnvironmentSpec

T, N = 6, 4
FRAMES = EnvironmentSpec("maze", (1, 16, 16), "uint8", discrete=True, num_actions=4)
VECTORS = EnvironmentSpec(
    "car",
    (2,),
    "float32",
    discrete=True,
    num_actions=3,
    observation_low=(-1.0, -1.0),
    observation_high=(1.0, 1.0),
)


def rollout_of(spec: EnvironmentSpec, seed: int, N: int = N) -> RolloutBuffer:
    """A few states that come up again and again, with bonuses drawn at random."""
    frames = len(spec.observation_shape) == 3
    generator = torch.Generator().manual_seed(seed)
    dtype = torch.uint8 if frames else torch.float32
    rollout = RolloutBuffer(
        RolloutShape(T, N, 1, spec.observation_shape, dtype, ()), torch.device("cpu")
    )
    places = torch.randint(0, 15, (T, N), generator=generator)
    nowhere = torch.zeros(N, dtype=torch.bool)
    for t in range(T):
        states = places[t].view(N, *[1] * len(spec.observation_shape))
        shown = (16 * states if frames else states / 8 - 0.9).expand(N, *spec.observation_shape)
        rollout.store_transition(
            t, slice(0, N), shown.to(dtype), torch.zeros(N), nowhere, nowhere, shown.to(dtype)
        )
    rollout.bonuses.copy_(torch.rand(T, N, generator=generator))
    return rollout


def recorders(spec: EnvironmentSpec, ranks: Ranks) -> tuple[VisitRecorder, SinceRow]:
    visits = VisitRecorder(spec, ranks, Path("nowhere.npz"), exact_cells)
    return visits, SinceRow(visits, ranks, has_bonus=True)


def gather(visits: VisitRecorder, since_row: SinceRow, rollout: RolloutBuffer, drop: float) -> None:
    visits.add(rollout)
    since_row.add(rollout, {GREEDY_DROP: torch.tensor(drop)})


def figures_of(spec: EnvironmentSpec, ranks: Ranks) -> dict[str, float]:
    """Two updates of this rank."""
    visits, since_row = recorders(spec, ranks)
    for update in range(2):
        seed = 10 * ranks.rank + update
        gather(
            visits, since_row, rollout_of(spec, seed), [[0.1, 0.4], [0.7, 0.2]][ranks.rank][update]
        )
    return {name: float(value) for name, value in since_row.read().items()}


def of_both_kinds(ranks: Ranks) -> list[dict[str, float]]:
    return [figures_of(spec, ranks) for spec in (FRAMES, VECTORS)]


def test_the_correlation_is_that_of_a_slow_count() -> None:
    with only_rank() as ranks:
        visits, since_row = recorders(VECTORS, ranks)
        table: dict[float, list[float]] = {}
        for update in range(3):
            rollout = rollout_of(VECTORS, update)
            states = rollout.next_frames(torch.arange(T * N))[:, 0].tolist()
            for state, bonus in zip(states, rollout.bonuses.flatten().tolist(), strict=True):
                table.setdefault(state, []).append(bonus)
            gather(visits, since_row, rollout, 0.0)
        sizes = np.array([len(bonuses) for bonuses in table.values()], np.float64)
        sums = np.array([sum(bonuses) for bonuses in table.values()])
        wanted = novelty_correlation(sizes, sums, sizes)
        assert wanted is not None
        assert abs(float(since_row.read()[NOVELTY]) - wanted) < 1e-6


def test_visits_last_and_bonuses_are_those_since_the_row() -> None:
    with only_rank() as ranks:
        visits, since_row = recorders(FRAMES, ranks)
        gather(visits, since_row, rollout_of(FRAMES, 0), 0.9)
        since_row.read()
        second = rollout_of(FRAMES, 1)
        gather(visits, since_row, second, 0.2)
        cells, bonuses = visits.cells, second.bonuses.flatten().numpy()
        sums = np.bincount(cells, bonuses, NUM_CELLS).astype(np.float64)
        counts = np.bincount(cells, minlength=NUM_CELLS).astype(np.float64)
        found = since_row.read()
        assert int(visits.counts.sum()) == 2 * T * N
        wanted = novelty_correlation(visits.counts.astype(np.float64), sums, counts)
        assert wanted is not None
        assert abs(float(found[NOVELTY]) - wanted) < 1e-6
        assert abs(float(found[GREEDY_DROP]) - 0.2) < 1e-6


def test_two_ranks_say_what_one_would_that_had_all_the_environments(tmp_path: Path) -> None:
    both = run_in_ranks(of_both_kinds, 2, tmp_path)
    assert both[0] == both[1]
    with only_rank() as ranks:
        for number, spec in enumerate((FRAMES, VECTORS)):
            visits, since_row = recorders(spec, ranks)
            for rank in range(2):
                for update in range(2):
                    gather(visits, since_row, rollout_of(spec, 10 * rank + update), 0.7)
            for name, value in since_row.read().items():
                assert abs(both[0][number][name] - float(value)) < 1e-6, name


def test_what_is_gathered_goes_on_across_a_checkpoint() -> None:
    with only_rank() as ranks:
        visits, since_row = recorders(FRAMES, ranks)
        gather(visits, since_row, rollout_of(FRAMES, 0), 0.6)
        later_visits, later = recorders(FRAMES, ranks)
        later_visits.restore(visits.state())
        later.restore(since_row.state())
        for pair in ((visits, since_row), (later_visits, later)):
            gather(*pair, rollout_of(FRAMES, 1), 0.3)
        wanted, found = since_row.read(), later.read()
        assert wanted.keys() == found.keys() == {NOVELTY, GREEDY_DROP}
        assert all(torch.equal(wanted[name], found[name]) for name in wanted)


def test_a_checkpoint_that_counted_no_frames_is_gone_on_from() -> None:
    with only_rank() as ranks:
        visits, _ = recorders(FRAMES, ranks)
        visits.restore(torch.zeros(0, dtype=torch.int64))
        assert visits.counts.shape == (NUM_CELLS,)


def test_without_a_bonus_there_is_no_correlation() -> None:
    with only_rank() as ranks:
        visits = VisitRecorder(VECTORS, ranks, Path("nowhere.npz"), None)
        since_row = SinceRow(visits, ranks, has_bonus=False)
        gather(visits, since_row, rollout_of(VECTORS, 0), 0.25)
        assert since_row.read().keys() == {GREEDY_DROP}


def test_frames_that_look_alike_are_one_state_and_others_are_not() -> None:
    frame = torch.zeros(3, 1, 84, 84, dtype=torch.uint8)
    frame[1, 0, 3, 3] = 255  # one pixel: a seventh of a grey level
    frame[2, 0, :14, :14] = 255
    first, speck, figure = coarse_cells(frame)
    assert first == speck != figure
    assert len(set(exact_cells(frame))) == 3


def test_small_frames_have_cells_too() -> None:
    assert len(set(coarse_cells(torch.zeros(2, 3, 4, 4, dtype=torch.uint8)))) == 1
