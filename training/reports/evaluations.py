"""The evaluations of runs: as a table, and which of them tell of a run as it was trained."""

from collections.abc import Mapping, Sequence
from typing import Any

from training.checkpoints.protocol import changes_text
from training.reports.markup import Markup
from training.reports.numbers import NOTHING, number_text
from training.reports.record import Record
from training.reports.table import table

AS_TRAINED = "as in training"
_HEAD = ("run", "checkpoint at", "actions", "protocol", "seed", "episodes", "mean score")
_FIGURES = ("95 % interval", "IQM", "min", "max", "length", "rooms")


def action_choices(records: Sequence[Record]) -> list[str]:
    """Return how actions were chosen in evaluations that count, greedy and sampled apart."""
    reports = (report for record in records for report in _counting(record))
    return sorted({_text(report, "action_choice") for report in reports})


def evaluated(record: Record, choice: str) -> list[float]:
    """Return the mean score of the newest evaluation with this choice of actions, if any counts."""
    for report in reversed(_counting(record)):
        if _text(report, "action_choice") == choice:
            return [float(report["score"]["mean"])]
    return []


def evaluation_table(records: Sequence[Record]) -> Markup | None:
    """Return one row for each evaluation of the runs; None without any."""
    rows = [_cells(record, report) for record in records for report in record.evaluations.values()]
    return table([*_HEAD, *_FIGURES], rows) if rows else None


def _counting(record: Record) -> list[Mapping[str, Any]]:
    """Return the evaluations of the run's own environment under the protocol of training."""
    return [
        report
        for report in record.evaluations.values()
        if isinstance(report["score"].get("mean"), int | float)
        and not _is_of_another(record, report)
        and _protocol_text(report) == AS_TRAINED
    ]


def _is_of_another(record: Record, report: Mapping[str, Any]) -> bool:
    """Whether an evaluation was of another environment than the run's."""
    return record.setting("EnvID") not in ("?", report.get("env_id", record.setting("EnvID")))


def _protocol_text(report: Mapping[str, Any]) -> str:
    changes = report.get("protocol_changes")
    if not changes:
        return AS_TRAINED
    try:
        return changes_text(changes)
    except (AttributeError, KeyError, TypeError):
        return NOTHING


def _cells(record: Record, report: Mapping[str, Any]) -> list[str]:
    score, length = report["score"], report.get("length")
    low, high = (number_text(score.get(f"interval_{end}")) for end in ("low", "high"))
    steps, rooms = report.get("env_steps_trained"), report.get("rooms")
    at = f"{steps:,} env steps" if isinstance(steps, int) else NOTHING
    return [
        record.name,
        f"{at} of {report['env_id']}" if _is_of_another(record, report) else at,
        _text(report, "action_choice"),
        _protocol_text(report),
        _text(report, "seed"),
        _text(report, "episodes"),
        number_text(score.get("mean")),
        NOTHING if NOTHING in (low, high) else f"{low} to {high}",
        *(number_text(score.get(figure)) for figure in ("iqm", "min", "max")),
        number_text(length.get("mean")) if isinstance(length, dict) else NOTHING,
        str(len(rooms)) if isinstance(rooms, list) and rooms else NOTHING,
    ]


def _text(report: Mapping[str, Any], key: str) -> str:
    return str(report.get(key, NOTHING))
