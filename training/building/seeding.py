"""One run seed gives every random stream of every rank."""

import zlib

import numpy as np
import torch


def stream_seed(run_seed: int, purpose: str, rank: int = 0) -> int:
    """Return a 31-bit seed for one stream; different purposes, ranks and run seeds are unrelated.

    Args:
        run_seed: the run's seed.
        purpose: the stream's name, for instance "acting".
        rank: the rank that owns the stream; 0 for streams that all ranks share.

    """
    words = np.random.SeedSequence([run_seed, zlib.crc32(purpose.encode()), rank])
    return int(words.generate_state(1, dtype=np.uint32)[0] >> 1)


def make_generator(run_seed: int, purpose: str, rank: int, device: torch.device) -> torch.Generator:
    """Return a generator on `device` for one stream of one rank."""
    return torch.Generator(device).manual_seed(stream_seed(run_seed, purpose, rank))
