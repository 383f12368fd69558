"""A dataset as a page: frames, histograms, manifest; and as a table on the terminal."""

import base64
import json
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import rich
from rich.table import Table

from configs.sizes import bytes_text
from training.browsing.histogram import histogram
from training.folders.files import replace_file
from training.live.console import final_message
from training.live.words import counted
from training.reports.markup import Markup, element
from training.reports.numbers import number_text
from training.reports.page import Section, folded, paragraph, render_page
from training.reports.table import table
from trajectories.episode import Array
from trajectories.manifest import part_paths, read_part
from trajectories.places import datasets_named
from trajectories.reader import Dataset, open_dataset
from trajectories.summary import Summary, summarise

PAGE = "inspect.html"  # in the dataset's folder
_GAP = 2  # pixels between frames
_LEAST_SIDE = 64  # pixels; smaller frames are drawn larger


def inspect_datasets(words: Sequence[str]) -> int:
    """Write a page about each dataset, and print a table. Return the exit code.

    Args:
        words: folders of datasets, files in them, or patterns.

    Raises:
        ConfigurationError: a word leads to nothing.
        DatasetError: a folder is no dataset, or it is damaged.
        StorageError: the page cannot be written.
    """
    for folder in datasets_named(words):
        dataset = open_dataset(folder)
        summary = summarise(dataset)
        _print(dataset, summary)
        replace_file(folder / PAGE, dataset_page(dataset, summary).encode())
        final_message(f"page        {folder / PAGE}")
    return 0


def facts(dataset: Dataset, summary: Summary) -> list[tuple[str, str]]:
    """Return what a dataset is, as names and values."""
    schema, description = dataset.info.schema, dataset.info.description
    frames, size = summary.num_frames, summary.num_bytes
    rows = [
        ("environment", _text(description.environment)),
        ("policy", description.policy),
        ("episodes", f"{summary.num_episodes:,}"),
        ("frames", f"{frames:,}"),
        ("on disk", f"{bytes_text(size)} in {counted(summary.num_shards, 'shard')}"),
        ("of a frame", f"{size / frames:,.0f} bytes, decoded {schema.bytes_per_observation:,}"),
        (schema.observation_column, f"{schema.observation_dtype} {list(schema.observation_shape)}"),
        ("action", f"{schema.action.kind} {list(schema.action.shape or schema.action.sizes)}"),
        ("length", _spread(summary.lengths)),
        ("return", _spread(summary.returns)),
        ("splits", ", ".join(f"{name} {count:,}" for name, count in summary.splits.items())),
    ]
    if summary.policies:
        rows.append(
            ("by policy", ", ".join(f"{name} {n:,}" for name, n in summary.policies.items()))
        )
    if description.facts:
        rows.append(("facts", _text(description.facts)))
    return rows


def dataset_page(dataset: Dataset, summary: Summary) -> str:
    """Return the page about a dataset."""
    hint = f"Counted in {summary.num_read:,} of {summary.num_episodes:,} episodes, evenly spread."
    sections = [
        Section("Frames", tuple(_frames(summary))),
        Section(
            "Episodes",
            (_charts({"length in steps": summary.lengths, "return": summary.returns}),),
        ),
        *(
            Section(heading, (paragraph(hint), _charts(values)) if values else ())
            for heading, values in (
                ("Actions", summary.actions),
                ("State", summary.states),
                ("Labels", summary.labels),
            )
        ),
        Section("Manifest", tuple(_manifest(dataset))),
    ]
    lead = [table(("", ""), facts(dataset, summary), numbers=False)]
    return render_page(str(dataset.folder), lead, sections, made_by="main.py --data inspect")


def _print(dataset: Dataset, summary: Summary) -> None:
    shown = Table(title=str(dataset.folder), show_header=False, title_justify="left")
    for name, value in facts(dataset, summary):
        shown.add_row(name, value)
    rich.get_console().print(shown)


def _frames(summary: Summary) -> list[Markup]:
    if summary.sheet is None:
        return [paragraph("Its observations are no pictures.")]
    told = (
        f"A row for each of {len(summary.sheet_ids)} episodes, from its first frame to its last: "
        f"{', '.join(summary.sheet_ids)}."
    )
    source = f"data:image/png;base64,{base64.b64encode(contact_sheet(summary.sheet)).decode()}"
    picture = element("img", src=source, alt="Frames of episodes", style="max-width: 100%")
    return [paragraph(told), element("figure", picture)]


def contact_sheet(frames: Array) -> bytes:
    """Return frames [rows, columns, ...] as one PNG."""
    pictures = [[_as_colour(frame) for frame in row] for row in frames]
    factor = -(-_LEAST_SIDE // min(pictures[0][0].shape[:2]))
    pad = ((_GAP, 0), (_GAP, 0), (0, 0))
    strips = [
        np.concatenate([np.pad(p.repeat(factor, 0).repeat(factor, 1), pad) for p in row], axis=1)
        for row in pictures
    ]
    _, data = cv2.imencode(".png", np.concatenate(strips)[..., ::-1])
    return bytes(data)


def _as_colour(frame: Array) -> Array:
    """Return a frame as [H, W, 3]; of stacked ones the last."""
    if frame.ndim == 3 and frame.shape[-1] not in (1, 3):
        frame = frame.transpose(1, 2, 0) if frame.shape[0] == 3 else frame[-1]
    if frame.ndim == 3 and frame.shape[-1] == 3:
        return frame
    return np.repeat(frame.reshape(*frame.shape[:2], 1), 3, axis=2)


def _charts(values: Mapping[str, Array]) -> Markup:
    return element("div", *(histogram(n, v) for n, v in values.items()), class_="charts")


def _manifest(dataset: Dataset) -> list[Markup]:
    parts = [read_part(path, dataset.info) for path in part_paths(dataset.folder)]
    rows = [
        (
            part.writer,
            f"{len(part.shards):,}",
            f"{sum(len(shard.episodes) for shard in part.shards):,}",
            _text(part.provenance),
        )
        for part in parts
    ]
    whole = json.dumps(dataset.info.as_json(), indent=1)
    return [
        table(("writer", "shards", "episodes", "how it was started"), rows, numbers=False),
        folded("manifest.json", element("pre", whole)),
    ]


def _spread(values: Array) -> str:
    low, middle, high = (number_text(float(f(values))) for f in (np.min, np.mean, np.max))
    return f"{low} to {high}, mean {middle}"


def _text(content: object) -> str:
    return json.dumps(content, default=dict, ensure_ascii=False)
