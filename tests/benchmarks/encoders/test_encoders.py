"""The benchmark of encoders runs, compares what is alike, and says what it found."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.encoders.command import OwnTraining, main
from benchmarks.encoders.plain import PlainVAE
from tests.training.offline.made import squares

FRAMES = np.random.default_rng(0).integers(0, 256, (40, 64, 64, 3), np.uint8)


def test_both_have_the_layers_of_the_paper_and_the_plain_one_fewer_biases_alone() -> None:
    plain = sum(p.numel() for p in PlainVAE().parameters())
    own = OwnTraining(FRAMES, 2, narrow=False).objective
    assert plain == 4_348_547  # as Ha and Schmidhuber 2018 count them, arXiv 1803.10122
    assert sum(p.numel() for p in own.parameters()) == plain + 128 * 25 - 128


@pytest.mark.slow
def test_it_prints_a_row_for_each_arm(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--no_log", "--repeats", "1", "--images", "2"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("batch 32 |") == 3
    assert "bfloat16, batch 256" in printed


@pytest.mark.slow
def test_it_measures_a_dataset_on_disk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    squares(tmp_path / "D", 8)
    arguments = ["--no_log", "--repeats", "1", "--images", "32", "--dataset", str(tmp_path / "D")]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert printed.count("the loop, ") == 8
    assert "whole episodes, from disk" in printed


def test_numbers_below_one_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--repeats", "0"])
    assert "at least 1" in capsys.readouterr().err
