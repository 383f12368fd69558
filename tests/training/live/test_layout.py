"""What the screen holds at which size."""

from dataclasses import replace

import pytest

from tests.training.live.views import SPLIT, VALUES, rank, view
from training.live.figures import rank_lines
from training.live.layout import lay_out
from training.live.status import RankFigures, View


def drawn(state: View, width: int, height: int, *, only_ascii: bool = False) -> list[str]:
    return [line.plain for line in lay_out(state, width, height, only_ascii=only_ascii)]


@pytest.mark.parametrize("width", [1, 20, 39, 40, 50, 60, 80, 160, 300])
def test_the_screen_fits_in_every_terminal(width: int) -> None:
    for height in (1, 5, 6, 9, 12, 23, 60):
        for num_ranks in (1, 2, 16):
            lines = lay_out(view(num_ranks=num_ranks), width, height)
            assert 1 <= len(lines) <= height
            assert all(line.cell_len < max(width, 2) for line in lines)


def test_at_80_columns_and_24_rows_there_is_all_of_it() -> None:
    lines = drawn(view(num_ranks=2), 80, 23)
    text = "\n".join(lines)
    for part in (
        "0.0%  ETA 4d17h",
        "72.0k of 492M env steps  4,800 frames/s ",
        "update 37, collecting",
        "return, 100 episodes",
        "intrinsic reward",
        "policy -0.0123  value 0.31  entropy 1.03  KL 0.004  explained 0.895",
        "step 40%  ▓ act 10%  ▒ learn 40%  ░ sync 5%  ▪ write 2%  rest 3%",
        "rank       step    act  learn   sync  write   memory  workers lost",
        "0           40%    10%    40%     5%     2%   412 MB             0  waited for",
        "agents 825 MB  free ",
        "workers lost and replaced 0",
        "hint    workers are the bottleneck",
    ):
        assert part in text, text
    assert not any("rooms " in line for line in lines)  # the third curve has no room here


def test_a_wide_terminal_has_more_curves() -> None:
    titles = next(line for line in drawn(view(), 160, 40) if "return" in line)
    assert [title for title in ("intrinsic reward", "rooms", "entropy") if title in titles] == [
        "intrinsic reward",
        "rooms",
        "entropy",
    ]


def test_a_low_terminal_gives_up_ranks_first_then_losses_and_keeps_the_head() -> None:
    ranks, losses, hint, head = "workers lost\n", "losses", "hint", "ETA"
    seen = {
        height: [word for word in (ranks, losses, hint, head) if word in text]
        for height in (23, 13, 10, 6)
        for text in ["\n".join(drawn(view(num_ranks=2), 80, height)) + "\n"]
    }
    assert seen[23] == [ranks, losses, hint, head]
    assert seen[13] == [losses, hint, head]
    assert seen[10] == [hint, head]
    assert seen[6] == [head]


def test_before_the_first_row_there_are_the_head_and_the_phase_alone() -> None:
    state = view(env_steps=0, num_ranks=0, hint="", phase="warm-up 3/50", rate=None, values={})
    lines = drawn(replace(state, activity="", history={}), 80, 23)
    assert len(lines) == 3
    assert lines[1].endswith("0.0%  ETA --")
    assert lines[2].endswith("warm-up 3/50")


def test_without_frame_skip_the_rate_is_in_env_steps() -> None:
    assert "1,200 env steps/s" in drawn(view(frame_skip=1), 80, 23)[2]


def test_an_ascii_terminal_gets_ascii_alone() -> None:
    text = "\n".join(drawn(view(num_ranks=2), 80, 23, only_ascii=True))
    assert text.isascii()


def test_a_figure_that_is_not_a_number_is_left_out() -> None:
    text = "\n".join(drawn(view(values={**VALUES, "losses/policy": float("nan")}), 80, 23))
    assert "policy -" not in text
    assert "nan" not in text


def test_the_rank_that_the_others_wait_for_is_named() -> None:
    ranks = [rank(0, collect=0.3, sync=0.2), rank(1, collect=0.5, sync=0.0)]
    lines = rank_lines(with_ranks(view(), ranks))
    assert [line.plain.endswith("waited for") for line in lines] == [False, False, True]


def test_of_many_ranks_the_busiest_and_all_that_lost_workers_are_shown() -> None:
    ranks = [rank(number, collect=0.3 + number / 100) for number in range(15)]
    ranks.append(rank(15, collect=0.1, lost=3))
    lines = rank_lines(with_ranks(view(), ranks))
    assert [line.plain.split()[0] for line in lines] == ["rank", "15", "14", "13", "and"]
    assert lines[1].plain.endswith(" 3")


def with_ranks(state: View, ranks: list[RankFigures]) -> View:
    return replace(state, status=replace(state.status, ranks=ranks))


def test_the_split_adds_up() -> None:
    assert SPLIT.step + SPLIT.act + SPLIT.learn + SPLIT.sync + SPLIT.save + SPLIT.rest == 1.0
