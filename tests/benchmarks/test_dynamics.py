"""The benchmark of models of sequences runs every arm, and dreams past a full window."""

import pytest
import torch

from benchmarks.dynamics import LATENTS, dreaming, main, make, table, windows


def test_models_have_the_sizes_of_the_papers() -> None:
    sizes = {
        k: sum(p.numel() for p in make(k).parameters()) for k in ("mdn_rnn", "causal_transformer")
    }
    lstm = 4 * 256 * (LATENTS + 3 + 256 + 2)
    head = (256 + 1) * (3 * 5 * LATENTS + 2)
    assert sizes["mdn_rnn"] == lstm + head
    assert 4.5e6 < sizes["causal_transformer"] < 5e6


def test_windows_are_what_a_model_learns_from() -> None:
    model, samples = make("mdn_rnn"), windows(2)
    assert torch.isfinite(model(samples, torch.Generator()).total)


def test_a_dream_goes_on_and_a_row_says_how_fast() -> None:
    dream = dreaming("causal_transformer", 2)
    row = table("dreaming", {"two": (dream, 2)}, repeats=1, calls=1).splitlines()[-1]
    assert row.startswith("| two | ")


@pytest.mark.slow
def test_it_prints_a_row_for_each_arm(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--no_log", "--repeats", "1", "--calls", "1"]) == 0
    assert capsys.readouterr().out.count("mdn_rnn, ") == 5


def test_numbers_below_one_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--calls", "0"])
    assert "must be at least 1" in capsys.readouterr().err
