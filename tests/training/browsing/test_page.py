import base64
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.training.reports.parsing import Page
from tests.trajectories.made import BOX, DESCRIPTION, dataset, episode
from training.browsing.histogram import histogram
from training.browsing.page import contact_sheet, dataset_page
from trajectories.reader import open_dataset
from trajectories.schema import ActionSpace, Schema
from trajectories.summary import summarise
from trajectories.writer import ShardWriter


def page_of(folder: Path) -> Page:
    opened = open_dataset(folder)
    return Page(dataset_page(opened, summarise(opened)))


def images(page: Page) -> list[str]:
    return [str(found["src"]) for tag, found, _ in page.elements if tag == "img"]


def test_a_page_shows_frames_histograms_and_the_manifest_and_loads_nothing(tmp_path: Path) -> None:
    page = page_of(dataset(tmp_path, range(10)))
    assert [words.split("mean")[0].strip() for words in page.captions] == [
        *("length in steps", "return", "action 0", "action 1", "x", "y", "target"),
    ]
    assert "Made-v0" in page.text
    assert "made-0, made-1" in page.text
    assert "Made by main.py --data inspect" in page.text
    assert ["a", "3", "10", "{}"] in page.tables[-1]
    sources = [
        value for _, found, _ in page.elements for key, value in found.items() if key == "src"
    ]
    assert all(str(source).startswith("data:") for source in sources)
    data = base64.b64decode(images(page)[0].partition(",")[2])
    sheet = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert sheet is not None
    assert sheet.shape == (8 * 66, 8 * 66, 3)
    first = episode(0).observations[0][..., ::-1].repeat(8, 0).repeat(8, 1)
    np.testing.assert_array_equal(sheet[2:66, 2:66], first)


def test_the_text_of_a_dataset_cannot_write_into_its_page(tmp_path: Path) -> None:
    schema = Schema((3,), "float32", ActionSpace("discrete", (), "int64", (4,)))
    with ShardWriter(
        *(tmp_path, schema, DESCRIPTION, "a"), provenance={"command": "<script>alert(1)</script>"}
    ) as writer:
        writer.add(episode(0, 20, schema))
    page = page_of(tmp_path)
    assert "script" not in {tag for tag, _, _ in page.elements}
    assert "<script>alert(1)</script>" in page.text
    assert "Its observations are no pictures." in page.text
    assert images(page) == []


@pytest.mark.parametrize("shape", [(8, 9), (8, 9, 1), (8, 9, 3), (3, 8, 9), (4, 8, 9), (1, 8, 9)])
def test_a_contact_sheet_shows_every_form_of_picture(
    shape: tuple[int, ...], tmp_path: Path
) -> None:
    schema = Schema(shape, "uint8", BOX)
    with ShardWriter(tmp_path, schema, DESCRIPTION, "a") as writer:
        writer.add(episode(0, 20, schema))
    sheet = summarise(open_dataset(tmp_path)).sheet
    assert sheet is not None
    drawn = cv2.imdecode(np.frombuffer(contact_sheet(sheet), np.uint8), cv2.IMREAD_COLOR)
    assert drawn is not None
    assert drawn.shape == (66, 8 * 74, 3)


@pytest.mark.parametrize(
    ("values", "bars"),
    [
        (np.array([0, 0, 1, 3]), 3),
        (np.array([2.5]), 1),
        (np.linspace(0, 1, 400), 40),
        (np.array([np.nan, 1.0]), 1),
        (np.array([], np.float64), 0),
        (np.array([True, False]), 2),
    ],
)
def test_a_histogram_has_a_bar_for_what_occurs(values: np.ndarray, bars: int) -> None:
    page = Page(histogram("x", values))
    assert sum(tag == "rect" for tag, _, _ in page.elements) == bars
