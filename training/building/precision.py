"""Which arithmetic the networks use where Precision = auto."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from agents.ranks import Ranks
from configs.loading import LoadedConfig
from configs.schema import Config
from configs.typed import typed
from training.ranks.distributed import Place

CPU_FACTS = Path("/proc/cpuinfo")
BFLOAT16_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})  # without them bfloat16 is emulated, slowly
CORES_IT_IS_WORTH = 2  # one thread in bfloat16 is as fast as these in float32
KEY = "Precision"
MACHINE = "this machine"  # who decided, where nobody asked for either

_LOG = logging.getLogger(__name__)


def settle_precision(
    loaded: LoadedConfig, device: torch.device, place: Place, ranks: Ranks
) -> LoadedConfig:
    """Replace Precision = auto by what all ranks compute with (a collective): the record names it.

    bfloat16 where it pays on every rank, else float32. The key's source is this machine then.
    """
    pays_everywhere = not ranks.any(flag=not bfloat16_pays(loaded.config, device, place))
    run = loaded.config.run
    if run.precision != "auto":
        return loaded
    settled = run.model_copy(update={"precision": "bfloat16" if pays_everywhere else "float32"})
    return replace(
        loaded,
        config=loaded.config.model_copy(update={"run": settled}),
        sources={**loaded.sources, KEY: MACHINE},
    )


def warn_if_settled_otherwise(loaded: LoadedConfig, facts: Mapping[str, Any], path: Path) -> None:
    """Say that Precision = auto is another one here than in the run of the checkpoint at `path`."""
    before, now = facts["config"].get(KEY), loaded.config.run.precision
    if loaded.sources[KEY] != MACHINE or before not in ("float32", "bfloat16") or before == now:
        return
    _LOG.warning(
        "%s was trained in %s, and Precision = auto means %s on this machine: it goes on in %s; "
        "to keep what it had: %s",
        *(path, before, now, now),
        typed(f"--set {KEY}={before}"),
    )


def bfloat16_pays(config: Config, device: torch.device, place: Place) -> bool:
    """Whether bfloat16 is faster than float32 on this rank.

    It is where the hardware multiplies it and there are frames to convolve: networks on state
    vectors are too small to gain. On the CPU with one thread only: torch's backward pass of a
    convolution takes many times as long with more of them (docs/benchmarks.md).
    """
    threads = config.run.learner_threads
    one_thread = place.cores <= CORES_IT_IS_WORTH if threads == "auto" else threads == 1
    pays = device.type == "cuda" or one_thread
    return pays and config.observes_pixels and multiplies_bfloat16(device)


def multiplies_bfloat16(device: torch.device, cpu_facts: Path = CPU_FACTS) -> bool:
    """Whether `device` has instructions for bfloat16."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    try:
        lines = cpu_facts.read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags")), "")
    return not BFLOAT16_FLAGS.isdisjoint(flags.split())
