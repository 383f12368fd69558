"""Numbers as they are read: digits that matter, thousands apart, large ones with a letter."""

import math

_LETTERS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
MINUS, NOTHING = "−", "–"
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number_text(value: object, digits: int = 4) -> str:
    """Return a number with about `digits` digits; "–" for what is none."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return NOTHING
    if value == 0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if -4 <= size < digits:
        text = f"{value:.{max(digits - 1 - size, 0)}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        text = f"{value:,.0f}" if digits <= size < 12 else f"{value:.{digits - 1}g}"
    return _powers(text)


def _powers(text: str) -> str:
    """Write 1e-05 as 10⁻⁵."""
    digits, exponent, power = text.partition("e")
    if not exponent:
        return text.replace("-", MINUS)
    raised = str(int(power)).translate(_RAISED)
    factor = digits.replace("-", MINUS)
    return f"10{raised}" if factor == "1" else f"{factor}·10{raised}"


def short_text(value: float) -> str:
    """Return a number for an axis: 250 k, 1.5 M."""
    for size, letter in _LETTERS:
        if abs(value) >= size:
            return f"{value / size:.4g} {letter}".replace("-", MINUS)
    return _powers(f"{value:.4g}")


def fitting_name(name: str, most: int) -> str:
    """Return a name of at most `most` letters; of a longer one both ends, which tell it apart."""
    if len(name) <= most:
        return name
    head = (most - 1) // 2
    return f"{name[:head]}…{name[len(name) - (most - 1 - head) :]}"


def percent_text(share: float) -> str:
    """Return a share in percent; less than one is said so."""
    return "< 1 %" if 0 < share < 0.005 else f"{share:.0%}".replace("%", " %")


def duration_text(seconds: float) -> str:
    """Return a time in the two units that matter."""
    total = round(seconds)
    if total < 60:
        return f"{total} s"
    units = ((total // 86400, "d"), (total // 3600 % 24, "h"), (total // 60 % 60, "min"))
    parts = [f"{count} {unit}" for count, unit in (*units, (total % 60, "s"))]
    first = next(index for index, part in enumerate(parts) if not part.startswith("0 "))
    return " ".join(part for part in parts[first : first + 2] if not part.startswith("0 "))


def steps_text(steps: float, frames_per_step: float) -> str:
    """Return env steps, with the frames beside where a step has several."""
    text = f"{steps:,.0f} env steps"
    return text if frames_per_step == 1 else f"{text}, {steps * frames_per_step:,.0f} frames"
