"""Says what this machine has, what is missing, and how to mend it: `python -m training.doctor`.

Runs without any installed package, so that it can say which ones are missing. Ends with 0 unless
something is missing without which Scout cannot train on the CPU. With --rdzv-endpoint HOST:PORT it
also says whether nodes can meet there.
"""

import argparse
import importlib
import importlib.util
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from training.doctor.network import endpoint_findings, hostname_finding, interface_finding
from training.doctor.packages import Finding, all_package_findings

PROJECT = Path(__file__).resolve().parent.parent.parent
GIB = 2**30
SMALL_SHARED_MEMORY = GIB // 8  # a container's default is 64 MB, which NCCL and several ranks share
FEW_OPEN_FILES = 1024  # pipes, sentinels and shared memory of a rank, with room to spare
DOCKER_TIMEOUT = 10.0  # seconds; a daemon that hangs must not hang the doctor


def python_finding() -> Finding:
    """Whether the interpreter is new enough."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info < (3, 11):  # noqa: UP036 - the doctor is what old interpreters are shown to
        return Finding(
            "missing", "Python", version, "3.11 or newer: make install PYTHON=python3.11"
        )
    return Finding("ok", "Python", f"{version}  {sys.executable}")


def loading_finding(module: str) -> Finding:
    """Whether a package that leans on system libraries can be loaded, not only be found."""
    try:
        importlib.import_module(module)
    except ImportError as error:
        remedy = "make install, or the library that the message names"
        if "libGL" in str(error) or "libg" in str(error):
            remedy = "pip uninstall opencv-python, then pip install opencv-python-headless"
        return Finding("missing", f"import {module}", str(error), remedy)
    return Finding("ok", f"import {module}", "loads")


def cuda_finding() -> Finding:
    """The CUDA devices that torch sees."""
    if importlib.util.find_spec("torch") is None:
        return Finding("warn", "CUDA", "unknown without torch", "make install")
    torch = importlib.import_module("torch")
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        return Finding("ok", "CUDA", f"{', '.join(names)}; ranks talk by NCCL")
    detail = f"no device for torch {torch.__version__}; trains on the CPU, ranks talk by gloo"
    if shutil.which("nvidia-smi") is None:
        return Finding("ok", "CUDA", detail)
    return Finding("warn", "CUDA", detail, "a driver is here: install torch's CUDA build")


def atari_finding() -> Finding:
    """Whether the game files of ale-py lie where it looks for them."""
    specification = importlib.util.find_spec("ale_py")
    if specification is None or specification.origin is None:
        return Finding("missing", "Atari games", "ale-py is not installed", "make install")
    folder = Path(specification.origin).parent / "roms"
    games = [game.stem for game in folder.glob("*.bin")]
    if "montezuma_revenge" not in games:
        return Finding("missing", "Atari games", f"not in {folder}", "reinstall ale-py")
    return Finding("ok", "Atari games", f"{len(games)}, Montezuma's Revenge among them")


def compiler_finding() -> Finding:
    """g++, which builds Mario's emulator where there is no wheel of it."""
    compiler = shutil.which("g++")
    if compiler is not None:
        return Finding("ok", "g++", compiler)
    if sys.version_info >= (3, 13):
        return Finding("ok", "g++", "not here, not needed by this Python")
    return Finding("warn", "g++", "not here", "only for Super Mario Bros: apt-get install g++")


def core_finding() -> Finding:
    """The cores this process may use; worker processes and ranks share them."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Finding("ok", "cores", f"{allowed} usable of {os.cpu_count()}")


def memory_finding() -> Finding:
    """Main memory."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    detail = f"{total / GIB:.1f} GiB"
    if total < 2 * GIB:
        return Finding("warn", "memory", detail, "torch alone takes much of it: fewer environments")
    return Finding("ok", "memory", detail)


def shared_memory_finding(folder: Path = Path("/dev/shm")) -> Finding:
    """The room for the workers' shared arrays."""
    if not folder.is_dir():
        return Finding("ok", "shared memory", f"no {folder} on this system")
    status = os.statvfs(folder)
    free = status.f_bavail * status.f_frsize
    detail = f"{free / GIB:.2f} GiB free in {folder}"
    if free < SMALL_SHARED_MEMORY:
        detail += f", want {SMALL_SHARED_MEMORY / GIB:.2f}"
        return Finding("warn", "shared memory", detail, "in a container: docker run --shm-size 2g")
    return Finding("ok", "shared memory", detail)


def open_files_finding() -> Finding:
    """The limit of open files of a process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    detail = f"{soft} (hard limit {hard})"
    if soft != resource.RLIM_INFINITY and soft < FEW_OPEN_FILES:
        detail += f", want {FEW_OPEN_FILES}"
        remedy = f"ulimit -n {FEW_OPEN_FILES}"
        if hard != resource.RLIM_INFINITY and hard < FEW_OPEN_FILES:
            remedy = f"/etc/security/limits.conf, or docker run --ulimit nofile={FEW_OPEN_FILES}"
        return Finding("warn", "open files", detail, remedy)
    return Finding("ok", "open files", detail)


def docker_finding() -> Finding:
    """Whether a Docker daemon answers; only the docker_* targets need one."""
    if shutil.which("docker") is None:
        return Finding("warn", "Docker", "not here", "only for make docker_*: install Docker")
    try:
        answer = subprocess.run(
            ["docker", "info", "--format", "{{.ServerVersion}}"],
            capture_output=True,
            text=True,
            timeout=DOCKER_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Finding("warn", "Docker", "no answer", "only for make docker_*: start the daemon")
    if answer.returncode != 0:
        return Finding("warn", "Docker", "no daemon", "only for make docker_*: start the daemon")
    return Finding("ok", "Docker", answer.stdout.strip())


SINGLE_CHECKS: tuple[Callable[[], Finding], ...] = (
    lambda: loading_finding("cv2"),
    cuda_finding,
    atari_finding,
    compiler_finding,
    core_finding,
    memory_finding,
    shared_memory_finding,
    open_files_finding,
    hostname_finding,
    interface_finding,
    docker_finding,
)


def report(findings: Sequence[Finding]) -> str:
    """The findings as aligned lines, each remedy under its line, and a last line with the sum."""
    width = max(len(finding.subject) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{finding.status:<8} {finding.subject:<{width}}  {finding.detail}")
        if finding.remedy:
            lines.append(f"{'':<8} {'':<{width}}  -> {finding.remedy}")
    missing = [finding.subject for finding in findings if finding.status == "missing"]
    if missing:
        lines.append(f"\nScout cannot train here yet. Missing: {', '.join(missing)}.")
    else:
        lines.append("\nScout can train here.")
    return "\n".join(lines)


def exit_code(findings: Sequence[Finding]) -> int:
    """0 where training on the CPU is possible, else 1."""
    return 1 if any(finding.status == "missing" for finding in findings) else 0


def main(arguments: Sequence[str] = ()) -> int:
    """Look at everything, print the report, return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m training.doctor", description="What this machine has."
    )
    parser.add_argument(
        "--rdzv-endpoint", metavar="HOST:PORT", help="where several nodes are to meet"
    )
    endpoint = parser.parse_args(arguments).rdzv_endpoint
    findings = [
        python_finding(),
        *all_package_findings(PROJECT),
        *(check() for check in SINGLE_CHECKS),
        *(endpoint_findings(endpoint) if endpoint else []),
    ]
    sys.stdout.write(report(findings) + "\n")
    return exit_code(findings)
