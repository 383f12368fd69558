"""Free memory: the machine's, or less where a control group has a limit."""

from pathlib import Path

import psutil
import pytest

from workers.processes.free_memory import available_memory

MEBI = 2**20


def make_group(folder: Path, limit: str, used: int, idle: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.max").write_text(f"{limit}\n")
    (folder / "memory.current").write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 5\ninactive_file {idle}\nactive_file 7\n")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "cgroup"
    path.write_text("1:name=systemd:/elsewhere\n0::/jobs/job7\n")
    return path


def test_a_limit_counts_less_what_is_used_and_cannot_be_given_back(
    own: Path, tmp_path: Path
) -> None:
    make_group(tmp_path / "groups/jobs/job7", str(64 * MEBI), 40 * MEBI, 8 * MEBI)
    assert available_memory(own, tmp_path / "groups") == 32 * MEBI


def test_the_limit_of_a_group_around_it_counts_too(own: Path, tmp_path: Path) -> None:
    make_group(tmp_path / "groups/jobs/job7", "max", 40 * MEBI, 0)
    make_group(tmp_path / "groups/jobs", str(48 * MEBI), 40 * MEBI, 0)
    assert available_memory(own, tmp_path / "groups") == 8 * MEBI


def test_more_than_the_limit_may_be_in_use_for_a_moment(own: Path, tmp_path: Path) -> None:
    make_group(tmp_path / "groups/jobs/job7", str(64 * MEBI), 65 * MEBI, 0)
    assert available_memory(own, tmp_path / "groups") == 0


def make_older_group(folder: Path, limit: int, used: int, idle: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.limit_in_bytes").write_text(f"{limit}\n")
    (folder / "memory.usage_in_bytes").write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"inactive_file 3\ntotal_inactive_file {idle}\n")


@pytest.mark.parametrize("place", ["memory/slurm/job9", "memory"], ids=["outside", "inside"])
def test_the_limit_of_a_group_of_version_1_counts_too(place: str, tmp_path: Path) -> None:
    """A container sees its own group as the root, by the path that it has outside."""
    listed = tmp_path / "cgroup"
    listed.write_text("11:cpuset:/\n4:hugetlb,memory:/slurm/job9\n0::/\n")
    make_older_group(tmp_path / "groups" / place, 90 * MEBI, 60 * MEBI, 20 * MEBI)
    assert available_memory(listed, tmp_path / "groups") == 50 * MEBI


def test_no_limit_of_version_1_is_a_very_large_one(tmp_path: Path) -> None:
    listed = tmp_path / "cgroup"
    listed.write_text("4:memory:/\n")
    make_older_group(tmp_path / "groups/memory", 2**63 - 4096, 60 * MEBI, 0)
    free = psutil.virtual_memory().available
    assert available_memory(listed, tmp_path / "groups") == pytest.approx(free, rel=0.2)


@pytest.mark.parametrize("listed", ["", "4:memory:/docker/1\n", None])
def test_without_a_limit_it_is_what_the_machine_has(listed: str | None, tmp_path: Path) -> None:
    path = tmp_path / "cgroup"
    if listed is not None:
        path.write_text(listed)
    free = psutil.virtual_memory().available
    assert available_memory(path, tmp_path) == pytest.approx(free, rel=0.2)
