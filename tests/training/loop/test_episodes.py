"""Finished episodes: the last hundred of all ranks, the rooms, and their way through a file."""

import json
from collections.abc import Iterator

import pytest

from agents.ranks import Ranks
from tests.ranks import only_rank
from training.loop.episodes import WINDOW, EpisodeLog
from workers.shared.protocol import EpisodeSummary


@pytest.fixture
def ranks() -> Iterator[Ranks]:
    with only_rank() as ranks:
        yield ranks


def episode(
    score: float,
    *rooms: int,
    length: int = 10,
    lost: bool = False,
    metrics: dict[str, float] | None = None,
) -> EpisodeSummary:
    return EpisodeSummary(0, score, length, rooms, metrics or {}, lost)


def test_before_the_first_episode_nothing_is_claimed(ranks: Ranks) -> None:
    log = EpisodeLog()
    log.exchange([], ranks)
    assert log.mean_score is None
    assert log.metrics() == {}


def test_scores_are_the_mean_of_the_last_hundred_episodes(ranks: Ranks) -> None:
    log = EpisodeLog()
    log.exchange([episode(1000.0)], ranks)
    log.exchange([episode(float(score), length=score) for score in range(WINDOW)], ranks)
    assert log.mean_score == pytest.approx((WINDOW - 1) / 2)
    figures = log.metrics()
    assert figures["charts/episodic_return"] == figures["rollout/ep_rew_mean"] == log.mean_score
    assert figures["charts/episodic_return_max"] == WINDOW - 1
    assert figures["charts/episodic_length"] == figures["rollout/ep_len_mean"] == log.mean_score
    assert figures["charts/episodes"] == WINDOW + 1


def test_a_mean_is_full_when_it_is_one_of_a_hundred_episodes(ranks: Ranks) -> None:
    log = EpisodeLog()
    log.exchange([episode(2.0)] * (WINDOW - 1), ranks)
    assert log.full_mean_score is None
    log.exchange([episode(2.0)], ranks)
    assert log.full_mean_score == 2.0


def test_episodes_of_a_lost_worker_do_not_count(ranks: Ranks) -> None:
    log = EpisodeLog()
    log.exchange([episode(5.0, 1), episode(99.0, 2, lost=True)], ranks)
    assert log.mean_score == 5.0
    assert log.metrics()["atari/rooms_total"] == 1
    assert log.num_episodes == 1


def test_rooms_are_counted_over_the_run_and_over_the_last_hundred_episodes(ranks: Ranks) -> None:
    log = EpisodeLog()
    log.exchange([episode(0.0, 1, 2, 7)], ranks)
    log.exchange([episode(0.0, 1)] * WINDOW, ranks)
    assert log.metrics()["atari/rooms_total"] == 3
    assert log.metrics()["atari/rooms_last_100"] == 1


def test_games_without_rooms_chart_none(ranks: Ranks) -> None:
    log = EpisodeLog()
    log.exchange([episode(1.0)], ranks)
    assert not [name for name in log.metrics() if name.startswith("atari/")]


def test_what_a_game_measures_is_charted_over_the_episodes_that_have_it(ranks: Ranks) -> None:
    log = EpisodeLog()
    measured = [episode(0.0, metrics={"distance": 10.0}), episode(0.0, metrics={"distance": 30.0})]
    log.exchange([*measured, episode(0.0)], ranks)
    assert log.metrics()["charts/distance"] == 20.0


def test_a_restored_log_goes_on_as_if_nothing_had_happened(ranks: Ranks) -> None:
    log, restored = EpisodeLog(), EpisodeLog()
    restored.exchange([episode(77.0, 9)], ranks)
    log.exchange([episode(0.1 * n, n % 4, metrics={"distance": n / 3}) for n in range(150)], ranks)
    restored.restore(log.state())
    assert json.loads(restored.state()) == json.loads(log.state())
    for each in (log, restored):
        each.exchange([episode(3.0, 8)], ranks)
    assert restored.metrics() == log.metrics()
    assert restored.state() == log.state()
