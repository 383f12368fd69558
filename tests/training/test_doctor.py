"""make doctor: it is right about this machine, and names what is missing with its remedy."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from training import doctor
from training.doctor_packages import (
    Finding,
    all_package_findings,
    installed_version,
    package_findings,
    requirement_lines,
)


def test_it_finds_that_this_machine_can_train(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main() == 0
    output = capsys.readouterr().out
    assert "Scout can train here." in output
    assert "Montezuma's Revenge among them" in output


def test_it_runs_on_a_python_without_any_package() -> None:
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-c", "import sys; sys.path.insert(0, '.');"
         "from training.doctor import main; sys.exit(main())"],
        cwd=doctor.PROJECT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert result.returncode == 1, result.stderr
    assert "-> make install" in result.stdout


def test_a_package_that_is_not_here_is_named_with_its_range_and_remedy() -> None:
    [finding] = package_findings(["no-such-package>=3"], "missing", "make install")
    assert finding == Finding("missing", "no-such-package", "not here, want >=3", "make install")


def test_a_version_out_of_range_is_named() -> None:
    version = installed_version("numpy")
    [finding] = package_findings(["numpy>=99"], "warn", "make install")
    assert (finding.status, finding.detail) == ("warn", f"{version}, want >=99")


def test_a_requirement_of_another_python_does_not_count() -> None:
    assert package_findings(['no-such; python_version < "3"'], "missing", "") == []


def test_every_requirement_of_the_project_is_looked_at() -> None:
    subjects = {finding.subject for finding in all_package_findings(doctor.PROJECT)}
    assert {
        "torch",
        "gymnasium",
        "ale-py",
        "gym-super-mario-bros",
        "minigrid",
        "pytest",
    } <= subjects


def test_the_lock_holds_a_version_within_the_range_of_every_requirement() -> None:
    packaging = pytest.importorskip("packaging.requirements")
    utils = pytest.importorskip("packaging.utils")
    files = (
        "requirements.txt",
        "requirements-mario.txt",
        "requirements-study.txt",
        "requirements-dev.txt",
    )
    locked: dict[str, list[str]] = {}
    for line in requirement_lines([doctor.PROJECT / "requirements.lock"]):
        pin = packaging.Requirement(line)
        [specifier] = pin.specifier
        locked.setdefault(utils.canonicalize_name(pin.name), []).append(specifier.version)
    for line in requirement_lines(doctor.PROJECT / name for name in files):
        requirement = packaging.Requirement(line)
        versions = locked[utils.canonicalize_name(requirement.name)]
        assert any(requirement.specifier.contains(version) for version in versions), line


def test_only_what_training_needs_turns_the_exit_code() -> None:
    fine = Finding("ok", "Python", "3.11")
    assert doctor.exit_code([fine, Finding("warn", "Docker", "not here")]) == 0
    assert doctor.exit_code([fine, Finding("missing", "torch", "not here")]) == 1


def test_the_report_is_aligned_and_puts_the_remedy_under_its_line() -> None:
    text = doctor.report([Finding("ok", "a", "here"), Finding("missing", "long", "gone", "mend")])
    assert text.splitlines()[:3] == [
        "ok       a     here",
        "missing  long  gone",
        "               -> mend",
    ]


def test_an_interface_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "no-such-interface")
    finding = doctor.interface_finding()
    assert finding.status == "warn"
    assert "no-such-interface" in finding.detail


def test_a_small_shared_memory_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "SMALL_SHARED_MEMORY", 2 * os.statvfs(tmp_path).f_blocks * 2**16)
    assert doctor.shared_memory_finding(tmp_path).status == "warn"
