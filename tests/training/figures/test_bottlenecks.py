"""What holds a run up, in words, and how often that is said."""

from dataclasses import replace

import pytest

from training.figures.bottlenecks import Setup, TimeWatch, find_bottleneck
from training.figures.time_split import PARTS, TimeSplit

SETUP = Setup(
    environments=64,
    workers=2,
    cores=2,
    threads=2,
    on_gpu=False,
    parameters=3_000_000,
    checkpoint_every=10,
    log_every=1,
    less_work=("fewer Epoch or MiniBatch", "fewer Epoch"),
)
WAITING = TimeSplit(collect=0.7, act=0.08, learn=0.28, sync=0.0, save=0.01)
LEARNING = TimeSplit(collect=0.25, act=0.05, learn=0.71, sync=0.0, save=0.01)
EVEN = TimeSplit(collect=0.5, act=0.1, learn=0.45, sync=0.0, save=0.01)


def hint(*ranks: TimeSplit, setup: Setup = SETUP) -> str | None:
    found = find_bottleneck(ranks, setup)
    return None if found is None else found.text


def test_a_run_in_balance_has_no_bottleneck() -> None:
    assert hint(EVEN) is None


def test_workers_that_are_waited_for_are_named_with_what_they_have() -> None:
    assert hint(WAITING) == (
        "workers are the bottleneck: 62% of the time goes to waiting for environments (2 cores, "
        "64 environments on 2 workers); more cores would help, a faster learner would not"
    )


def test_cores_without_a_worker_are_pointed_out() -> None:
    text = hint(WAITING, setup=replace(SETUP, cores=8))
    assert text is not None
    assert text.endswith("--num_workers=8 would use all cores")
    text = hint(WAITING, setup=replace(SETUP, cores=8, environments=4))
    assert text is not None
    assert "--num_workers=4 " in text


def test_the_policys_answers_do_not_count_as_waiting_for_workers() -> None:
    text = hint(replace(WAITING, act=0.4))
    assert text is not None
    assert text.startswith("acting is the bottleneck: 40% of the time")


@pytest.mark.parametrize(
    ("on_gpu", "where"), [(False, "on the CPU, 2 threads"), (True, "on the GPU")]
)
def test_learning_says_where_it_computes(on_gpu: bool, where: str) -> None:
    text = hint(LEARNING, setup=replace(SETUP, on_gpu=on_gpu))
    assert text is not None
    assert f"learning is the bottleneck: 71% of the time ({where})" in text
    assert ("or a GPU" in text) is not on_gpu


def test_a_small_network_is_advised_neither_a_gpu_nor_to_shrink() -> None:
    small = replace(SETUP, parameters=64 * 64)
    for split in (LEARNING, replace(WAITING, act=0.4)):
        text = hint(split, setup=small)
        assert text is not None
        assert "GPU" not in text
        assert "smaller network" not in text
    assert "fewer Epoch or MiniBatch" in (hint(LEARNING, setup=small) or "")


def test_the_rank_that_others_wait_for_is_named() -> None:
    fast = TimeSplit(collect=0.2, act=0.1, learn=0.3, sync=0.5, save=0.0)
    slow = TimeSplit(collect=0.7, act=0.3, learn=0.3, sync=0.0, save=0.0)
    text = hint(fast, slow, fast)
    assert text is not None
    assert text.startswith(
        "ranks wait for each other: 33% of the time; rank 1 collects longest (70% of its time, the "
        "others 20%)"
    )


def test_the_rank_that_writes_while_others_wait_is_named_with_what_helps() -> None:
    writing = TimeSplit(collect=0.3, act=0.1, learn=0.3, sync=0.0, save=0.4)
    waiting = TimeSplit(collect=0.3, act=0.1, learn=0.3, sync=0.4, save=0.0)
    assert hint(writing, waiting) == (
        "ranks wait for each other: 20% of the time; rank 0 writes meanwhile (40% of its time); "
        "raise saveCkptEvery (now 10) or LogEvery (now 1)"
    )


def test_one_rank_waits_for_nobody() -> None:
    assert hint(replace(EVEN, sync=0.3)) is None


def test_writing_names_the_keys_that_spread_it_out() -> None:
    text = hint(replace(EVEN, collect=0.4, save=0.14))
    assert text is not None
    assert text.endswith("raise saveCkptEvery (now 10) or LogEvery (now 1)")


def test_a_run_of_a_few_rows_says_nothing_about_writing() -> None:
    """The first row and the last checkpoint are most of what a profiling run writes."""
    writing = replace(EVEN, learn=0.1, save=0.4)
    short, long = TimeWatch(SETUP), TimeWatch(SETUP)
    for _ in range(3):
        short.add(2.0, [writing])
    for _ in range(10):
        long.add(2.0, [writing])
    assert "bottleneck" not in (short.summary() or "")
    assert "writing is the bottleneck" in (long.summary() or "")


def said(watch: TimeWatch, split: TimeSplit, seconds: int) -> list[str]:
    lines = [watch.add(1.0, [split]) for _ in range(seconds)]
    return [line for line in lines if line is not None]


def test_a_bottleneck_is_said_once_when_it_lasts() -> None:
    watch = TimeWatch(SETUP)
    assert said(watch, WAITING, 59) == []
    (line,) = said(watch, WAITING, 2000)
    assert line.startswith("workers are the bottleneck")
    assert line.endswith("[collect 70% (act 8%), learn 28%, synchronise 0%, write 1%, rest 1%]")


def test_a_change_is_said_but_not_more_often_than_in_ten_minutes() -> None:
    watch = TimeWatch(SETUP)
    lines = said(watch, WAITING, 700)
    for _ in range(20):
        lines += said(watch, LEARNING, 90) + said(watch, WAITING, 90)
    assert 2 <= len(lines) <= 1 + 3600 / 600


def test_a_peak_is_no_change() -> None:
    watch = TimeWatch(SETUP)
    said(watch, WAITING, 900)
    assert said(watch, LEARNING, 30) == []
    assert said(watch, WAITING, 900) == []


def test_there_is_a_hint_after_a_few_seconds_already() -> None:
    watch = TimeWatch(SETUP)
    said(watch, WAITING, 4)
    assert watch.hint == ""
    said(watch, WAITING, 2)
    assert watch.hint.startswith("workers")
    said(watch, EVEN, 200)
    assert watch.hint == ""


def test_the_summary_weighs_intervals_by_their_length() -> None:
    watch = TimeWatch(SETUP)
    assert watch.summary() is None
    watch.add(90.0, [LEARNING])
    watch.add(10.0, [WAITING])
    text = watch.summary()
    assert text is not None
    assert text.startswith("where the time went: collect 30% (act 5%), learn 67%, ")
    assert "; learning is the bottleneck: 67%" in text


def test_a_split_is_read_from_a_row_of_figures() -> None:
    row = {f"time/fraction_{part}": index / 10 for index, part in enumerate(PARTS)}
    split = TimeSplit.of(row)
    assert (split.collect, split.act, split.learn, split.sync, split.save) == (
        0.0,
        0.1,
        0.2,
        0.3,
        0.4,
    )
    assert split.step == 0.0
