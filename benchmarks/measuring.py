"""What every measurement tells: what was measured, on what, with what, and how far it spread."""

import argparse
import importlib.metadata
import os
import statistics
from collections.abc import Sequence
from pathlib import Path

from benchmarks.runs import PROJECT
from training.folders.versions import collect_versions


def header(options: argparse.Namespace, packages: Sequence[str]) -> str:
    """Return the options, the machine, the commit and the versions of installed `packages`."""
    versions = collect_versions()
    found = [f"{name} {version}" for name in packages if (version := package_version(name))]
    lines = (
        ", ".join(f"{name} = {_told(value)}" for name, value in vars(options).items()),
        f"{versions['cpu']}, {versions['cores']} cores, {versions['platform']}",
        f"Python {versions['python']}, {', '.join(found)}",
        f"commit {versions['commit']}; load average {os.getloadavg()[0]:.1f}",
    )
    return "\n".join(lines)


def _told(value: object) -> object:
    """Return an option's value; of a file in the project its place there, of others the name."""
    if not isinstance(value, Path):
        return value
    return value.relative_to(PROJECT) if value.is_relative_to(PROJECT) else value.name


def package_version(name: str) -> str | None:
    """Return the version of an installed package, None where there is none."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Median and range."""
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:,.{digits}f} [{low:,.{digits}f}, {high:,.{digits}f}]"
