"""What goes where on the screen in place, and what is left out where there is little room."""

from dataclasses import dataclass

from rich.text import Text

from training.live.charts import chart_block, charts_of
from training.live.figures import hint_lines, loss_lines, memory_lines, rank_lines, time_lines
from training.live.head import head_lines
from training.live.line import live_line
from training.live.status import View

LEAST_WIDTH, LEAST_HEIGHT = 40, 6
MOST_CHART_ROWS = 6
_ONE_CHART = 38  # columns


@dataclass(frozen=True)
class _Block:
    """Lines that stand or fall together, by importance; `gap` is one empty line in front."""

    importance: int
    lines: list[Text]
    gap: bool = False


def lay_out(view: View, width: int, height: int, *, only_ascii: bool = False) -> list[Text]:
    """Return at most `height` lines of less than `width` columns.

    Where there is little room, the least important blocks are left out, then the empty lines;
    what is left over makes the curves higher.
    """
    if width < LEAST_WIDTH or height < LEAST_HEIGHT:
        return [live_line(view, width)]
    columns = width - 1  # a terminal may wrap at its last column
    curves = charts_of(view, max(1, columns // _ONE_CHART))
    blocks = [
        _Block(9, head_lines(view, columns, only_ascii=only_ascii)),
        _Block(4, loss_lines(view, columns), gap=True),
        _Block(6, time_lines(view, columns, only_ascii=only_ascii)),
        _Block(3, rank_lines(view)),
        _Block(5, memory_lines(view, columns)),
        _Block(7, hint_lines(view, columns)),
    ]
    blocks = [block for block in blocks if block.lines]
    least = 2 if curves else 0  # a title and a row
    while len(blocks) > 1 and _height(blocks) + least > height:
        blocks.remove(min(blocks, key=lambda block: block.importance))
    room = height - _height(blocks)
    gaps = room - least >= 4
    rows = min(room - 1 - (2 if gaps else 0), MOST_CHART_ROWS)
    lines = list(blocks[0].lines)
    if curves and rows >= 1:
        lines += [Text()] if gaps else []
        lines += chart_block(curves, view, columns, rows, only_ascii=only_ascii)
    for block in blocks[1:]:
        lines += [Text()] if block.gap and gaps else []
        lines += block.lines
    for line in lines:
        line.truncate(columns)
    return lines[:height]


def _height(blocks: list[_Block]) -> int:
    return sum(len(block.lines) for block in blocks)
