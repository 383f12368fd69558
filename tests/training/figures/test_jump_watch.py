"""The warning about a step that turned the policy over."""

from agents.ppo.policy_change import GREEDY_DROP
from training.figures.jump_watch import JUMP, QUIET_ROWS, JumpWatch


def test_a_jump_is_told_with_its_size_and_what_to_try() -> None:
    text = JumpWatch().look({GREEDY_DROP: 0.96})
    assert text is not None
    assert "0.96" in text
    assert "LearningRateSchedule = linear" in text


def test_what_is_no_jump_is_not_told() -> None:
    watch = JumpWatch()
    assert watch.look({GREEDY_DROP: JUMP}) is None
    assert watch.look({}) is None


def test_many_jumps_are_told_once_in_a_while() -> None:
    watch = JumpWatch()
    told = [watch.look({GREEDY_DROP: 0.9}) is not None for _ in range(2 * QUIET_ROWS + 1)]
    assert [row for row, is_told in enumerate(told) if is_told] == [0, QUIET_ROWS, 2 * QUIET_ROWS]
