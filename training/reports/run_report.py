"""The report of one run."""

from pathlib import Path

from training.reports.curves import curve_sections
from training.reports.evaluations import evaluation_table
from training.reports.groups import Group
from training.reports.markup import Markup, element
from training.reports.page import Section, folded, paragraph, render_page, video_figures
from training.reports.record import Record
from training.reports.summary import (
    actions_text,
    agent_text,
    commands,
    environment_text,
    run_facts,
    status_mark,
)
from training.reports.tables import default_table, facts
from training.reports.time_split import time_section
from training.reports.visited import visited_section

CURVES_NOTE = (
    "Thin: as recorded. Thick: the mean over a twentieth of the run around each point. "
    "The number is the last one recorded, not smoothed. Point at a chart for the thick curve's "
    "values."
)


def run_report(record: Record, page: Path) -> str:
    """Return the page of a run, to be written to `page`."""
    lead = [
        element("p", environment_text(record), ", ", agent_text(record), class_="lead"),
        element("p", status_mark(record)),
        *(paragraph(problem, "problem") for problem in record.problems),
    ]
    alone = Group(record.name, (record,))
    sections = [
        Section("Run", (facts(run_facts(record)), commands(record))),
        Section("Evaluation", _evaluation(record, page)),
        *curve_sections([alone], CURVES_NOTE + actions_text([record])),
        visited_section([alone]),
        time_section({record.name: [record]}),
        Section("Configuration", _configuration(record)),
    ]
    return render_page(record.name, lead, sections)


def _evaluation(record: Record, page: Path) -> tuple[Markup, ...]:
    parts = [evaluation_table([record])]
    if record.video is not None:
        parts += video_figures([(record.name, record.video)], page)
    return tuple(part for part in parts if part is not None)


def _configuration(record: Record) -> tuple[Markup, ...]:
    if not record.config:
        return ()
    changed = default_table(record)
    every = "\n".join(f"{key} = {value}" for key, value in record.config.items())
    return (
        paragraph("What differs from the defaults."),
        changed or paragraph("Nothing differs."),
        folded("every key", element("pre", every)),
    )
