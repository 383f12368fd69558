"""The warning of critics that foretell more than is paid."""

from training.figures.belief_watch import ROWS, BeliefWatch

GAMMA = 0.99


def row(foretold: float, reward: float, lowest: float = 0.0) -> dict[str, float]:
    return {
        "values/return_mean": foretold,
        "values/return_paid": reward / (1 - GAMMA),
        "values/reward_lowest": lowest,
    }


def told(*rows: dict[str, float]) -> list[int]:
    """Return the rows at which something is said."""
    watch = BeliefWatch()
    return [number for number, each in enumerate(rows) if watch.look(each) is not None]


def test_returns_of_a_game_that_pays_nothing_any_more_are_told_once() -> None:
    assert told(*[row(0.69, 0.0)] * 3 * ROWS) == [ROWS - 1]


def test_the_warning_names_both_figures_and_the_key() -> None:
    watch = BeliefWatch()
    *_, text = [watch.look(row(0.69, 0.001)) for _ in range(ROWS)]
    assert text is not None
    assert "returns of 0.69" in text
    assert "come to 0.10" in text
    assert "BootstrapTruncations = False" in text


def test_what_is_paid_is_believed_rightly_wherever_episodes_end() -> None:
    assert told(*[row(0.75, 0.036)] * 2 * ROWS) == []


def test_one_row_without_a_reward_is_chance() -> None:
    rare = [row(0.5, 0.0), row(0.5, 0.01)] * ROWS
    assert told(*rare) == []


def test_costs_and_critics_that_know_nothing_are_left_alone() -> None:
    assert told(*[row(0.5, 0.0, lowest=-1.0)] * 2 * ROWS) == []
    assert told(*[row(0.01, 0.0)] * 2 * ROWS) == []
    assert told(*[{}] * 2 * ROWS) == []


def test_a_recovery_is_believed_and_a_relapse_told() -> None:
    low, high = [row(0.69, 0.0)] * ROWS, [row(0.69, 0.1)] * ROWS
    assert told(*low, *high, *low) == [ROWS - 1, 3 * ROWS - 1]
