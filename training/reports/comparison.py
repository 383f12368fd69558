"""The report of several runs side by side."""

from collections.abc import Sequence
from pathlib import Path

from training.reports.curves import curve_sections
from training.reports.evaluations import evaluation_table
from training.reports.groups import SEED_KEY, Group, common_step, group_runs
from training.reports.markup import Markup, element
from training.reports.numbers import NOTHING, duration_text, number_text
from training.reports.page import Section, paragraph, render_page, video_figures
from training.reports.record import Record
from training.reports.rows import SCORE
from training.reports.summary import actions_text, agent_text, environment_text, status_mark
from training.reports.table import table
from training.reports.tables import difference_table, score_table
from training.reports.time_split import elapsed_seconds, time_section
from training.reports.visited import visited_section

SCORE_NOTE = (
    "Runs that differ in their seed alone are one group. Its figure is the interquartile mean of "
    "its runs (without the lowest and the highest quarter; with fewer than four, of all), in "
    "brackets the 95 % interval of a stratified bootstrap: runs are drawn anew within their group "
    "(Agarwal et al. 2021, arXiv 2108.13264). Return: the mean of the last 100 training episodes, "
    "raw score. Runs are compared where the first of them ended, those left out that ended before "
    "half of the furthest. Evaluations count that are of the run's own environment, under the "
    "protocol of training. With a handful of runs an interval is a rough one; one run has none."
)
CURVES_NOTE = (
    "Thick: the interquartile mean of a group's runs, with the 95 % interval of the same bootstrap "
    "around it, as far as all of them reach that ran at least half as far as the furthest. Thin: "
    "each run. All are smoothed over a twentieth of a run; the tables are not. A group of one run "
    "shows it as recorded, and smoothed. Point at a chart for the thick curves' values."
)


def comparison(records: Sequence[Record], page: Path) -> str:
    """Return the page of several runs, to be written to `page`."""
    groups = group_runs(records)
    last_step = common_step([float(run.last_step) for run in records if run.rows])
    note = SCORE_NOTE + actions_text(records)
    sections = [
        Section("Scores", (score_table(groups, last_step), paragraph(note))),
        *curve_sections(groups, CURVES_NOTE),
        visited_section(groups),
        time_section({group.name: group.runs for group in groups}),
        Section("Evaluations", tuple(filter(None, [evaluation_table(records)]))),
        Section("Videos", _videos(records, page)),
        Section("Configurations", _configurations(groups)),
        Section("Every run", (_runs_table(groups),)),
    ]
    title = " · ".join(group.name for group in groups)
    return render_page(title, _lead(groups), sections)


def _lead(groups: Sequence[Group]) -> list[Markup]:
    """Return what was compared, and what makes a comparison a poor one."""
    runs = [run for group in groups for run in group.runs]
    environments = list(dict.fromkeys(environment_text(run) for run in runs))
    counted = f"{len(runs)} runs in {len(groups)} group{'s' if len(groups) > 1 else ''}"
    lead = [paragraph(f"{counted}; {', '.join(environments)}", "lead")]
    if len({run.setting("EnvID") for run in runs}) > 1:
        lead.append(
            paragraph("The runs are of different environments: scores do not compare.", "problem")
        )
    commits = {_commit(run) for run in runs}
    if len(commits) > 1:
        lead.append(
            paragraph(f"The runs were made by {len(commits)} different commits.", "problem")
        )
    return [
        *lead,
        *(paragraph(f"{run.name}: {text}", "problem") for run in runs for text in run.problems),
    ]


def _videos(records: Sequence[Record], page: Path) -> tuple[Markup, ...]:
    videos = [(run.name, run.video) for run in records if run.video is not None]
    figures = video_figures(videos, page)
    return (element("div", *figures, class_="charts"),) if figures else ()


def _configurations(groups: Sequence[Group]) -> tuple[Markup, ...]:
    if len(groups) == 1:
        return (paragraph("All runs share one configuration but for their seeds."),)
    return (
        paragraph("The keys in which the groups differ."),
        difference_table(groups) or paragraph("None: at least one configuration is not known."),
    )


def _runs_table(groups: Sequence[Group]) -> Markup:
    head = [
        "run",
        "group",
        "agent",
        "seed",
        "env steps",
        "return",
        "time",
        "env steps/s",
        "commit",
        "end",
    ]
    return table(head, [_run_cells(group, run) for group in groups for run in group.runs])


def _run_cells(group: Group, run: Record) -> list[str]:
    seconds = float(elapsed_seconds(run.rows, run.begun_at).sum())
    score = next((row[SCORE] for row in reversed(run.rows) if SCORE in row), None)
    return [
        run.name,
        group.name,
        agent_text(run),
        run.setting(SEED_KEY),
        f"{run.last_step:,}",
        number_text(score),
        duration_text(seconds),
        f"{(run.last_step - run.begun_at) / seconds:,.0f}" if seconds else NOTHING,
        _commit(run),
        status_mark(run),
    ]


def _commit(record: Record) -> str:
    """Return the commit's first digits, and whether files differed from it."""
    commit = str(record.starts[-1].get("commit", NOTHING)) if record.starts else NOTHING
    digits, plus, changes = commit.partition("+")
    return digits[:10] + plus + changes
