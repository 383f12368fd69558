"""A probing as a page that holds all it shows."""

import base64

import cv2

from agents.encoders.objective import Pictures
from training.figures.curves import Picture
from training.offline.pictures import sheet
from training.probing.heat_map import heat_map
from training.probing.results import BASELINES, Probed, Results, drawn_text, figure_text, score_text
from training.probing.verdicts import CHANCE, mean_of
from training.reports.markup import Markup, element
from training.reports.numbers import number_text
from training.reports.page import Section, paragraph, render_page
from training.reports.table import table

STRETCHED = "width: 100%; image-rendering: pixelated"


def probe_page(results: Results) -> str:
    """Return the page."""
    names = ", ".join(each.name for each in results.probed)
    sections = [
        Section("Linear probes", tuple(_probes(results))),
        Section("Beside baselines", tuple(_baselines(results))),
        Section("How features and state go together", tuple(_together(results))),
        Section("Correlations", tuple(_heat_maps(results))),
        Section("How alike the encoders are", tuple(_alike(results))),
        Section("Drawings", tuple(_drawings(results))),
    ]
    lead = [table(("", ""), _facts(results), numbers=False)]
    return render_page(f"Probe of {names}", lead, sections, made_by="main.py --probe")


def _facts(results: Results) -> list[tuple[str, str]]:
    facts = results.facts
    models = [
        (each.name, f"{each.model}, {each.steps:,} steps on split {each.trained_on!r}")
        for each in results.probed
    ]
    return [
        *models,
        ("dataset", f"{facts['dataset']} of {facts['environment']}"),
        (
            "fitted on",
            f"{facts['train_rows']:,} observations of {facts['train_episodes']:,} episodes of "
            "train",
        ),
        (
            "judged on",
            f"{facts['judged_rows']:,} observations of {facts['judged_episodes']:,} episodes of "
            f"{facts['split']}",
        ),
        ("command", facts["command"]),
    ]


def _probes(results: Results) -> list[Markup]:
    columns = [each.verdict.r_squared for each in results.probed]
    rows = [
        [name, *(score_text(column[place]) for column in columns)]
        for place, name in enumerate(results.state)
    ]
    rows.append(["mean", *(score_text(mean_of(column)) for column in columns)])
    return [
        paragraph(
            "R² of a ridge regression from the features to each number of the state, on episodes "
            f"that it was not fitted on: 1 is exact, 0 is the mean. Up to {CHANCE} is called "
            "chance; a number that does not vary has no R²."
        ),
        table(("state", *(each.name for each in results.probed)), rows),
    ]


def _baselines(results: Results) -> list[Markup]:
    steps = results.facts["supervised_steps"]
    parts = [
        paragraph(
            "The same probe on other features: of the same network untrained; of as many principal "
            "components of the frames; of the same network trained end to end to tell the state, "
            f"for {steps:,} steps only."
        )
    ]
    for each in results.probed:
        columns = (each.verdict.r_squared, *(each.baselines[name] for name in BASELINES))
        rows = [
            [name, *(score_text(column[place]) for column in columns)]
            for place, name in enumerate(results.state)
        ]
        rows.append(["mean", *(score_text(mean_of(column)) for column in columns)])
        parts.append(table((each.name, "R²", *BASELINES), rows))
    return parts


def _together(results: Results) -> list[Markup]:
    names = [each.name for each in results.probed]
    verdicts = [each.verdict for each in results.probed]
    rows = [
        [f"GTC: {name}", *(figure_text(v.greatest[place]) for v in verdicts)]
        for place, name in enumerate(results.state)
    ]
    rows += [
        ["GTC: mean", *(figure_text(mean_of(v.greatest)) for v in verdicts)],
        [
            "canonical correlations",
            *(", ".join(f"{c:.2f}" for c in v.canonical) or "none" for v in verdicts),
        ],
        ["features", *(f"{v.num_features:,}" for v in verdicts)],
        ["RankMe", *(number_text(v.rank) for v in verdicts)],
    ]
    return [
        paragraph(
            "GTC is the largest |correlation| of any one feature with a number of the state. "
            "Canonical correlations are those of the best linear mixtures of both sides; few "
            "observations beside many features make them large by chance. RankMe is how many "
            "directions the features fill."
        ),
        table(("", *names), rows),
    ]


def _heat_maps(results: Results) -> list[Markup]:
    return [heat_map(e.verdict.correlations, results.state, e.name) for e in results.probed]


def _alike(results: Results) -> list[Markup]:
    if len(results.probed) < 2:
        return []
    names = [each.name for each in results.probed]
    rows = [
        [name, *(f"{value:.3f}" for value in row)]
        for name, row in zip(names, results.alike, strict=True)
    ]
    return [
        paragraph("Linear CKA: 1 where features differ by a rotation and a scale alone."),
        table(("", *names), rows),
    ]


def _drawings(results: Results) -> list[Markup]:
    parts = []
    for each in results.probed:
        if each.drawn is None or each.strip is None:
            continue
        rows = [
            ["mean squared error", number_text(each.drawn.error), number_text(each.drawn.ratio)],
            [
                "where things move",
                number_text(each.drawn.object_error),
                number_text(each.drawn.object_ratio),
            ],
        ]
        parts += [
            table((each.name, "error", "of the mean picture's"), rows),
            paragraph(
                f"{drawn_text(each.drawn)}. {each.drawn.object_share:.1%} of the pixels move.",
                "problem" if each.drawn.has_collapsed else "note",
            ),
            _strip(each, each.strip),
        ]
    return parts


def _strip(each: Probed, pictures: Pictures) -> Markup:
    told = "original, drawing, difference"
    source = f"data:image/png;base64,{base64.b64encode(as_png(sheet(pictures))).decode()}"
    picture = element("img", src=source, alt=f"{each.name}: {told}", style=STRETCHED)
    caption = element("figcaption", element("b", each.name), element("span", told, class_="hint"))
    return element("figure", caption, picture, class_="narrow")


def as_png(picture: Picture) -> bytes:
    """Return a picture [H, W, 1 or 3] as a PNG."""
    _, data = cv2.imencode(".png", picture[..., ::-1])
    return bytes(data)
