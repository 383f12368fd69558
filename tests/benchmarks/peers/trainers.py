"""Trainers that train nothing: a few lines of Python that use CPU time and print marks."""

import re
from pathlib import Path

from benchmarks.peers.scripts.sizes import MARK, Sizes
from benchmarks.peers.trainers import Peer

SIZES = Sizes(num_envs=10, num_steps=10)  # 100 env steps an update
BURN = """
import os, subprocess, sys, time
def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
"""
TRAINER = BURN + (
    "burn(0.8)\n"  # start-up, which does not count
    "print('mark 100')\n"
    "burn(0.4)\n"
    "print('mark 200')\n"
    "burn(0.4)\n"
    "print('mark 300')\n"
    "time.sleep(60)\n"
)


def trainer(folder: Path, code: str, mark: re.Pattern[str] = MARK) -> Peer:
    """A trainer called "mine" that runs `code`."""
    path = folder / f"trainer{len(list(folder.iterdir()))}.py"
    path.write_text(code)
    return Peer("mine", ("{python}", str(path)), mark)
