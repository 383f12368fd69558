"""All that is to be measured on a machine with a GPU, in one go and within a budget of time.

    python -m benchmarks.gpu
    python -m benchmarks.gpu --smoke

In this order: the tests of a GPU; what the emulators of the cores reach without a learner;
Montezuma with RND at 256, 512 and 1,024 environments, with the update's share and how busy the GPU
is (nvidia-smi); a run with 512 environments that is stopped and resumed, beside one that is not.
What no time is left for is left out and named. gpu.json and gpu.md are written anew after each of
them, so that a machine that is taken away leaves what was measured. --smoke does all of it in tiny
sizes on the CPU, as a test of this script: its figures mean nothing.

Env steps and emulator frames are told apart: a frame is not a decision.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks.gpu import emulators, runs
from benchmarks.gpu.report import page
from benchmarks.gpu.sizes import ON_A_GPU, TINY, Sizes
from benchmarks.measuring import header
from benchmarks.stopping import stop_signals_raise
from configs.errors import ConfigurationError, ScoutError
from training.folders.files import replace_file

BUDGET = 470  # seconds
PACKAGES = ("torch", "numpy", "gymnasium", "ale-py")
Results = dict[str, Any]


class Phase(NamedTuple):
    """A measurement.

    Attributes:
        name: in words.
        key: in the results.
        seconds: that are kept for it; a guess, used for the time that is left to go.
        measure: is given the seconds that it may take.
    """

    name: str
    key: str
    seconds: float
    measure: Callable[[float], Results]


def phases(sizes: Sizes, folder: Path, cores: int) -> list[Phase]:
    """Return all measurements in their order."""
    timed = [
        Phase(
            f"training with {number} environments",
            f"training_{number}",
            40 + 0.05 * number,
            partial(runs.timed, sizes, number, cores),
        )
        for number in sizes.environments
    ]
    return [
        Phase("tests of the GPU", "tests", 60, partial(runs.tests, folder)),
        Phase("emulators alone", "emulators", 40, lambda _: emulators.measure(sizes, cores)),
        *timed,
        Phase("stopped and resumed", "curve", 110, partial(runs.curve, sizes, folder / "curve")),
    ]


def measure_all(
    planned: Sequence[Phase], budget: float, keep: Callable[[Results], None]
) -> Results:
    """Take all measurements that there is time for; tell standard error how far it is.

    Args:
        planned: in order.
        budget: seconds for all of them.
        keep: is given all results after each.
    """
    began, results = time.monotonic(), {}
    for number, phase in enumerate(planned):
        spent = time.monotonic() - began
        to_go = sum(each.seconds for each in planned[number:])
        print(
            f"[{spent:.0f} s] {number + 1} of {len(planned)}: {phase.name}; "
            f"ETA {min(to_go, budget - spent):.0f} s",
            file=sys.stderr,
            flush=True,
        )
        results[phase.key] = _result(phase, budget - spent)
        results[phase.key]["seconds"] = time.monotonic() - began - spent
        keep(results)
    return results


def _result(phase: Phase, left: float) -> Results:
    """Return what was measured, or why nothing was: one failure does not end the others."""
    if left < phase.seconds / 2:
        return {"left_out": f"{left:.0f} s were left"}
    try:
        return phase.measure(left)
    except (ScoutError, TimeoutError, OSError, SystemExit) as error:
        if isinstance(error, SystemExit) and isinstance(error.code, int):
            raise  # a signal asked this script to end
        return {"failed": str(error)}


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--smoke", action="store_true", help="tiny, on the CPU")
    parser.add_argument("--budget", type=float, default=BUDGET, help="seconds (%(default)s)")
    parser.add_argument("--folder", type=Path, default=Path("runs-local/gpu"), help="(%(default)s)")
    options = parser.parse_args(argv)
    if options.budget <= 0:
        parser.error("--budget must be above 0")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, write gpu.json and gpu.md; return the exit code."""
    options = parse(argv)
    folder, cores = options.folder.resolve(), len(os.sched_getaffinity(0))
    sizes = TINY if options.smoke else ON_A_GPU
    try:
        gpu = _gpu_name(smoke=options.smoke)
        folder.mkdir(parents=True, exist_ok=True)
        facts = [*header(options, PACKAGES).splitlines(), f"GPU: {gpu}"]

        def keep(results: Results) -> None:
            told = {"facts": facts, "cores": cores, "results": results}
            replace_file(folder / "gpu.json", (json.dumps(told, indent=2) + "\n").encode())
            replace_file(folder / "gpu.md", page(facts, results).encode())

        with stop_signals_raise():
            results = measure_all(phases(sizes, folder, cores), options.budget, keep)
    except ScoutError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"error: {folder}: {error}", file=sys.stderr)
        return 7
    print(f"{page(facts, results)}\nwritten: {folder / 'gpu.json'}, {folder / 'gpu.md'}")
    tests_failed = results["tests"].get("exit_code") == 1
    return int(tests_failed or any("failed" in result for result in results.values()))


def _gpu_name(*, smoke: bool) -> str:
    """Return the first GPU's name.

    Raises:
        ConfigurationError: there is none, and no smoke was asked for.
    """
    if torch.cuda.is_available():
        return torch.cuda.get_device_name(0)
    if smoke:
        return "none; tiny sizes on the CPU, whose figures mean nothing"
    raise ConfigurationError(
        "torch finds no CUDA device here (torch.cuda.is_available() is False); "
        "--smoke goes through all of it on the CPU in tiny sizes"
    )
