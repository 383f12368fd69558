"""Precision = auto."""

from pathlib import Path

import pytest
import torch

from configs.loading import load_config
from training.building import precision
from training.building.precision import multiplies_bfloat16, settle_precision

PROJECT = Path(__file__).resolve().parents[3]
CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("fpu avx2", False), ("fpu avx512_bf16", True), ("amx_tile amx_bf16", True), ("bf16x", False)],
)
def test_a_cpu_with_the_instructions_is_known_by_its_flags(
    tmp_path: Path, flags: str, expected: bool
) -> None:
    facts = tmp_path / "cpuinfo"
    facts.write_text(f"processor : 0\nflags\t\t: {flags}\n")
    assert multiplies_bfloat16(CPU, facts) is expected


def test_a_machine_that_tells_nothing_of_its_cpu_computes_in_float32(tmp_path: Path) -> None:
    assert multiplies_bfloat16(CPU, tmp_path / "nothing") is False


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize(
    ("recipe", "pixels"),
    [("Pong/config_rnd00.conf", True), ("CartPole/config_rnd00.conf", False)],
)
def test_auto_is_bfloat16_for_frames_on_hardware_that_multiplies_it(
    monkeypatch: pytest.MonkeyPatch, fast: bool, recipe: str, pixels: bool
) -> None:
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda device: fast)
    loaded = load_config(PROJECT / "configs" / recipe, ["Precision=auto"])
    settled = settle_precision(loaded, CPU).config
    assert settled.run.precision == ("bfloat16" if fast and pixels else "float32")
    assert settled.ppo == loaded.config.ppo


def test_a_precision_that_was_asked_for_stays() -> None:
    loaded = load_config(PROJECT / "configs/Pong/config_rnd00.conf", ["Precision=float32"])
    assert settle_precision(loaded, CPU) is loaded
