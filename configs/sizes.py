"""How many bytes, in words."""

UNITS = ("bytes", "kB", "MB", "GB", "TB")


def bytes_text(number: float) -> str:
    """Return 12 bytes, 3.4 kB, 120 MB or 9.3 GB: thousands, and two digits or more."""
    power = 0
    while number >= 999.5 and power + 1 < len(UNITS):
        number, power = number / 1000, power + 1
    digits = 1 if power and number < 9.95 else 0
    return f"{number:,.{digits}f} {UNITS[power]}"
