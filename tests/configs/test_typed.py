"""Flags in the words of what was typed."""

import pytest

from configs.typed import FRONT, typed

WORDS = [
    ("--resume", "", "--resume", "RESUME=1"),
    ("--overwrite", "", "--overwrite", "OVERWRITE=1"),
    ("--log_name", "maze-2", "--log_name=maze-2", "LOG_NAME=maze-2"),
    ("--save_model_path", "", "--save_model_path", "CKPT"),
    ("--nproc_per_node", 3, "--nproc_per_node=3", "NPROC=3"),
    ("--num_workers", 3, "--num_workers=3", 'ARGS="--num_workers=3"'),
]


@pytest.mark.parametrize(("flag", "value", "plain", "under_make"), WORDS)
def test_a_flag_is_told_as_it_would_be_typed(
    flag: str, value: object, plain: str, under_make: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(FRONT, raising=False)
    assert typed(flag, value) == plain
    monkeypatch.setenv(FRONT, "make")
    assert typed(flag, value) == under_make
