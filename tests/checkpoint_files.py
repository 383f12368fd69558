"""Checkpoints for tests: a small payload, and a whole file around any bytes."""

import hashlib
import struct

import torch

from training.checkpoints.storage import MAGIC, VERSION, Payload


def payload(number: int) -> Payload:
    return {"number": number, "weights": torch.arange(50) * number, "facts": {"log_name": "demo"}}


def file_of(data: bytes, version: int = VERSION) -> bytes:
    """Return a checkpoint file with a right header around `data`."""
    return MAGIC + struct.pack(">I", version) + hashlib.sha256(data).digest() + data
