"""The allocator keeps what is freed."""

import subprocess
import sys

CODE = """
import resource
import torch
from training.ranks.allocator import keep_freed_memory

def page_faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(10_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

torch.set_num_threads(1)
print(page_faults())
keep_freed_memory()
page_faults()
print(page_faults())
"""


def test_a_block_that_was_freed_is_used_again_without_faulting_its_pages_in() -> None:
    """Ten tensors of 40 MB, each freed before the next, in a process of their own."""
    command = [sys.executable, "-c", CODE]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    before, after = map(int, printed.split())
    assert before > 10 * 40_000_000 // 4096 * 0.9
    assert after < before / 10
