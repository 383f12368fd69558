"""Where a run's time went, as bars."""

from collections.abc import Mapping, Sequence

import numpy as np

from training.reports.chart import legend
from training.reports.markup import Markup, element
from training.reports.numbers import fitting_name, percent_text
from training.reports.page import Section
from training.reports.record import Record
from training.reports.rows import Row, Values, curve

# Parts in the order of a bar, under the terminal's names -> what they are; "act" is recorded as a
# part of "collect".
PARTS = {
    "step": "environments step, and their frames arrive",
    "act": "the policy chooses actions",
    "learn": "gradients, bonus and statistics",
    "synchronise": "agent processes wait for each other between collecting and learning",
    "write": "checkpoints, rows and curves",
    "rest": "all else",
}
WIDTH, BAR, ROW = 420.0, 22.0, 46.0
MOST_LETTERS = 44  # of a name above its bar
_NARROWEST_LABEL = 0.09


def elapsed_seconds(rows: Sequence[Row], begun_at: int = 0) -> Values:
    """Return the seconds of training between each row with a speed and the one before, [n].

    Args:
        rows: of a run.
        begun_at: its env steps before the first row, which another run has played.
    """
    steps, speeds = curve([row for row in rows if row.get("charts/SPS")], "charts/SPS")
    return np.diff(steps, prepend=float(begun_at)) / speeds


def time_shares(rows: Sequence[Row], begun_at: int = 0) -> dict[str, float]:
    """Return each part's share of the time of a run; {} where no row tells it.

    Args:
        rows, begun_at: see elapsed_seconds.
    """
    timed = [row for row in rows if row.get("charts/SPS") and "time/fraction_collect" in row]
    if not timed:
        return {}
    seconds = elapsed_seconds(timed, begun_at)
    mean = {
        part: float(seconds @ [row.get(f"time/fraction_{part}", 0.0) for row in timed])
        / float(seconds.sum() or 1.0)
        for part in ("collect", "act", "learn", "sync", "save")
    }
    shares = {"step": max(0.0, mean["collect"] - mean["act"])}
    shares |= {"act": mean["act"], "learn": mean["learn"]}
    shares |= {"synchronise": mean["sync"], "write": mean["save"]}
    return shares | {"rest": max(0.0, 1.0 - sum(shares.values()))}


def draw_time_split(shares: Mapping[str, Mapping[str, float]]) -> Markup:
    """Return one bar for each run or group; {name: shares of its time}, none of them empty."""
    bars = [
        element("g", *_bar(name, parts), transform=f"translate(0 {index * ROW:g})")
        for index, (name, parts) in enumerate(shares.items())
    ]
    words = "; ".join(
        f"{name}: " + ", ".join(f"{part} {percent_text(share)}" for part, share in parts.items())
        for name, parts in shares.items()
    )
    return element(
        "svg",
        *bars,
        viewBox=f"0 0 {WIDTH:g} {ROW * len(shares):g}",
        role="img",
        aria_label=f"Where the time went. {words}.",
        class_="bars",
    )


def time_section(groups: Mapping[str, Sequence[Record]]) -> Section:
    """Return the bars of runs or groups, {name: its runs}, and what their parts are.

    A group's share is the mean of its runs'; one that tells no times has no bar.
    """
    shares = {}
    for name, runs in groups.items():
        found = [parts for run in runs if (parts := time_shares(run.rows, run.begun_at))]
        if found:
            shares[name] = {part: float(np.mean([one[part] for one in found])) for part in PARTS}
    entries = [
        (f"p{number}", f"{part}: {words}") for number, (part, words) in enumerate(PARTS.items())
    ]
    picture = element("figure", draw_time_split(shares), class_="small") if shares else None
    return Section("Where the time went", (legend(entries), picture) if picture else ())


def _bar(name: str, parts: Mapping[str, float]) -> list[Markup]:
    """Return a name and the pieces of its bar, each with its share where there is room for it."""
    pieces = [element("text", fitting_name(name, MOST_LETTERS), x=0, y=13)]
    left, whole = 0.0, sum(parts.values())
    for number, (part, share) in enumerate(parts.items()):
        width = share / whole * WIDTH
        text = f"{part} {percent_text(share)}"
        pieces.append(
            element(
                "rect",
                element("title", f"{name}: {text}, {PARTS[part]}"),
                x=left,
                y=18,
                width=width,
                height=BAR,
                class_=f"part p{number}",
            )
        )
        if share >= _NARROWEST_LABEL:
            place = {"x": left + width / 2, "y": 18 + BAR / 2 + 4}
            label = percent_text(share)
            pieces.append(element("text", label, **place, text_anchor="middle", class_="on"))
        left += width
    return pieces
