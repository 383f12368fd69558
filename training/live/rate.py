"""How fast a run goes now."""

from collections import deque

_WINDOW_SECONDS = 30.0
_WINDOW_POINTS = 4  # kept however old, so that slow updates have a rate too


class Rate:
    """Env steps per second over the last half minute."""

    def __init__(self, now: float, env_steps: int) -> None:
        self._window = deque([(now, env_steps)])

    def measure(self, now: float, env_steps: int) -> float | None:
        """Take a reading; return the rate, or None before there is one."""
        window = self._window
        if env_steps < window[-1][1] or (len(window) == 1 and env_steps == window[0][1]):
            window.clear()
        window.append((now, env_steps))
        while len(window) > _WINDOW_POINTS and now - window[1][0] >= _WINDOW_SECONDS:
            window.popleft()
        seconds, steps = now - window[0][0], env_steps - window[0][1]
        return steps / seconds if seconds > 0 and steps > 0 else None
