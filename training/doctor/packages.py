"""What `make doctor` says about packages: each requirement beside what is installed."""

import importlib
import importlib.util
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

TWINS = {"opencv-python": "opencv-python-headless"}  # one module, two distributions


@dataclass(frozen=True)
class Finding:
    """One line of the report. `missing` = training on the CPU is impossible without it."""

    status: Literal["ok", "warn", "missing"]
    subject: str
    detail: str
    remedy: str = ""


def requirement_lines(paths: Iterable[Path]) -> list[str]:
    """The requirements in pip's requirements files, without comments."""
    lines = (line.split("#")[0].strip() for path in paths for line in path.read_text().splitlines())
    return [line for line in lines if line]


def installed_version(name: str) -> str | None:
    """The version of an installed distribution or of its twin, None where there is neither."""
    for candidate in (name, TWINS.get(name, name)):
        try:
            return metadata.version(candidate)
        except metadata.PackageNotFoundError:
            continue
    return None


def package_findings(
    lines: Sequence[str], absent: Literal["warn", "missing"], remedy: str
) -> list[Finding]:
    """Hold each requirement that applies to this interpreter against what is installed.

    Args:
        lines: requirements as pip writes them, with version ranges and environment markers.
        absent: the status of a package that is not installed or of another version.
        remedy: what to type then.
    """
    requirements = importlib.import_module("packaging.requirements")
    findings = []
    for requirement in map(requirements.Requirement, lines):
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        wanted = str(requirement.specifier) or "any version"
        version = installed_version(requirement.name)
        if version is None:
            findings.append(Finding(absent, requirement.name, f"not here, want {wanted}", remedy))
        elif not requirement.specifier.contains(version, prereleases=True):
            findings.append(Finding(absent, requirement.name, f"{version}, want {wanted}", remedy))
        else:
            findings.append(Finding("ok", requirement.name, f"{version}  ({wanted})"))
    return findings


def all_package_findings(project: Path) -> list[Finding]:
    """Packages to run with, then those that are optional, and those of `make check`."""
    if importlib.util.find_spec("packaging") is None:
        return [Finding("missing", "packages", "not installed in this Python", "make install")]
    needed = package_findings(
        requirement_lines([project / "requirements.txt"]), "missing", "make install"
    )
    mario = package_findings(
        requirement_lines([project / "requirements-mario.txt"]),
        "warn",
        "only for Super Mario Bros: install g++, then make install",
    )
    study = package_findings(
        requirement_lines([project / "requirements-study.txt"]),
        "warn",
        "only for make study and make plots: make install",
    )
    export = package_findings(
        requirement_lines([project / "requirements-export.txt"]),
        "warn",
        "only for ONNX graphs: pip install -r requirements-export.txt -c requirements.lock",
    )
    mujoco = package_findings(
        requirement_lines([project / "requirements-mujoco.txt"]),
        "warn",
        "only for EnvType = mujoco: pip install -r requirements-mujoco.txt -c requirements.lock",
    )
    tools = package_findings(
        requirement_lines([project / "requirements-dev.txt"]),
        "warn",
        "only for make check: make install",
    )
    return needed + mario + study + export + mujoco + tools
