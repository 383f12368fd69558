"""What a report shows of where agents have been: one map for each run or group."""

from collections.abc import Sequence

from training.figures.axes import axis_names
from training.figures.coverage import Coverage
from training.reports.groups import Group
from training.reports.markup import Markup, element
from training.reports.page import Section, paragraph
from training.reports.places import draw_coverage, draw_rooms

ROOMS_NOTE = (
    "Rooms: those entered in any evaluation of the runs; the charts count those of training."
)


def visited_section(groups: Sequence[Group]) -> Section:
    """Return the maps of states and of rooms; without parts where nothing was counted."""
    coverages = [(group, total) for group in groups if (total := total_coverage(group)) is not None]
    figures, notes = [], []
    if coverages:
        most = max(2, *(int(coverage.counts.max()) for _, coverage in coverages))
        notes.append(colour_bar(most))
        for group, coverage in coverages:
            axes = axis_names(group.runs[0].setting("EnvID"))
            figures.append(draw_coverage(group.name, coverage, most, axes))
    rooms = [draw_rooms(group.name, found) for group in groups if (found := rooms_entered(group))]
    if rooms:
        notes.append(paragraph(ROOMS_NOTE))
    figures += rooms
    shown = (*notes, element("div", *figures, class_="charts")) if figures else ()
    return Section("Where it has been", shown)


def total_coverage(group: Group) -> Coverage | None:
    """Return the visits of a group's runs together; None where there are none or grids differ."""
    parts = [run.coverage for run in group.runs if run.coverage is not None]
    if not parts:
        return None
    first = parts[0]
    num_across, num_up = first.counts.shape
    total = Coverage(first.low.tolist(), first.high.tolist(), (num_across, num_up))
    for part in parts:
        same = (part.low == first.low).all() and (part.high == first.high).all()
        if not same or part.counts.shape != first.counts.shape:
            return None
        total.counts += part.counts
    return total


def rooms_entered(group: Group) -> set[int]:
    """Return the rooms of Montezuma's Revenge that evaluations entered."""
    if "MontezumaRevenge" not in group.runs[0].setting("EnvID"):
        return set()
    listed = (report.get("rooms") for run in group.runs for report in run.evaluations.values())
    return {room for rooms in listed if isinstance(rooms, list) for room in rooms}


def colour_bar(most: int) -> Markup:
    """Return what the colours of the maps mean."""
    return element(
        "p",
        element("i", class_="swatch unvisited"),
        "never ",
        element("i", class_="ramp"),
        f" 1 to {most:,} visits, by logarithm",
        class_="legend",
    )
