"""Reports in a real browser: every picture is there, on a screen, on a phone and on paper."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.browser import Browser, find_browser
from tests.training.reports.left_runs import leave_evaluation, leave_run, leave_visits, rows
from training.playing.video import VideoWriter
from training.reports.writing import write_reports

pytestmark = [
    pytest.mark.skipif(find_browser() is None, reason="no Chromium is installed"),
    pytest.mark.timeout(300),  # a browser has many processes, which a busy machine starts slowly
]

SIZES = """[...document.querySelectorAll("figure > svg, svg image, video")].map(picture => {
  const box = picture.getBoundingClientRect();
  return [picture.tagName, box.width, box.height];
})"""
LINES = """[...document.querySelectorAll("svg path")].map(path => path.getTotalLength())"""
SPILLS = """[...document.querySelectorAll("main *:not(.wide *):not(pre *):not(svg *)")]
  .filter(part => part.getBoundingClientRect().right > innerWidth + 1)
  .map(part => part.tagName + ": " + part.textContent.slice(0, 40))"""
COLOUR = "getComputedStyle(document.body).backgroundColor"
VIDEO = """new Promise(done => {
  const video = document.querySelector("video");
  const told = () => done([video.videoWidth, video.videoHeight, video.duration, video.error]);
  video.readyState > 0 ? told() : (video.onloadedmetadata = told, video.onerror = told);
})"""


def leave_page() -> Path:
    for name, settings in (("with", ()), ("without", ("IntrinsicReward=none",))):
        for seed in (1, 2):
            scores = np.random.default_rng(seed).normal(size=30).tolist()
            folder = leave_run(f"{name}_seed{seed}", rows(scores), settings=settings, seed=seed)
            leave_visits(folder, seed)
            leave_evaluation(folder, scores[:9])
    with VideoWriter(folder / "evaluation" / "x.mp4", 10, 320, 480) as video:
        for shade in range(0, 200, 10):
            video.write(np.full((320, 480, 3), shade, np.uint8))
    names = [f"{name}_seed{seed}" for name in ("with", "without") for seed in (1, 2)]
    assert write_reports(names, Path("page.html")) == 0
    return Path("page.html").resolve()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The comparison of two groups that have all that a report shows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("runs"))
        yield leave_page()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as found:
        yield found


def test_every_picture_is_there_and_nothing_else_is_asked_for(page: Path, browser: Browser) -> None:
    browser.open(page, width=1200)
    sizes = browser.ask(SIZES)
    kinds = [kind for kind, _, _ in sizes]
    assert kinds.count("svg") == 5 + 2 + 1
    assert (kinds.count("image"), kinds.count("VIDEO")) == (2, 1)
    assert all(width > 200 and height > 50 for _, width, height in sizes)
    lengths = browser.ask(LINES)
    assert len(lengths) == 5 * 2 * 4  # a thick line, a band and two thin ones of each group
    assert all(length > 50 for length in lengths)
    assert browser.ask(VIDEO) == [480, 320, 2, None]
    assert browser.requests == [page.as_uri()]
    assert browser.complaints == []


def test_it_fits_a_phone_follows_the_dark_and_prints_on_white(page: Path, browser: Browser) -> None:
    browser.open(page, width=360)
    assert browser.ask("document.documentElement.scrollWidth") == 360
    assert browser.ask(SPILLS) == []
    assert browser.ask(COLOUR) == "rgb(255, 255, 255)"
    browser.open(page, width=360, dark=True)
    assert browser.ask(COLOUR) == "rgb(20, 23, 26)"
    browser.open(page, width=800, dark=True, media="print")
    assert browser.ask(COLOUR) == "rgb(255, 255, 255)"
    assert browser.ask("getComputedStyle(document.querySelector('h1')).color") == "rgb(0, 0, 0)"
    assert browser.complaints == []
