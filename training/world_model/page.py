"""One page on a whole world model: scores first, then how each part was learnt."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from training.folders.files import read_json, replace_file
from training.reports.chart import Line, draw_chart
from training.reports.markup import Markup, element
from training.reports.numbers import number_text
from training.reports.page import Section, paragraph, picture_figure, render_page, video_figures
from training.reports.quantities import Quantity
from training.reports.rows import Row, curve, read_rows
from training.reports.smoothing import smoothed
from training.reports.table import table
from training.world_model.stages import Stage, run_folder

PAGE = "world_model.html"
MADE_BY = "make world_model"

LOSS = "validation/loss"  # the least one's checkpoint is the best, and the one that is used
ENCODER = (
    Quantity("losses/total", "Loss"),
    Quantity(LOSS, "Held-out loss"),
    Quantity("reconstruction/squared_error", "Squared error of a held-out drawing"),
)
DYNAMICS = (
    Quantity("dynamics/nll", "Held-out NLL of the next latent", hint="nats a number"),
    Quantity("dynamics/open_loop_15", "Squared error after 15 unseen steps"),
)
CONTROLLER = (
    Quantity("evolution/mean", "Mean score of a generation"),
    Quantity("evolution/best", "Best score of a generation"),
    Quantity("evaluation/mean", "Score of the mean controller", hint="tracks never trained on"),
    Quantity("evolution/sigma", "Step size of CMA-ES", logarithmic=True),
)
BESIDE = ("dynamics/nll", "dynamics/nll_persistence", "dynamics/nll_gaussian")


def write_page(folder: Path, preset: str, stages: Sequence[Stage]) -> Path:
    """Write the page of what the stages left; return its path.

    Raises:
        StorageError: it cannot be written.
    """
    path = folder / PAGE
    found = {stage.name: stage.found() for stage in stages}
    run = run_folder(folder)
    sections = [
        Section("Driving", tuple(_driving(found, run, path))),
        Section("The controller", (_charts(CONTROLLER, run, "env_steps"),)),
        Section("What the encoder sees", tuple(_seeing(found, folder, path))),
        Section("What the model of sequences foretells", tuple(_foretelling(found, folder, path))),
        Section("Commands", (_commands(stages),)),
    ]
    lead = [element("p", f"CarRacing, preset {preset}, in {folder}", class_="lead")]
    replace_file(path, render_page(folder.name, lead, sections, MADE_BY).encode())
    return path


def _driving(found: Mapping[str, Path | None], run: Path, page: Path) -> list[Markup]:
    rows = [
        _score_row(label, read_json(file))
        for name, label in (("evaluation", "Scout's frames"), ("stock", "Gymnasium's frames"))
        if (file := found[name]) is not None
    ]
    head = ("played on", "tracks", "mean", "deviation", "95 % interval", "worst", "best")
    films = sorted((run / "evaluation").glob("*.mp4"))
    return [table(head, rows), *video_figures([(film.stem, film) for film in films[-1:]], page)]


def _score_row(label: str, report: Mapping[str, Any] | None) -> list[str]:
    report = report or {}
    score = report.get("score", {})
    low, high = (_number(score.get(f"interval_{side}")) for side in ("low", "high"))
    figures = [_number(score.get(name)) for name in ("mean", "std")]
    ends = [_number(score.get(name)) for name in ("min", "max")]
    return [label, str(report.get("episodes", "?")), *figures, f"{low} to {high}", *ends]


def _number(value: float | None) -> str:
    return "-" if value is None else number_text(value)


def _seeing(found: Mapping[str, Path | None], folder: Path, page: Path) -> list[Markup]:
    parts = [_charts(ENCODER, folder / "vae", "step")]
    probe = found["probe"]
    if probe is not None:
        way = quote(os.path.relpath(probe.resolve(), page.resolve().parent))
        parts.append(element("p", element("a", "what its numbers know, and drawings", href=way)))
    return parts


def _foretelling(found: Mapping[str, Path | None], folder: Path, page: Path) -> list[Markup]:
    judged = [row for row in _rows(folder / "mdn") if LOSS in row and BESIDE[0] in row]
    best: Row = min(judged, key=lambda row: row[LOSS], default={})
    names = ("the model", '"nothing changes"', "a Gaussian")
    figures = [[name, _number(best.get(key))] for name, key in zip(names, BESIDE, strict=True)]
    parts = [_charts(DYNAMICS, folder / "mdn", "step"), table(("NLL of", "nats"), figures)]
    film = found["dream"]
    if film is None:
        return parts
    told = "Real, drawn from its latent, and dreamt under the same actions"
    strip = film.with_suffix(".png")
    pictures = [picture_figure(told, strip)] if strip.exists() else []
    return [*parts, paragraph(told), *pictures, *video_figures([("the dream", film)], page)]


def _charts(quantities: Sequence[Quantity], folder: Path, step: str) -> Markup:
    """Return the charts of the figures in a folder, over the column `step`."""
    rows = [{**row, "env_steps": row[step]} for row in _rows(folder) if step in row]
    charts = []
    for quantity in quantities:
        steps, values = curve(rows, quantity.key)
        if len(steps):
            smooth = (steps, smoothed(values))
            line = Line(folder.name, 0, smooth, faint=((steps, values),), latest=float(values[-1]))
            charts.append(draw_chart(quantity, [line], float(steps[-1]), 1.0))
    return element("div", *charts, class_="charts")


def _rows(folder: Path) -> list[Row]:
    return read_rows(folder) if (folder / "metrics.jsonl").exists() else []


def _commands(stages: Sequence[Stage]) -> Markup:
    lines = [f"python main.py {' '.join(stage.words)}" for stage in stages]
    return element("pre", "\n".join(lines))
