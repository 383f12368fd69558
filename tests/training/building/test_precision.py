"""Precision = auto."""

import os
from pathlib import Path

import pytest
import torch

from agents.ranks import Ranks
from configs.loading import load_config
from training.building import precision
from training.building.precision import multiplies_bfloat16, settle_precision
from training.ranks.distributed import Place
from training.ranks.threads import learner_threads, model_threads

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


class AlikeRanks(Ranks):
    """Several ranks, whose others agree with this one, or one of which does not."""

    def __init__(self, *, alike: bool) -> None:
        self._alike = alike

    def any(self, *, flag: bool) -> bool:
        return flag or not self._alike


ONE = Place(rank=0, world_size=1, local_rank=0, local_world_size=1)


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    has_cores(monkeypatch, 2)


def has_cores(monkeypatch: pytest.MonkeyPatch, cores: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(cores)))


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize(
    ("recipe", "pixels"),
    [("CartPole/config_pixels_byol00.conf", True), ("CartPole/config_rnd00.conf", False)],
)
def test_by_default_it_is_bfloat16_for_frames_on_hardware_that_multiplies_it(
    monkeypatch: pytest.MonkeyPatch, fast: bool, recipe: str, pixels: bool
) -> None:
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda device: fast)
    loaded = load_config(PROJECT / "configs" / recipe)
    settled = settle_precision(loaded, CPU, ONE, AlikeRanks(alike=True)).config
    assert settled.run.precision == ("bfloat16" if fast and pixels else "float32")
    assert settled.ppo == loaded.config.ppo


@pytest.mark.parametrize(
    ("threads", "cores", "expected", "then"),
    [
        ("auto", 1, "bfloat16", 1),
        ("auto", 2, "bfloat16", 1),
        ("auto", 3, "float32", 3),
        ("1", 8, "bfloat16", 1),
        ("2", 2, "float32", 2),
    ],
)
def test_on_a_cpu_bfloat16_goes_with_one_thread(
    monkeypatch: pytest.MonkeyPatch, threads: str, cores: int, expected: str, then: int
) -> None:
    """With more, torch's convolutions are slower in it than in float32."""
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda device: True)
    has_cores(monkeypatch, cores)
    keys = [f"LearnerThreads={threads}", "Precision=auto"]
    loaded = load_config(PROJECT / "configs/Pong/config_rnd00.conf", keys)
    settled = settle_precision(loaded, CPU, ONE, AlikeRanks(alike=True)).config
    assert settled.run.precision == expected
    assert learner_threads(settled, ONE) == then


def test_a_precision_that_was_asked_for_stays() -> None:
    loaded = load_config(PROJECT / "configs/Pong/config_rnd00.conf", ["Precision=float32"])
    assert settle_precision(loaded, CPU, ONE, AlikeRanks(alike=True)) is loaded
    half = load_config(PROJECT / "configs/Pong/config_rnd00.conf", ["Precision=bfloat16"])
    assert (
        learner_threads(settle_precision(half, CPU, ONE, AlikeRanks(alike=True)).config, ONE) == 1
    )


def test_all_ranks_compute_in_float32_where_bfloat16_does_not_pay_on_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nodes may have different processors: nobody typed a precision that differs."""
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda device: True)
    loaded = load_config(PROJECT / "configs/Pong/config_rnd00.conf", ["Precision=auto"])
    for alike, expected in ((True, "bfloat16"), (False, "float32")):
        settled = settle_precision(loaded, CPU, ONE, AlikeRanks(alike=alike))
        assert settled.config.run.precision == expected


def test_a_model_on_a_dataset_computes_with_all_cores_whatever_an_agent_would_see(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """LunarLander's agents see its vector, its encoders may see frames."""
    has_cores(monkeypatch, 4)
    for keys, expected in (
        ([], 4),
        (["LearnerThreads=3"], 3),
        (["Precision=bfloat16"], 1),
    ):
        loaded = load_config(PROJECT / "configs/LunarLander/state_decoder.conf", keys)
        assert model_threads(loaded.config.run, ONE) == expected
    assert learner_threads(load_config(PROJECT / "configs/LunarLander/td3.conf").config, ONE) == 1
