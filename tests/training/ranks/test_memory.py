"""Memory that runs out ends a run with one message, not with torch's stack."""

from pathlib import Path

import pytest
import torch

from configs.errors import StorageError
from tests.runs import CARTPOLE, run_here, write_recipe
from training.ranks.memory import memory_errors


def test_what_torch_cannot_allocate_is_a_storage_error_with_the_bytes() -> None:
    said = r"tried to allocate \d+ bytes; [\d,]+ bytes .* lower"
    with pytest.raises(StorageError, match=said), memory_errors():
        torch.empty(2**60)


@pytest.mark.parametrize(
    "error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")]
)
def test_the_other_ways_in_which_memory_runs_out_are_known(error: Exception) -> None:
    with pytest.raises(StorageError, match="out of memory"), memory_errors():
        raise error


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="shapes"), memory_errors():
        raise RuntimeError("shapes do not fit")


def test_a_run_whose_networks_no_memory_holds_ends_with_code_7(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipe(tmp_path, CARTPOLE, StateHiddenSizes="1_000_000, 1_000_000")
    assert run_here(tmp_path, "--train", f"--config_path={recipe}", "--num_workers=1") == 7
    message = capsys.readouterr().err
    assert "out of memory (tried to allocate 4000000000000 bytes" in message
    assert "Traceback" not in message
