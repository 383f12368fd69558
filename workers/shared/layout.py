"""Which environments form which group, and which worker owns which of them."""

from dataclasses import dataclass

from configs.errors import ConfigurationError


def split(start: int, count: int, parts: int) -> tuple[range, ...]:
    """Cut [start, start + count) into `parts` contiguous ranges whose sizes differ by at most 1."""
    base, larger = divmod(count, parts)
    ranges = []
    for part in range(parts):
        size = base + (part < larger)
        ranges.append(range(start, start + size))
        start += size
    return tuple(ranges)


@dataclass(frozen=True)
class Layout:
    """Groups of environments, and every worker's rows of every group.

    Each worker owns a share of each group, so that all cores work for whichever group steps.

    Attributes:
        groups: G ranges of environments, in order; together [0, N).
        rows: rows[worker][group] is the range that the worker owns; it may be empty.
    """

    groups: tuple[range, ...]
    rows: tuple[tuple[range, ...], ...]

    @classmethod
    def plan(cls, num_environments: int, num_processes: int, num_groups: int) -> "Layout":
        """Spread N environments over groups and workers; no more workers than the largest group.

        Raises:
            ConfigurationError: a number below 1, or more groups than environments.
        """
        if min(num_environments, num_processes, num_groups) < 1:
            raise ConfigurationError(
                f"a pool needs at least one environment, process and group, not {num_environments},"
                f" {num_processes} and {num_groups}"
            )
        if num_groups > num_environments:
            raise ConfigurationError(
                f"{num_environments} environments cannot form {num_groups} groups: raise NumEnv or "
                "lower EnvironmentGroups"
            )
        groups = split(0, num_environments, num_groups)
        num_workers = min(num_processes, len(groups[0]))
        shares = [split(group.start, len(group), num_workers) for group in groups]
        return cls(groups, tuple(zip(*shares, strict=True)))

    @property
    def num_environments(self) -> int:
        """N."""
        return self.groups[-1].stop

    @property
    def num_workers(self) -> int:
        """How many processes the environments are spread over."""
        return len(self.rows)


def environment_names(rows: tuple[range, ...]) -> str:
    """Name the environments of a worker for a message: "environments 0-3, 8-11"."""
    spans = [
        f"{span.start}-{span.stop - 1}" if len(span) > 1 else f"{span.start}"
        for span in rows
        if span
    ]
    several = sum(map(len, rows)) > 1
    return f"environment{'s' if several else ''} {', '.join(spans)}"
