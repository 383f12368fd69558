"""What a run might have taken."""

from benchmarks.timed_runs import Timing


def made_up_timing(
    speed: float = 1000.0, cpu: float = 2000.0, *, steps: float = 64.0, memory: float = 500.0
) -> Timing:
    """A run of half collecting, of which a fifth is acting, and half learning but for a tenth."""
    shares = {"collect": 0.5, "act": 0.1, "learn": 0.4, "sync": 0.05, "save": 0.0}
    return Timing(speed, cpu, steps, shares, memory, (0.0, 1.0))
