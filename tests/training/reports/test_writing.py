"""The command: which pages it writes, where, and what it refuses."""

from pathlib import Path

import pytest

import main
from tests.training.reports.left_runs import leave_run
from training.reports.record import unique_names

Captured = pytest.CaptureFixture[str]


def test_each_run_has_a_page_and_all_of_them_have_one_together(capsys: Captured) -> None:
    leave_run("a")
    leave_run("b", settings=("Gamma=0.9",))
    assert main.main(["--report", "a", "b", "a"]) == 0
    pages = ["logs/runs/a/report.html", "logs/runs/b/report.html", "logs/reports/a_vs_b.html"]
    assert capsys.readouterr().out.split()[1::2] == pages
    assert all(
        Path(page).read_text(encoding="utf-8").startswith("<!doctype html>") for page in pages
    )


def test_out_says_where_the_page_of_one_run_or_the_comparison_goes(capsys: Captured) -> None:
    leave_run("a")
    leave_run("b", seed=2)
    assert main.main(["--report", "a", "--out=new/one.html"]) == 0
    assert not Path("logs/runs/a/report.html").exists()
    assert main.main(["--report", "a", "b", "--out=new/two.html"]) == 0
    assert Path("logs/runs/b/report.html").exists()
    assert sorted(path.name for path in Path("new").iterdir()) == ["one.html", "two.html"]


def test_a_missing_run_is_one_message_with_the_nearest_name(capsys: Captured) -> None:
    leave_run("demo")
    assert main.main(["--report", "demo", "dem0"]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "run 'dem0'" in captured.err
    assert "did you mean demo?" in captured.err
    assert captured.out == ""
    assert not Path("logs/runs/demo/report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--report", "demo", "--out=logs/runs/demo/metrics.jsonl"], "ends in .html"),
        (["--report", "demo", "--out=file/page.html"], "--out=file/page.html cannot be written"),
    ],
)
def test_a_page_that_would_replace_other_files_or_cannot_be_is_refused(
    arguments: list[str], words: str, capsys: Captured
) -> None:
    before = (leave_run("demo") / "metrics.jsonl").read_bytes()
    Path("file").write_text("")
    assert main.main(arguments) == 2
    assert words in capsys.readouterr().err
    assert Path("logs/runs/demo/metrics.jsonl").read_bytes() == before


def test_a_full_disk_is_a_storage_error(capsys: Captured) -> None:
    folder = leave_run("demo")
    (folder / "report.html").mkdir()
    assert main.main(["--report", "demo"]) == 7
    assert "cannot write logs/runs/demo/report.html" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--report"], ["--report", "a", "--train"], ["--train", "--out=x.html"]]
)
def test_flags_that_do_not_go_together_are_refused(arguments: list[str], capsys: Captured) -> None:
    with pytest.raises(SystemExit) as caught:
        main.main(arguments)
    assert caught.value.code == 2
    assert "--report" in capsys.readouterr().err


def test_runs_elsewhere_are_named_by_what_tells_their_folders_apart(capsys: Captured) -> None:
    for place in ("with", "without"):
        leave_run("seed1").rename(f"{place}_seed1")
        Path(place, "logs/runs").mkdir(parents=True)
        Path(f"{place}_seed1").rename(f"{place}/logs/runs/seed1")
    assert main.main(["--report", "with/logs/runs/seed1", "without/logs/runs/seed1"]) == 0
    page = Path("logs/reports").glob("*.html")
    text = next(page).read_text(encoding="utf-8")
    assert "with/seed1" in text
    assert "without/seed1" in text
    assert unique_names([Path("/x/a"), Path("/y/b")]) == {Path("/x/a"): "a", Path("/y/b"): "b"}


def test_a_name_of_many_groups_is_cut_and_stays_its_own(capsys: Captured) -> None:
    names = [f"a_run_with_quite_a_name_{letter}" for letter in "abcdef"]
    for number, name in enumerate(names):
        leave_run(name, settings=(f"Gamma=0.{number + 1}",))
    assert main.main(["--report", *names]) == 0
    assert main.main(["--report", *names[:-1]]) == 0
    pages = sorted(Path("logs/reports").iterdir())
    assert len(pages) == 2
    assert all(len(page.name) < 128 for page in pages)
