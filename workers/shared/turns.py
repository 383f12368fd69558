"""What each group of a pool's environments waits for; calls out of order are refused."""

from workers.shared.protocol import GroupState, PoolStateError


class Turns:
    """The states of a pool's groups."""

    def __init__(self, num_groups: int) -> None:
        self._states = [GroupState.NEW] * num_groups

    def has(self, wanted: GroupState) -> bool:
        """Whether the first group, and so all of a pool that is not stepping, is in that state."""
        return self._states[0] is wanted

    def expect(self, group: int, wanted: GroupState) -> None:
        """Refuse a call that a group does not wait for.

        Raises:
            PoolStateError: the group waits for another one.
        """
        state = self._states[group]
        if state is not wanted:
            raise PoolStateError(f"call out of order for group {group}: {state.value}")

    def expect_all(self, wanted: GroupState) -> None:
        """Refuse a call that not every group waits for; see `expect`."""
        for group in range(len(self._states)):
            self.expect(group, wanted)

    def put(self, group: int, state: GroupState) -> None:
        """Note what a group waits for now."""
        self._states[group] = state

    def put_all(self, state: GroupState) -> None:
        """Note what all groups wait for now."""
        self._states = [state] * len(self._states)
