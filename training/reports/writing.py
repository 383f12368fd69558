"""Writes a report for each run, and one of all of them side by side."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from configs.errors import ConfigurationError
from training.folders.files import check_writable, replace_file
from training.live.console import final_message
from training.reports.comparison import comparison
from training.reports.groups import group_runs
from training.reports.record import Record, read_records
from training.reports.run_report import run_report

COMPARISONS = Path("logs/reports")
PAGE = "report.html"
_LONGEST_NAME = 100


def write_reports(names: Sequence[str], out: Path | None = None) -> int:
    """Write and name the reports of the runs; return the exit code.

    Args:
        names: of runs, or their folders.
        out: where the report of one run, or the comparison of several, is written; None = into the
            run's folder, or to logs/reports.

    Raises:
        ConfigurationError: there is no such run, or `out` cannot be a page.
        StorageError: a page cannot be written.
    """
    if out is not None:
        check_page(out)
    records = read_records(names)
    if len(records) == 1:
        pages = {out or records[0].folder / PAGE: records}
    else:
        pages = {record.folder / PAGE: [record] for record in records}
        pages[out or COMPARISONS / comparison_name(records)] = records
    for path, shown in pages.items():
        text = run_report(shown[0], path) if len(shown) == 1 else comparison(shown, path)
        replace_file(path, text.encode())
        label = "report" if len(shown) == 1 else "comparison"
        final_message(f"{label:<11} {path}")
    return 0


def check_page(path: Path) -> None:
    """Refuse a path that is none for a page: a slip of the hand must not replace another file.

    Raises:
        ConfigurationError: it does not end in .html, or cannot be written.
    """
    if path.suffix != ".html":
        raise ConfigurationError(
            f"--out={path}: a report is a page; give it a name that ends in .html"
        )
    check_writable(path, "--out")


def comparison_name(records: Sequence[Record]) -> str:
    """Return a file name of the groups' names; one that grows too long is cut and made unique."""
    names = [re.sub(r"[^A-Za-z0-9._-]+", "-", group.name) for group in group_runs(records)]
    name = "_vs_".join(name.strip(".-") for name in names)
    if len(names) == 1:
        name += "_seeds"
    if len(name) > _LONGEST_NAME:
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        name = f"{name[:_LONGEST_NAME]}_{digest}"
    return f"{name}.html"
