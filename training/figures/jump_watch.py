"""Says in words that an update turned a policy over that was sure of itself."""

from collections.abc import Mapping

from agents.ppo.policy_change import GREEDY_DROP

JUMP = 0.5  # of a probability: before it, the action was likelier than all others together
QUIET_ROWS = 50  # between two warnings


class JumpWatch:
    """Looks at each log row; warns at a jump, and then keeps quiet for a while."""

    def __init__(self) -> None:
        self._quiet = 0

    def look(self, values: Mapping[str, float]) -> str | None:
        """Return a warning where the probability of a greedy action fell by more than JUMP."""
        self._quiet -= 1
        drop = values.get(GREEDY_DROP, 0.0)
        if drop <= JUMP or self._quiet > 0:
            return None
        self._quiet = QUIET_ROWS
        return (
            f"one update took {drop:.2f} of its probability from an action that the policy was "
            "sure of: steps this long can undo what was learnt; LearningRateSchedule = linear or "
            "a lower LearningRate shortens them"
        )
