"""What every measurement tells: what was measured, on what, with what, and how far it spread."""

import argparse
import os
import statistics
from collections.abc import Sequence

from training.versions import collect_versions


def print_header(options: argparse.Namespace, packages: Sequence[str]) -> None:
    """Print the options, the machine, and the versions of those `packages` that are installed."""
    versions = collect_versions()
    found = [f"{name} {versions[name]}" for name in packages if name in versions]
    print(", ".join(f"{name} = {value}" for name, value in vars(options).items()))
    print(f"{versions['cpu']}, {versions['cores']} cores, {versions['platform']}")
    print(f"Python {versions['python']}, {', '.join(found)}")
    print(f"commit {versions['commit']}; load average {os.getloadavg()[0]:.1f}\n")


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Median and range."""
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:,.{digits}f} [{low:,.{digits}f}, {high:,.{digits}f}]"
