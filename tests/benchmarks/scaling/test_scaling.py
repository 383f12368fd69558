"""What work costs as it grows: the runs of each layout and sweep, lines, tables, the picture."""

import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.scaling import curves, ranks
from benchmarks.scaling.command import main, parse
from benchmarks.scaling.curves import Point, sweeps, tables
from benchmarks.scaling.fit import fit_line
from benchmarks.scaling.plot import draw
from benchmarks.timed_runs import Plan, Timing
from configs.errors import ConfigurationError
from tests.benchmarks.timings import made_up_timing


def test_a_line_is_that_of_least_squares() -> None:
    generator = np.random.default_rng(0)
    x = np.arange(8.0)
    y = 3 + 2 * x + generator.normal(size=8)
    slope, intercept = np.polyfit(x, y, 1)
    line = fit_line(x.tolist(), y.tolist())
    assert (line.intercept, line.slope) == pytest.approx((intercept, slope))
    assert line.residual == pytest.approx(max(abs(y - np.polyval([slope, intercept], x))))


def test_a_line_through_points_on_a_line_leaves_nothing() -> None:
    line = fit_line([1, 2, 4], [5, 7, 11])
    assert (line.intercept, line.slope, line.at(10)) == pytest.approx((3, 2, 23))
    assert line.residual == pytest.approx(0, abs=1e-12)


def test_a_line_needs_two_places() -> None:
    with pytest.raises(ValueError, match="two places"):
        fit_line([1, 1], [2, 3])


@pytest.fixture
def _four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {4, 5, 6, 7})


@pytest.mark.usefixtures("_four_cores")
def test_ranks_share_the_environments_or_have_as_many_each_with_a_core_for_every_rank() -> None:
    alone, strong, weak = ranks.plans(parse(["--num_envs", "12", "--ranks", "3"])).values()
    assert (alone.ranks, alone.num_envs, alone.cores) == (1, 12, (4,))
    assert (strong.ranks, strong.num_envs, strong.cores) == (3, 4, (4, 5, 6))
    assert (weak.ranks, weak.num_envs, weak.cores) == (3, 12, (4, 5, 6))
    assert "UpdateProportion=0.25" in weak.settings()


@pytest.mark.usefixtures("_four_cores")
@pytest.mark.parametrize("flags", [["--ranks", "8"], ["--num_envs", "7"]])
def test_layouts_that_do_not_fit_are_refused(
    flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--what", "ranks", "--no_log", *flags]) == 2
    assert "ranks" in capsys.readouterr().err


@pytest.mark.usefixtures("_four_cores")
def test_speed_by_cpu_time_counts_the_ranks_and_leaves_waiting_out() -> None:
    layouts = ranks.plans(parse(["--num_envs", "4"]))
    alone, strong, weak = layouts
    timings = {
        alone: [made_up_timing(100, 1000), made_up_timing(200, 1000)],
        strong: [made_up_timing(190, 1250), made_up_timing(200, 1250)],
        weak: [made_up_timing(150, 2000), made_up_timing(200, 1000)],
    }
    lines = ranks.table(layouts, timings).splitlines()
    assert lines[3].endswith("| 1.45 [1.00, 1.90] | 1.60 [1.60, 1.60] | 500 |")
    assert lines[4].endswith("| 1.25 [1.00, 1.50] | 1.50 [1.00, 2.00] | 500 |")


def test_a_sweep_varies_one_quantity_and_leaves_the_others_at_their_base() -> None:
    options = parse(["--num_envs", "8", "--rank_counts", "1", "4", "--set", "Epoch=2"])
    environments, ranks, width, length = sweeps(options)
    assert environments.plan(16).num_envs == 16
    assert (ranks.plan(4).ranks, ranks.plan(4).num_envs) == (4, 2)
    assert ranks.plan(1).num_envs == 2
    assert {"FeatureDim=112", "NumStep=32", "Epoch=2"} <= set(width.plan(112).settings())
    assert "NumStep=256" in length.plan(256).settings()
    assert {width.plan(1).num_envs, length.plan(1).num_envs} == {8}


def test_some_sweeps_may_be_chosen() -> None:
    assert [sweep.name for sweep in sweeps(parse(["--sweeps", "ranks"]))] == ["ranks"]


def points() -> list[Point]:
    """Two turns of two sweeps; memory is 100 + 2 x environments."""
    return [
        Point(name, value, made_up_timing(cpu=cpu, memory=100 + 2 * value))
        for name, values in {"environments": (16, 32, 64), "ranks": (1, 2)}.items()
        for cpu in (1000, 3000)
        for value in values
    ]


def test_tables_show_medians_and_the_lines_through_all_points() -> None:
    lines = tables(points()).splitlines()
    assert lines[2] == "| 16 | 2,000 | 1,000 | 0.128 | 132 |"
    assert lines[6] == "| a + b x environments | a | b | largest residual |"
    cpu, memory = lines[8], lines[11]
    assert cpu.startswith("| CPU us per env step | 2,000 | ")
    assert cpu.endswith("| 1,000 |")
    assert memory.startswith("| MB | 100 | 2 | ")
    assert "| a + b x ranks | a | b | largest residual |" in lines


def test_points_and_lines_are_drawn_with_a_row_of_panels_for_each_sweep(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib.figure", reason="matplotlib is not installed")
    path = tmp_path / "pictures" / "curves.png"
    draw(points(), path)
    picture = cv2.imread(str(path))
    assert picture is not None
    assert picture.std() > 1
    assert picture.shape[:2] == (2 * 480, 3 * 768)


def test_rows_are_kept_as_they_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Plan] = []

    def time_run(plan: Plan) -> Timing:
        asked.append(plan)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return made_up_timing()

    monkeypatch.setattr(curves, "time_run", time_run)
    flags = ["--sweeps", "environments", "--environments", "2", "4", "--folder", str(tmp_path)]
    with pytest.raises(KeyboardInterrupt):
        curves.measure(parse(flags))
    rows = (tmp_path / "curves.csv").read_text().splitlines()
    assert rows[0].startswith("sweep,value,CPU us per env step")
    assert rows[1:] == [f"environments,{n},2000.0,1000.0,0.128,500.0" for n in (2, 4)]


def test_no_run_begins_where_one_of_the_sweeps_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="FeatureDim"):
        curves.measure(parse(["--set", "FeatureDim=none", "--folder", str(tmp_path)]))


@pytest.mark.parametrize(
    "flags",
    [
        ["--what", "nothing"],
        ["--repeats", "0"],
        ["--environments", "16"],
        ["--widths", "0", "8"],
        ["--summing_ranks", "1"],
    ],
)
def test_nonsense_is_refused(flags: Sequence[str]) -> None:
    with pytest.raises(SystemExit):
        parse(flags)
