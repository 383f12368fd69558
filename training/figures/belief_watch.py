"""Says in words that the critics foretell more than is paid.

Averaged over the states that a policy visits, with rewards r ≥ 0,

    E[V(s)] ≤ E[r] / (1 - γ)

of exact critics where no limit cuts episodes, with equality where nothing ever ends. Where limits
do, it holds as long as the last states of episodes are worth no more than the first. Critics that
stay far above it feed on their own values, which follow wherever a limit cuts an episode.
"""

from collections import deque
from collections.abc import Mapping

from agents.ppo.rollout_figures import LOWEST_REWARD, RETURN_MEAN, RETURN_PAID

ROWS = 10  # rewards are rare: few rows say little of how many there are
SURPLUS = 2.0  # times what is paid
LEAST = 0.1  # of a return; smaller ones are the noise of critics that have seen no reward


class BeliefWatch:
    """Looks at each log row; warns once, and again after a recovery."""

    def __init__(self) -> None:
        self._rows: deque[tuple[float, float, float]] = deque(maxlen=ROWS)
        self._is_told = False

    def look(self, values: Mapping[str, float]) -> str | None:
        """Return a warning where the returns of the last rows are mostly foretold ones."""
        if RETURN_PAID not in values:
            return None
        self._rows.append((values[RETURN_MEAN], values[RETURN_PAID], values[LOWEST_REWARD]))
        if len(self._rows) < ROWS:
            return None
        returns, paid, lowest = zip(*self._rows, strict=True)
        foretold, real = sum(returns) / ROWS, sum(paid) / ROWS
        is_above = min(lowest) >= 0 and foretold > max(LEAST, SURPLUS * real)
        is_new, self._is_told = is_above and not self._is_told, is_above
        if not is_new:
            return None
        return (
            f"the critic learns returns of {foretold:.2f} on average, and the rewards of the last "
            f"{ROWS} rows, paid for ever, come to {real:.2f}: the policy has just got worse, or "
            "the critic foretells itself where a limit cuts episodes; a smaller Gamma forgets that "
            "sooner, and BootstrapTruncations = False learns the limit as an end, if it is a rule "
            "of the game (docs/reading_curves.md)"
        )
