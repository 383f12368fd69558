"""Numbers, times and shares in few letters."""


def percent(done: int, total: int) -> str:
    """Return how much of `total` is done, at most 100.0%; nothing of an unknown total."""
    if total == 0:
        return "0.0%"
    return f"{min(100 * done / total, 100):.1f}%"


def short(number: float) -> str:
    """Return 9876, 12.3k, 456M: at least three digits and a unit."""
    if number < 9999.5:
        return f"{number:.0f}"
    power = 1 if number < 999_500 else 2 if number < 999_500_000 else 3
    number /= 1000**power
    digits = 0 if number >= 99.95 else 1 if number >= 9.995 else 2
    return f"{number:.{digits}f}{' kMG'[power]}"


def figure(value: float | None) -> str:
    """Return about four digits; nothing for None or not-a-number."""
    if value is None or value != value:  # noqa: PLR0124 - the test for not-a-number
        return ""
    return f"{value:,.1f}" if abs(value) >= 10 or value == 0 else f"{value:.3g}"


def speed(per_second: float) -> str:
    """Return a whole number, or two digits of what is less than one a second."""
    return f"{per_second:,.0f}" if per_second >= 1 or per_second == 0 else f"{per_second:.2g}"


def duration(seconds: float) -> str:
    """Return the two largest units: 42s, 3m05s, 1h02m, 2d03h."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86_400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86_400}d{whole % 86_400 // 3600:02d}h"


def memory(megabytes: float) -> str:
    """Return 412 MB or 9.3 GB."""
    return f"{megabytes:.0f} MB" if megabytes < 9999.5 else f"{megabytes / 1000:.1f} GB"


def counted(number: int, noun: str) -> str:
    """Return a count with its noun, in the plural unless there is one."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
