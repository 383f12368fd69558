"""Whether training begins or goes on, from which checkpoint, and whether that fits."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.ranks import Ranks
from configs.errors import CheckpointError
from configs.loading import dump_config
from configs.schema import Config
from configs.typed import typed
from training.checkpoints.offline import check_offline_form
from training.checkpoints.storage import (
    Payload,
    companions,
    load_payload,
    newest_whole,
    read_checkpoint,
    unpack,
    unpack_payload,
)
from training.folders.run_folder import RunMode
from training.offline.model_folder import ModelFolder
from training.offline.options import OfflineOptions
from training.ranks.agreement import differing_keys, on_first_rank
from training.ranks.restarts import is_restart, launcher
from trajectories.schema import differences

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Start:
    """How training begins.

    Attributes:
        source: the checkpoint to continue from, or None.
        mode: what to do with the model's folder.
    """

    source: Path | None
    mode: RunMode


def choose_start(options: OfflineOptions, *, restarted: bool = False) -> Start:
    """Decide how training begins; rank 0 alone looks at the files.

    Raises:
        CheckpointError: where there is nothing whole to continue from.
    """
    folder = ModelFolder.at(options.model_dir)
    saved = newest_whole(folder.checkpoint)
    if restarted and folder.was_started_by(launcher()):
        is_saved = any(file.exists() for file in companions(folder.checkpoint))
        return _resumed(folder, saved) if is_saved else Start(None, "anew")
    if options.resume:
        return _resumed(folder, saved)
    return Start(None, "overwrite" if options.overwrite else "fresh")


def _resumed(folder: ModelFolder, saved: Path | None) -> Start:
    if saved is not None:
        return Start(saved, "resume")
    if any(file.exists() for file in companions(folder.checkpoint)):
        load_payload(folder.checkpoint)  # says what is wrong with it
    if not folder.holds_results():
        _LOG.warning("%s has nothing to continue: training begins", folder.path)
        return Start(None, "fresh")
    _LOG.warning("%s was ended before its first checkpoint and begins anew", folder.path)
    return Start(None, "anew")


def agree_on_start(ranks: Ranks, options: OfflineOptions) -> Start:
    """Choose the start on rank 0 and tell all ranks (a collective).

    Raises:
        ScoutError: as `choose_start`, on every rank.
    """
    restarted = ranks.any(flag=is_restart())  # a node whose ranks all lived counts none
    start = on_first_rank(ranks, lambda: choose_start(options, restarted=restarted))
    told = "" if start is None else json.dumps([str(start.source or ""), start.mode])
    source, mode = json.loads(ranks.broadcast_bytes(told.encode()))
    return Start(Path(source) if source else None, mode)


def load_everywhere(
    ranks: Ranks, start: Start, facts: Mapping[str, Any], fixed: tuple[str, ...]
) -> Payload | None:
    """Read the checkpoint on rank 0 and give it to all ranks, which may not see its disk.

    Args:
        ranks: all processes.
        start: how training begins.
        facts: what a checkpoint of this run would tell.
        fixed: keys of the configuration that must be as they were.

    Raises:
        CheckpointError: where it cannot be read, or is of another model, dataset or setting.
    """
    source = start.source
    if source is None:
        return None

    def checked() -> bytes:
        data = read_checkpoint(source)
        payload = unpack_payload(data, source)
        check_offline_form(payload, source)
        check_fit(payload["facts"], facts, fixed, source)
        return data

    return unpack(ranks.broadcast_bytes(on_first_rank(ranks, checked) or b""))


def check_fit(
    found: Mapping[str, Any], wanted: Mapping[str, Any], fixed: tuple[str, ...], source: Path
) -> None:
    """Compare what is to be trained with what a checkpoint holds.

    Raises:
        CheckpointError: with a line for each thing that differs.
    """
    rows = []
    if found["trained"] != wanted["trained"]:
        rows.append(("model", wanted["trained"], found["trained"]))
    ours, theirs = json.loads(wanted["module"]), json.loads(found["module"])
    rows += [
        (f"model: {name}", _value(ours, name), _value(theirs, name))
        for name in differences(ours, theirs)
    ]
    ours, theirs = json.loads(wanted["dataset"]), json.loads(found["dataset"])
    if ours["digest"] != theirs.get("digest"):
        names = [
            name for name in ("environment", "split", "episodes") if ours[name] != theirs[name]
        ]
        rows += [
            (f"dataset: {name}", str(ours[name]), str(theirs[name])) for name in names or ["digest"]
        ]
    rows += [
        (key, wanted["config"][key], str(found["config"].get(key)))
        for key in fixed
        if wanted["config"][key] != found["config"].get(key)
    ]
    if rows:
        lines = "\n".join(f"  {name}: wanted {want}, found {have}" for name, want, have in rows)
        raise CheckpointError(
            f"{source} belongs to another training than the one that is asked for:\n{lines}\n"
            f"change these back, or train anew in another {typed('--model_dir')}"
        )


def notes_on(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Say what has changed since the checkpoint, and what of it makes going on inexact."""
    notes = []
    before = {**dump_config(Config()), **found["config"]}  # a key that is newer had its default
    keys = differing_keys([wanted["config"], before])
    if keys:
        changes = (f"{k} {before.get(k)} -> {wanted['config'].get(k)}" for k in keys)
        notes.append(f"changed since the checkpoint: {', '.join(changes)}")
    names = differing_keys([wanted["versions"], found["versions"]])
    if names:
        notes.append(f"not exact to the last bit, other versions: {', '.join(names)}")
    if found["threads"] != wanted["threads"]:
        notes.append(
            f"not exact to the last bit: {found['threads']} torch threads -> {wanted['threads']}"
        )
    return notes


def _value(content: Any, name: str) -> str:
    for part in name.split("."):
        content = content.get(part) if isinstance(content, dict) else None
    return str(content)
