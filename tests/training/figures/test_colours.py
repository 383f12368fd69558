"""The address that gives all curves of a run one colour is one that TensorBoard understands."""

import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import pytest
import tensorboard  # type: ignore[import-untyped] # tensorboard ships no types

from tests.architecture.test_floors import ROOT
from tests.browser import Browser, find_browser
from tests.runs import free_port
from training.figures.evaluation_curves import show_evaluation
from training.figures.metrics import MetricsWriter
from training.folders.run_folder import RunFolder

KEY = "runColorGroup"
QUERY = re.compile(rf"\?{KEY}=regex:\S+?%2B\)")
DEADLINE = 120.0  # seconds, for a machine that is busy beyond measure
SWATCHES = """[...document.querySelectorAll(".run-color-swatch")].map(swatch => [
  swatch.closest("tb-data-table-content-row").textContent.trim(),
  getComputedStyle(swatch).backgroundColor]).filter(([name]) => name)"""


def query() -> str:
    found = {QUERY.findall((ROOT / name).read_text())[0] for name in ("README.md", "Makefile")}
    (shown,) = found
    return str(shown)


def test_readme_and_make_name_one_address_whose_key_tensorboard_knows() -> None:
    assert query() == "?runColorGroup=regex:^([^/]%2B)"
    with zipfile.ZipFile(Path(tensorboard.__file__).with_name("webfiles.zip")) as files:
        assert f'"{KEY}"'.encode() in files.read("index.js")


@pytest.mark.slow
@pytest.mark.timeout(3 * DEADLINE)
@pytest.mark.skipif(find_browser() is None, reason="no Chromium is installed")
def test_all_curves_of_a_run_have_one_colour_and_other_runs_others(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        run = RunFolder(tmp_path, name)
        run.path.mkdir(parents=True)
        with MetricsWriter(run) as writer:
            writer.write(1, 4, {"charts/episodic_return": 1.0})
        show_evaluation(run.tensorboard_path, "a", 1, {"score_sampled": 1.0}, None)
    port = free_port()
    logs = str(tmp_path / "tb_logs")
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", logs, "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server, Browser() as browser:
        try:
            wait_for_runs(f"http://localhost:{port}/data/runs", 9)
            browser.call("Page.navigate", url=f"http://localhost:{port}/{query()}")
            end = time.monotonic() + DEADLINE
            while len(shown := browser.ask(SWATCHES)) < 9 and time.monotonic() < end:
                time.sleep(0.5)
        finally:
            server.kill()
    colours = {name: {colour for run, colour in shown if run[0] == name} for name in "abc"}
    assert all(len(of_one) == 1 for of_one in colours.values())
    assert len(set.union(*colours.values())) == 3


def wait_for_runs(address: str, count: int) -> None:
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                if answer.read().count(b",") + 1 >= count:
                    return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.5)
