"""The lines of figures below the curves: losses, time, ranks, memory, the hint."""

import textwrap

from rich.text import Text

from training.figures.bottlenecks import waited_for
from training.figures.time_split import TimeSplit
from training.live.status import RankFigures, View
from training.live.words import figure, memory
from workers.processes.free_memory import available_memory

_LABEL = 8  # columns of the word in front of a line
_MOST_RANKS = 4
_MOST_LINES = 3
_LEAST_WAIT = 0.05  # share of waiting from which on the rank that is waited for is named

# (attribute of TimeSplit, word, glyph, glyph in ASCII, colour)
_PARTS = (
    ("step", "step", "█", "#", "cyan"),
    ("act", "act", "▓", "%", "blue"),
    ("learn", "learn", "▒", "=", "magenta"),
    ("sync", "sync", "░", "-", "yellow"),
    ("save", "write", "▪", ".", "red"),
)


def loss_lines(view: View, columns: int) -> list[Text]:
    """Return the losses of the last update."""
    losses = view.subject.losses
    figures = {word: figure(view.status.values.get(name)) for name, word in losses.items()}
    pieces = [_pair(word, value) for word, value in figures.items() if value]
    return _flow("losses", pieces, columns)


def time_lines(view: View, columns: int, *, only_ascii: bool) -> list[Text]:
    """Return the split of the time as a bar, and its legend."""
    if not view.status.ranks:
        return []
    split = TimeSplit.mean((1.0, rank.split) for rank in view.status.ranks)
    bar, legend = _labelled("time"), []
    width = max(columns - _LABEL, 0)
    whole = max(1.0, split.collect + split.learn + split.sync + split.save)  # more if they overlap
    drawn, end = 0, 0.0
    for attribute, word, glyph, letter, colour in _PARTS:
        share = float(getattr(split, attribute))
        end += share
        mark = letter if only_ascii else glyph
        until = min(round(end / whole * width), width)
        bar.append(mark * (until - drawn), style=colour)
        drawn = until
        legend.append(Text().append(f"{mark} ", style=colour).append(_pair(word, f"{share:.0%}")))
    return [bar, *_flow("", [*legend, _pair("rest", f"{split.rest:.0%}")], columns)]


def rank_lines(view: View) -> list[Text]:
    """Return a table of ranks where there are several.

    Of many, those that lost workers are shown, then those that collect longest.
    """
    ranks = view.status.ranks
    if len(ranks) < 2:
        return []
    heads = "".join(f"{head:>7}" for head in ("step", "act", "learn", "sync", "write"))
    lines = [Text(f"{'rank':<{_LABEL}}{heads}   memory  workers lost", style="dim")]
    numbered = list(enumerate(ranks))
    late = waited_for([rank.split for rank in ranks])
    if len(ranks) > _MOST_RANKS:
        numbered.sort(key=lambda pair: (-pair[1].worker_restarts, -pair[1].split.collect))
        numbered = numbered[: _MOST_RANKS - 1]
    waiting = max(rank.split.sync for rank in ranks) >= _LEAST_WAIT
    lines += [
        _rank_line(number, rank, is_waited_for=waiting and number == late)
        for number, rank in numbered
    ]
    if len(numbered) < len(ranks):
        lines.append(Text(f"and {len(ranks) - len(numbered)} more, less busy", style="dim"))
    return lines


def _rank_line(number: int, rank: RankFigures, *, is_waited_for: bool) -> Text:
    split = rank.split
    shares = (split.step, split.act, split.learn, split.sync, split.save)
    line = Text(f"{number:<{_LABEL}}" + "".join(f"{share:>7.0%}" for share in shares))
    line.append(f"{memory(rank.memory):>9}")
    lost = str(rank.worker_restarts)
    line.append(f"{lost:>14}", style="bold red" if rank.worker_restarts else "")
    return line.append("  waited for" if is_waited_for else "", style="yellow")


def memory_lines(view: View, columns: int) -> list[Text]:
    """Return the memory of all agent processes, and how many workers were lost."""
    ranks = view.status.ranks
    if not ranks:
        return []
    pieces = [_pair("agents" if len(ranks) > 1 else "agent", memory(sum(r.memory for r in ranks)))]
    on_gpu = [rank.gpu_memory for rank in ranks if rank.gpu_memory is not None]
    if on_gpu:
        pieces.append(_pair("GPU", memory(sum(on_gpu))))
    pieces.append(_pair("free", memory(available_memory() / 1e6)))
    lost = sum(rank.worker_restarts for rank in ranks)
    pieces.append(_pair("workers lost and replaced", str(lost), "bold red" if lost else "bold"))
    return _flow("memory", pieces, columns)


def hint_lines(view: View, columns: int) -> list[Text]:
    """Return what holds the run up, on three lines at most."""
    if not view.status.hint:
        return []
    lines = textwrap.wrap(
        view.status.hint, columns - _LABEL, max_lines=_MOST_LINES, placeholder=" ..."
    )
    return [
        _labelled("" if index else "hint").append(line, style="yellow")
        for index, line in enumerate(lines)
    ]


def _labelled(word: str) -> Text:
    return Text().append(f"{word:<{_LABEL}}", style="dim")


def _pair(word: str, value: str, style: str = "bold") -> Text:
    return Text().append(f"{word} ", style="dim").append(value, style=style)


def _flow(label: str, pieces: list[Text], columns: int) -> list[Text]:
    """Return the pieces one after the other, on two lines at most; what is left over is cut."""
    lines: list[Text] = []
    for piece in pieces:
        if lines and len(lines[-1]) + 2 + len(piece) <= columns:
            lines[-1].append("  ").append(piece)
        elif len(lines) < 2:
            lines.append(_labelled("" if lines else label).append(piece))
        else:
            break
    return lines
