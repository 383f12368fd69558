"""Which mean of an evolution is kept as its best."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from agents.ranks import Ranks
from tests.best_checkpoints import best_of, fill_disk
from tests.ranks import only_rank
from training.checkpoints.storage import Saver, load_payload
from training.evolution.run_state import EvolutionState
from training.loop.episodes import EpisodeLog
from training.session import Clock


@pytest.fixture
def ranks() -> Iterator[Ranks]:
    with only_rank() as ranks:
        yield ranks


def save(state: EvolutionState, generation: int, score: float) -> None:
    clock = Clock(generation, 10 * generation)
    state.save(clock, EpisodeLog(), scores=np.full(3, score), is_last=False)


def test_a_best_score_that_a_full_disk_took_is_no_score_to_beat(
    ranks: Ranks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.ckpt"
    state = EvolutionState({}, ranks, Saver(path), {}, lambda path: None)
    save(state, 1, 1.0)
    with monkeypatch.context() as patched:
        fill_disk(patched)
        save(state, 2, 9.0)
    assert best_of(path) == (1, 1.0)
    assert state.is_best(np.full(3, 8.0))
    save(state, 3, 8.0)
    save(state, 4, 7.0)
    assert best_of(path) == (3, 8.0)
    assert load_payload(path)["best_score"] == 8.0


def test_an_evolution_that_goes_on_under_a_new_name_has_a_best_of_its_own(
    ranks: Ranks, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.ckpt", tmp_path / "second.ckpt"
    save(EvolutionState({}, ranks, Saver(first), {}, lambda path: None), 1, 9.0)
    for path, wanted in ((first, (1, 9.0)), (second, (2, 8.0))):
        state = EvolutionState({}, ranks, Saver(path), {}, lambda path: None)
        state.restore(load_payload(first), Clock(), EpisodeLog())
        save(state, 2, 8.0)
        assert best_of(path) == wanted
