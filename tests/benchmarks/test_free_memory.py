"""What is measured must fit into the memory that is free."""

from pathlib import Path

import pytest

from benchmarks.free_memory import SHARE, free_memory, lacks_room


def test_a_container_has_no_more_room_than_its_limit(tmp_path: Path) -> None:
    outside = free_memory(tmp_path)
    (tmp_path / "memory.max").write_text("300000000\n")
    (tmp_path / "memory.current").write_text("120000000\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 20000000\n")
    assert free_memory(tmp_path) == 200.0
    (tmp_path / "memory.max").write_text("max\n")
    assert free_memory(tmp_path) == pytest.approx(outside, rel=0.5)


def test_a_fifth_of_the_memory_stays_free() -> None:
    free = free_memory()
    assert lacks_room(0.5 * SHARE * free) is None
    assert lacks_room(1.5 * SHARE * free) is not None
