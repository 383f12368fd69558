import pytest
import rich

from training.browsing.progress import reading


def test_a_file_gets_a_line_now_and_then_with_the_time_that_is_left(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert not rich.get_console().is_terminal
    now = 0.0
    with reading(400_000_000, "verifying car", lambda: now) as read:
        for now in (4.0, 8.0, 12.0, 16.0):  # noqa: B007 - the clock reads it
            read(50_000_000)
    assert capsys.readouterr().out == "verifying car: 37.5% of 400 MB, ETA 20s\n"
