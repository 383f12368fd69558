"""What is measured on a GPU: within its time, told whatever is missing, and once through, tiny."""

import json
import math
import time
from pathlib import Path

import pytest
import torch

from benchmarks.gpu.command import Phase, Results, main, measure_all
from benchmarks.gpu.meter import Meter, Reading, read_line, summary
from benchmarks.gpu.report import page
from benchmarks.gpu.runs import largest_difference, same_steps
from benchmarks.gpu.sizes import ON_A_GPU, TINY
from configs.errors import ConfigurationError
from configs.loading import load_config

TRAINED = {
    "environments": 512,
    "env_steps_per_second": 12_345.6,
    "env_steps_per_second_per_core": 771.6,
    "frames_per_second": 49_382.4,
    "share_learn": 0.25,
    "gpu_busy_percent": 61.0,
}
CURVE = {
    "code_when_stopped": 75,
    "rows_agree": True,
    "same_to_the_last_bit": False,
    "largest_difference_of_a_weight": 2e-7,
    "rows": [{"env_steps": 65_536, "intrinsic/mean": 0.04, "charts/episodic_return": None}],
}


def phase(name: str, seconds: float, result: Results | Exception) -> Phase:
    def measure(limit: float) -> Results:
        if isinstance(result, Exception):
            raise result
        return dict(result)

    return Phase(name, name, seconds, measure)


def test_the_recipe_takes_the_settings_of_both_sizes() -> None:
    for sizes in (ON_A_GPU, TINY):
        config = load_config(sizes.recipe, sizes.settings).config
        assert config.intrinsic.kind == "RND"
        assert sizes.curve_updates >= 2
    assert ON_A_GPU.environments == (256, 512, 1024)


def test_what_there_is_no_time_for_is_left_out_and_the_rest_is_kept_at_once() -> None:
    kept: list[list[str]] = []
    planned = [phase("short", 1, {"x": 1}), phase("long", 1e6, {}), phase("last", 1, {"x": 2})]
    results = measure_all(planned, 100.0, lambda found: kept.append([*found]))
    assert kept == [["short"], ["short", "long"], ["short", "long", "last"]]
    assert "s were left" in results["long"]["left_out"]
    assert results["last"]["x"] == 2


def test_a_failure_ends_no_other_measurement(capsys: pytest.CaptureFixture[str]) -> None:
    planned = [
        phase("first", 1, TimeoutError("it took longer")),
        phase("second", 1, ConfigurationError("no such key")),
        phase("third", 1, {"x": 3}),
    ]
    results = measure_all(planned, 100.0, lambda _: None)
    assert [results[name].get("failed") for name in ("first", "second", "third")] == [
        "it took longer",
        "no such key",
        None,
    ]
    assert "2 of 3: second; ETA 2 s" in capsys.readouterr().err


def test_what_nvidia_smi_says_is_read_and_what_it_cannot_say_is_not() -> None:
    assert read_line("87, 10240, 412.5", 3.0) == Reading(3.0, 87.0, 10240.0, 412.5)
    assert read_line("[N/A], 3, 4", 3.0) is None
    assert read_line("", 3.0) is None
    found = summary([Reading(1, 50, 100, 200), Reading(2, 70, 300, 400)])
    assert found == {
        "gpu_busy_percent": 60,
        "gpu_memory_mib": 300,
        "gpu_watts": 300,
        "gpu_readings": 2,
    }


def test_without_nvidia_smi_nothing_is_said_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with Meter() as meter:
        pass
    assert meter.summary((0.0, math.inf)) is None


def test_a_gpu_is_read_in_the_time_that_counts_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho '40, 1000, 300'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr("benchmarks.gpu.meter.SECONDS_BETWEEN", 0.01)
    began = time.time()
    with Meter() as meter:
        while meter.summary((began, math.inf)) is None:
            time.sleep(0.01)
    found = meter.summary((began, math.inf))
    assert found is not None
    assert (found["gpu_busy_percent"], found["gpu_memory_mib"]) == (40, 1000)
    assert meter.summary((began - 100, began - 50)) is None


def test_the_page_tells_env_steps_and_frames_apart_and_what_is_missing() -> None:
    results: Results = {
        "emulators": {"without_transport": TRAINED, "pool": None},
        "training_512": TRAINED,
        "training_1024": {"left_out": "3 s were left"},
        "curve": CURVE,
    }
    lines = page(["a machine"], results).splitlines()
    row = next(line for line in lines if line.startswith("| training, 512"))
    assert row == "| training, 512 environments | 12,346 | 772 | 49,382 |  | 25% |  |  | 61 |  |"
    assert any(line.startswith("| emulators alone | 12,346") for line in lines)
    assert "Not measured, training_1024: 3 s were left" in lines
    assert any("rows agree" in line and "not to the last bit" in line for line in lines)
    assert "| update 1 | 65,536 | 0.0400 |  |  |  |" in lines


def test_rows_that_are_missing_or_twice_there_do_not_agree() -> None:
    rows = [{"env_steps": steps} for steps in (32, 64, 96)]
    assert same_steps(rows, rows)
    assert not same_steps(rows, rows[:2])
    assert not same_steps([*rows, rows[-1]], [*rows, rows[-1]])


def test_weights_that_lack_one_differ_without_end() -> None:
    one = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor(3)}
    assert largest_difference(one, one) == 0
    assert largest_difference(one, one | {"a": torch.tensor([1.0, 2.5])}) == 0.5
    assert math.isinf(largest_difference(one, {"a": one["a"]}))


def test_without_a_gpu_it_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert main(["--folder", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert "no CUDA device" in captured.err
    assert "--smoke" in captured.err
    assert not [*tmp_path.iterdir()]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_all_of_it_goes_through_on_the_cpu_in_tiny_sizes(tmp_path: Path) -> None:
    assert main(["--smoke", "--folder", str(tmp_path), "--budget", "800"]) == 0
    results = json.loads((tmp_path / "gpu.json").read_text())["results"]
    assert not [key for key, result in results.items() if "failed" in result]
    assert results["tests"]["exit_code"] == 0
    assert results["emulators"]["pool"]["env_steps_per_second"] > 0
    for number in TINY.environments:
        told = results[f"training_{number}"]
        assert told["frames_per_second"] == pytest.approx(4 * told["env_steps_per_second"])
        assert 0 < told["share_learn"] < 1
    assert results["curve"]["stopped_as_asked"]
    assert results["curve"]["rows_agree"]
    if not torch.cuda.is_available():
        assert results["curve"]["same_to_the_last_bit"]
    assert len(results["curve"]["rows"]) == TINY.curve_updates
    assert (tmp_path / "gpu.md").read_text().startswith("# On one GPU")
