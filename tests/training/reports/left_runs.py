"""Runs that were never trained, with all that a run leaves: rows, a last word, maps."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from configs.loading import load_config, render_conf
from tests.architecture.test_floors import ROOT
from tests.benchmarks.records import Row, leave_rows
from training.figures.coverage import Coverage
from training.figures.statistics import summarize
from training.folders.run_folder import RunFolder

LOGS = Path("logs")
RECIPE = ROOT / "configs" / "demo_config.conf"
TD3 = ROOT / "configs" / "Pendulum" / "td3.conf"
CMA_ES = ROOT / "configs" / "CartPole" / "cma.conf"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
VERSIONS = {
    "python": "3.11.7",
    "torch": "2.13.0",
    "platform": "Linux-6",
    "cpu": "A cpu",
    "cores": "2",
}


def rows(scores: list[float], *, step: int = 1000, **more: Any) -> list[Row]:
    """Rows of an update each: these scores, 500 env steps/s, a third of the time for simulators."""
    return [
        {
            "env_steps": step * number,
            "frames": step * number,
            "wall_time": 1.8e9 + 2 * number,
            "charts/episodic_return": score,
            "charts/episodic_return_max": score + 1,
            "charts/episodes": 100.0,
            "charts/SPS": 500.0,
            "charts/updates": float(number),
            "intrinsic/mean": 1.0 / number,
            "losses/entropy": 1.0,
            "time/fraction_collect": 0.5,
            "time/fraction_act": 0.125,
            "time/fraction_learn": 0.25,
            "time/fraction_sync": 0.0,
            "time/fraction_save": 0.0,
            **more,
        }
        for number, score in enumerate(scores, start=1)
    ]


def leave_run(
    name: str,
    figures: list[Row] | None = None,
    *,
    recipe: Path = RECIPE,
    settings: tuple[str, ...] = (),
    seed: int = 1,
    code: int | None = 0,
    reason: str = "done",
    begun_at: int | None = None,
) -> Path:
    """Leave a run in the current folder as training does; return its folder."""
    figures = rows([-200.0, -150.0, -120.0]) if figures is None else figures
    config = load_config(recipe, [f"Seed={seed}", *settings]).config
    with RunFolder.open(LOGS, name, mode="fresh") as run:
        run.write_manifest(
            config_text=render_conf(config),
            versions=VERSIONS,
            command=["main.py", "--train", f"--log_name={name}"],
            seed=seed,
            commit=COMMIT,
            env_steps=begun_at,
        )
        run.write_status(
            code,
            reason,
            rank=0,
            update=len(figures),
            env_steps=figures[-1]["env_steps"] if figures else 0,
            checkpoint=None,
        )
    return leave_rows(run.path, figures)


def leave_visits(folder: Path, seed: int = 1) -> Coverage:
    """Leave a map of states that were visited."""
    coverage = Coverage((-1.2, -0.07), (0.6, 0.07))
    coverage.add(np.random.default_rng(seed).normal(scale=0.05, size=(500, 2)))
    coverage.save(folder / "visits.npz")
    return coverage


def leave_evaluation(
    folder: Path,
    scores: list[float],
    rooms: tuple[int, ...] = (),
    *,
    seed: int = 5,
    action_choice: str = "sampled",
    **more: Any,
) -> None:
    """Leave the report of an evaluation."""
    report = {
        "checkpoint": "x.ckpt",
        "env_steps_trained": 3000,
        "seed": seed,
        "action_choice": action_choice,
        "episodes": len(scores),
        "score": summarize(scores),
        "length": summarize([10.0] * len(scores)),
        "metrics": {},
        "rooms": list(rooms),
        "scores": scores,
        **more,
    }
    (folder / "evaluation").mkdir(exist_ok=True)
    name = f"x_3000_{action_choice}_seed{seed}.json"
    (folder / "evaluation" / name).write_text(json.dumps(report))


def leave_video(folder: Path, content: bytes = b"a video") -> Path:
    """Leave a file that is named as a video."""
    path = folder / "evaluation" / "x.mp4"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path
