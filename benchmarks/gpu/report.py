"""What was measured, as a page of tables."""

from collections.abc import Mapping, Sequence
from typing import Any

TRAINING = "training_"
COLUMNS = (
    ("env steps/s", "env_steps_per_second", "{:,.0f}"),
    ("env steps/s per core", "env_steps_per_second_per_core", "{:,.0f}"),
    ("frames/s", "frames_per_second", "{:,.0f}"),
    ("CPU us per env step", "cpu_us_per_env_step", "{:,.0f}"),
    ("update", "share_learn", "{:.0%}"),
    ("act", "share_act", "{:.0%}"),
    ("step", "share_step", "{:.0%}"),
    ("GPU busy, %", "gpu_busy_percent", "{:.0f}"),
    ("GPU MiB", "gpu_memory_mib", "{:,.0f}"),
)
CURVE = (
    ("env steps", "env_steps", "{:,}"),
    ("intrinsic reward", "intrinsic/mean", "{:.4f}"),
    ("entropy", "losses/entropy", "{:.3f}"),
    ("return", "charts/episodic_return", "{:.1f}"),
    ("env steps/s", "charts/SPS", "{:,.0f}"),
)
Columns = Sequence[tuple[str, str, str]]


def page(facts: Sequence[str], results: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the page in markdown; what was left out or failed says why."""
    rows = {_title(key): result for key, result in _speeds(results).items()}
    parts = ["# On one GPU", "```\n" + "\n".join(facts) + "\n```", table(COLUMNS, rows)]
    tests, curve = results.get("tests"), results.get("curve")
    if tests is not None and "said" in tests:
        parts.append(f"Tests of the GPU: exit code {tests['exit_code']}, {' '.join(tests['said'])}")
    if curve is not None and "rows" in curve:
        rows = {f"update {number + 1}": row for number, row in enumerate(curve["rows"])}
        parts += [_resumed(curve), table(CURVE, rows)]
    missing = {
        key: result.get("left_out") or result.get("failed")
        for key, result in results.items()
        if isinstance(result.get("left_out"), str) or "failed" in result
    }
    parts += [f"Not measured, {key}: {reason}" for key, reason in missing.items()]
    return "\n\n".join(parts) + "\n"


def table(columns: Columns, rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Return one line per row; a figure that is missing is an empty cell."""
    names = ["", *(name for name, _, _ in columns)]
    head = [f"| {' | '.join(names)} |", "|" + "---|" * len(names)]
    return "\n".join([*head, *(_line(name, columns, row) for name, row in rows.items())])


def _line(name: str, columns: Columns, row: Mapping[str, Any]) -> str:
    cells = ["" if row.get(key) is None else form.format(row[key]) for _, key, form in columns]
    return f"| {' | '.join([name, *cells])} |"


def _speeds(results: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    emulators = results.get("emulators", {})
    alone = {key: emulators[key] for key in ("without_transport", "pool") if emulators.get(key)}
    timed = {key: result for key, result in results.items() if key.startswith(TRAINING)}
    return alone | {key: result for key, result in timed.items() if "environments" in result}


def _title(key: str) -> str:
    titles = {"without_transport": "emulators alone", "pool": "the pool, no learner"}
    return titles.get(key) or f"training, {key.removeprefix(TRAINING)} environments"


def _resumed(curve: Mapping[str, Any]) -> str:
    same = "to the last bit" if curve["same_to_the_last_bit"] else "not to the last bit"
    return (
        f"Stopped with code {curve['code_when_stopped']} and resumed: rows "
        f"{'agree' if curve['rows_agree'] else 'DO NOT agree'} with those of the run that was not "
        f"stopped, weights {same} (largest difference "
        f"{curve['largest_difference_of_a_weight']:.3g})."
    )
