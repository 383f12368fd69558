"""The commonest first stumble: another Python than the one that the packages are in."""

import re
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).parent.parent / "requirements.txt"
MODULES = {
    "opencv-python": "cv2",
    "ale-py": "ale_py",
    "line-profiler": "line_profiler",
    "PyYAML": "yaml",
}


def is_requirement(module: str) -> bool:
    """Return whether requirements.txt brings a module, or the package that it is part of."""
    names = re.findall(r"^[\w-]+", REQUIREMENTS.read_text(), re.MULTILINE)
    return module.partition(".")[0] in {MODULES.get(name, name) for name in names}


def what_is_missing(error: ModuleNotFoundError) -> str:
    """Say which package is not in this Python, and how to come by it."""
    return (
        f"{error.name} is not installed in this Python ({sys.executable}): activate the "
        "environment that make install made (source .venv/bin/activate), or type make install first"
    )
