"""Which checkpoint of a run is kept as its best."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.ranks import Ranks
from tests.best_checkpoints import best_of, fill_disk
from tests.ranks import only_rank
from training.checkpoints.storage import Saver, load_payload
from training.loop.episodes import EpisodeLog
from training.loop.run_file import RunFile
from training.session import Clock
from workers.shared.protocol import EpisodeSummary


@pytest.fixture
def ranks() -> Iterator[Ranks]:
    with only_rank() as ranks:
        yield ranks


def run_file(ranks: Ranks, path: Path) -> RunFile:
    return RunFile(ranks, Saver(path), {}, lambda path: None)


def save(file: RunFile, ranks: Ranks, update: int, score: float) -> None:
    """Save after an update whose last 100 episodes all had that score."""
    episodes = EpisodeLog()
    episodes.exchange([EpisodeSummary(0, score, 5, (), {}, lost=False)] * 100, ranks)
    file.save(dict, dict, Clock(update, 10 * update), episodes, is_last=False)


def test_a_best_score_that_a_full_disk_took_is_no_score_to_beat(
    ranks: Ranks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.ckpt"
    file = run_file(ranks, path)
    save(file, ranks, 1, 1.0)
    with monkeypatch.context() as patched:
        fill_disk(patched)
        save(file, ranks, 2, 9.0)
    assert best_of(path) == (1, 1.0)
    save(file, ranks, 3, 8.0)
    assert best_of(path) == (3, 8.0)
    save(file, ranks, 4, 7.0)
    assert best_of(path) == (3, 8.0)
    assert load_payload(path)["best_score"] == 8.0


def test_a_run_that_goes_on_under_a_new_name_has_a_best_of_its_own(
    ranks: Ranks, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.ckpt", tmp_path / "second.ckpt"
    save(run_file(ranks, first), ranks, 1, 9.0)
    for path, wanted in ((first, (1, 9.0)), (second, (2, 8.0))):
        file = run_file(ranks, path)
        file.restore(load_payload(first), Clock(), EpisodeLog())
        save(file, ranks, 2, 8.0)
        assert best_of(path) == wanted
