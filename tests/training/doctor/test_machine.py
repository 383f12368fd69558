"""make doctor: it is right about this machine, and names what is missing with its remedy."""

import shutil
import socket
import subprocess
import sys

import pytest

from training.doctor import machine
from training.doctor.network import endpoint_findings, interface_finding
from training.doctor.packages import (
    Finding,
    all_package_findings,
    installed_version,
    package_findings,
    requirement_lines,
)


def test_it_finds_that_this_machine_can_train(capsys: pytest.CaptureFixture[str]) -> None:
    assert machine.main() == 0
    output = capsys.readouterr().out
    assert "Scout can train here." in output
    assert "Montezuma's Revenge among them" in output


def test_it_runs_on_a_python_without_any_package() -> None:
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-c", "import sys; sys.path.insert(0, '.');"
         "from training.doctor.machine import main; sys.exit(main())"],
        cwd=machine.PROJECT, capture_output=True, text=True, check=False, timeout=60,
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
    subjects = {finding.subject for finding in all_package_findings(machine.PROJECT)}
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
        "requirements-export.txt",
        "requirements-mujoco.txt",
        "requirements-dev.txt",
    )
    locked: dict[str, list[str]] = {}
    for line in requirement_lines([machine.PROJECT / "requirements.lock"]):
        pin = packaging.Requirement(line)
        [specifier] = pin.specifier
        locked.setdefault(utils.canonicalize_name(pin.name), []).append(specifier.version)
    for line in requirement_lines(machine.PROJECT / name for name in files):
        requirement = packaging.Requirement(line)
        versions = locked[utils.canonicalize_name(requirement.name)]
        assert any(requirement.specifier.contains(version) for version in versions), line


def test_only_what_training_needs_turns_the_exit_code() -> None:
    fine = Finding("ok", "Python", "3.11")
    assert machine.exit_code([fine, Finding("warn", "Docker", "not here")]) == 0
    assert machine.exit_code([fine, Finding("missing", "torch", "not here")]) == 1


def test_the_report_is_aligned_and_puts_the_remedy_under_its_line() -> None:
    text = machine.report([Finding("ok", "a", "here"), Finding("missing", "long", "gone", "mend")])
    assert text.splitlines()[:3] == [
        "ok       a     here",
        "missing  long  gone",
        "               -> mend",
    ]


def test_an_interface_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "no-such-interface")
    finding = interface_finding()
    assert finding.status == "warn"
    assert "no-such-interface names no interface of this host; there are lo (127" in finding.detail


def test_an_interface_that_others_cannot_reach_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NCCL_SOCKET_IFNAME", "=lo")
    finding = interface_finding()
    assert finding.status == "warn"
    assert "NCCL_SOCKET_IFNAME==lo names an interface that other nodes cannot" in finding.detail
    assert finding.remedy == "name one of them, or unset NCCL_SOCKET_IFNAME"


def told(command: str, *before: str) -> str:
    """Return what the doctor says in a process of its own, started by the words `before`."""
    done = subprocess.run(
        [*before, sys.executable, "-c", f"from training.doctor import machine; {command}"],
        cwd=machine.PROJECT, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return done.stdout


def test_a_small_shared_memory_is_warned_of() -> None:
    """In a mount namespace, as in a container of the default size."""
    mount = "mount -t tmpfs -o size=64m none /dev/shm"
    inside = ("unshare", "--mount", "sh", "-c", f'{mount} && exec "$@"', "sh")
    if shutil.which("unshare") is None or subprocess.run([*inside, "true"], check=False).returncode:
        pytest.skip("mount namespaces are not permitted")
    words = told("print(machine.report([machine.shared_memory_finding()]))", *inside)
    assert words.startswith("warn     shared memory  0.06 GiB free in /dev/shm, want 0.12")
    assert "--shm-size" in words


@pytest.mark.parametrize(
    ("limits", "remedy"),
    [("(64, 2000)", "-> ulimit -n 1024"), ("(64, 64)", "-> /etc/security/limits.conf, or docker")],
    ids=["soft", "hard"],
)
def test_few_open_files_are_warned_of(limits: str, remedy: str) -> None:
    words = told(
        f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, {limits});"
        "print(machine.report([machine.open_files_finding()]))"
    )
    assert words.startswith("warn     open files  64 (hard limit")
    assert "want 1024" in words
    assert remedy in words


def test_a_busy_endpoint_is_named_with_the_command_that_shows_who_has_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        [finding] = endpoint_findings(f"127.0.0.1:{port}")
    assert finding.status == "missing"
    assert f"port {port} cannot be opened on host {socket.gethostname()}" in finding.detail
    assert f"ss -ltnp 'sport = :{port}'" in finding.remedy


def test_a_free_endpoint_on_the_loopback_is_warned_of() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    endpoint, node = endpoint_findings(f"127.0.0.1:{port}")
    assert (endpoint.status, node.status) == ("ok", "warn")
    assert "leads other nodes to themselves" in node.detail


@pytest.mark.parametrize("endpoint", ["", "here", ":1", "here:", "here:x", "here:0", "here:70000"])
def test_an_endpoint_that_is_none_is_refused(endpoint: str) -> None:
    [finding] = endpoint_findings(endpoint)
    assert (finding.status, finding.detail) == ("missing", f"{endpoint}: no HOST:PORT")


def test_an_endpoint_without_an_address_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """The whole report ends with 1 then: nodes cannot meet there."""
    assert machine.main(["--rdzv-endpoint=no-such-host.invalid:33333"]) == 1
    output = capsys.readouterr().out
    assert "missing  endpoint              no-such-host.invalid: " in output
    assert "Missing: endpoint." in output
