"""Two runs side by side: what the terminal says, and a picture that opens."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from configs.errors import ConfigurationError
from tests.architecture.test_floors import ROOT
from training.figures.coverage import Coverage
from training.reports.demo import compare, read_run


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def leave_run(name: str, states: list[tuple[float, float]], rows: list[dict[str, float]]) -> Path:
    folder = Path("logs/runs") / name
    folder.mkdir(parents=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    coverage = Coverage((-1.0, -1.0), (1.0, 1.0))
    coverage.add(np.array(states))
    coverage.save(folder / "visits.npz")
    (folder / "config.conf").write_text((ROOT / "configs/demo_config.conf").read_text())
    return folder


def test_the_last_row_and_the_visits_are_what_counts() -> None:
    leave_run(
        "with",
        [(0.0, 0.0), (0.0, 0.01), (0.9, 0.9)],
        [
            {"env_steps": 100, "charts/episodic_return": -200.0},
            {"env_steps": 1200, "charts/episodic_return": -120.5},
        ],
    )
    run = read_run("with")
    assert run.env_steps == 1200
    assert run.score_text == "-120.5"
    assert run.coverage.counts.sum() == 3
    assert run.coverage.fraction_visited == 2 / 1600


def test_a_run_without_a_finished_episode_says_so() -> None:
    leave_run("short", [(0.0, 0.0)], [{"env_steps": 10}])
    assert read_run("short").score_text == "no episode"


def test_two_runs_are_printed_beside_each_other_and_drawn(
    capsys: pytest.CaptureFixture[str],
) -> None:
    draw = np.random.default_rng(1)
    leave_run(
        "with",
        [tuple(state) for state in draw.uniform(-1, 1, (500, 2))],
        [{"env_steps": 5000, "charts/episodic_return": -120.0}],
    )
    leave_run("without", [(0.0, 0.0)], [{"env_steps": 5000, "charts/episodic_return": -200.0}])
    path = compare(["with", "without"])
    first, second, last = capsys.readouterr().out.splitlines()
    assert first.startswith("with ")
    assert "-120.0" in first
    assert second.startswith("without ")
    assert "-200.0" in second
    assert last == f"picture: {path}"
    assert path == Path("logs/runs/with/visited_states.png")
    picture = cv2.imread(str(path))
    assert picture is not None
    assert picture.std() > 1


@pytest.mark.parametrize("missing", ["all", "metrics.jsonl", "visits.npz", "config.conf", "rows"])
def test_a_run_that_is_not_all_there_is_named(missing: str) -> None:
    if missing != "all":
        rows = [] if missing == "rows" else [{"env_steps": 10.0}]
        folder = leave_run("demo", [(0.0, 0.0)], rows)
        (folder / missing).unlink(missing_ok=True)
    with pytest.raises(ConfigurationError, match=r"run 'demo' in logs/runs/demo cannot be compar"):
        read_run("demo")
