"""What the figures of a run depend on: packages, Python, machine, commit."""

import contextlib
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

_PACKAGES = (
    "torch",
    "numpy",
    "gymnasium",
    "ale-py",
    "gym-super-mario-bros",
    "box2d",
    "minigrid",
    "mujoco",
    "nes-py",
    "opencv-python",
    "opencv-python-headless",
    "pydantic",
    "tensorboard",
)


def collect_versions() -> dict[str, str]:
    """Return what the figures of a run depend on: packages, Python, machine, commit.

    Nothing is imported to find out. "commit" ends in "+changes" where tracked files differ from
    it, and is "unknown" where this is no git checkout of its own.
    """
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    versions["platform"] = platform.platform()
    versions["cpu"] = _cpu_model()
    versions["cores"] = str(len(os.sched_getaffinity(0)))
    versions["commit"] = project_commit(Path(__file__).resolve().parent.parent.parent)
    return versions


def project_commit(project: Path) -> str:
    """Return the commit checked out in `project`, as `collect_versions` gives it."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(project), *arguments],
            check=True,
            capture_output=True,
            text=True,
            timeout=10,
        ).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != project:
            return "unknown"
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def software_versions() -> dict[str, str]:
    """Return those of `collect_versions` that must be the same on all ranks."""
    machine = ("platform", "cpu", "cores")
    return {name: text for name, text in collect_versions().items() if name not in machine}


def _cpu_model() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
