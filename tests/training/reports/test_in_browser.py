"""Reports in a real browser: every picture is there, on a screen, on a phone and on paper."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
# Texts and cards that cover each other, and texts that stick out of their picture.
COVERED = """(() => {
  const found = [];
  const box = part => part.getBoundingClientRect();
  const covers = (a, b, give) => a.left < b.right - 1 && b.left < a.right - 1
    && a.top < b.bottom - give && b.top < a.bottom - give;
  const compare = (parts, give) => parts.forEach((one, index) => parts.slice(index + 1)
    .filter(other => !one.contains(other) && covers(box(one), box(other), give))
    .forEach(other => found.push([one, other].map(part => part.textContent.slice(0, 30)))));
  compare([...document.querySelectorAll("figure, .wide, dl, pre, h2, nav, p, ul")], 1);
  document.querySelectorAll("figcaption").forEach(words => compare([...words.children], 2));
  document.querySelectorAll("figure > svg").forEach(picture => {
    const texts = [...picture.querySelectorAll("text")];
    compare(texts, 3);
    texts.filter(text => box(text).left < box(picture).left - 1
      || box(text).right > box(picture).right + 1)
      .forEach(text => found.push("outside: " + text.textContent));
  });
  return found;
})()"""
LONG = "MontezumaRevenge_rnd_byol_with_a_name_that_is_as_long_as_names_get"
COLOUR = "getComputedStyle(document.body).backgroundColor"
VIDEO = """new Promise(done => {
  const video = document.querySelector("video");
  const told = () => done([video.videoWidth, video.videoHeight, video.duration, video.error]);
  video.readyState > 0 ? told() : (video.onloadedmetadata = told, video.onerror = told);
})"""


def leave_page() -> Path:
    more: dict[str, Any] = {"losses/policy": -1.234e-4}
    for name, settings in ((LONG, ()), ("without", ("IntrinsicReward=none",))):
        for seed in (1, 2):
            scores = np.random.default_rng(seed).normal(size=30).tolist()
            folder = leave_run(
                f"{name}_seed{seed}", rows(scores, **more), settings=settings, seed=seed
            )
            leave_visits(folder, seed)
            leave_evaluation(folder, scores[:9])
    with VideoWriter(folder / "evaluation" / "x.mp4", 10, 320, 480) as video:
        for shade in range(0, 200, 10):
            video.write(np.full((320, 480, 3), shade, np.uint8))
    names = [f"{name}_seed{seed}" for name in (LONG, "without") for seed in (1, 2)]
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
    assert kinds.count("svg") == 6 + 2 + 1
    assert (kinds.count("image"), kinds.count("VIDEO")) == (2, 1)
    assert all(width > 200 and height > 50 for _, width, height in sizes)
    lengths = browser.ask(LINES)
    assert len(lengths) == 6 * 2 * 4  # a thick line, a band and two thin ones of each group
    assert all(length > 50 for length in lengths)
    assert browser.ask(VIDEO) == [480, 320, 2, None]
    assert browser.requests == [page.as_uri()]
    assert browser.complaints == []


@pytest.mark.parametrize("width", [400, 800, 1400])
def test_nothing_covers_anything_else_or_sticks_out(
    page: Path, browser: Browser, width: int
) -> None:
    browser.open(page, width=width)
    assert browser.ask("document.documentElement.scrollWidth") == width
    assert browser.ask(COVERED) == []


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
