"""Whether a run starts anew or goes on, and from which file."""

import dataclasses
import difflib
import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from agents.ranks import Ranks
from configs.errors import STOPPED_EXIT_CODE, CheckpointError, ConfigurationError
from configs.former import with_former_values
from configs.loading import LoadedConfig, config_from_mapping
from configs.schema import Config
from configs.typed import typed
from training.checkpoints.compatibility import check_fit
from training.checkpoints.payload_form import check_facts, check_form
from training.checkpoints.storage import (
    companions,
    load_payload,
    newest_whole,
    read_checkpoint,
    unpack_payload,
)
from training.folders.files import check_is_file, check_writable
from training.folders.run_folder import (
    RunFolder,
    RunMode,
    next_free_name,
    refuse_if_written,
    validate_log_name,
)
from training.options import RunOptions
from training.ranks.agreement import on_first_rank
from training.ranks.restarts import is_restart, launcher

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Start:
    """How a run begins.

    Attributes:
        options: as given, but with free names where a profiling run would meet an existing one.
        source: the checkpoint to continue from, or None.
        mode: what to do with the run's folder.
    """

    options: RunOptions
    source: Path | None
    mode: RunMode


def check_load_flags(options: RunOptions, loaded: LoadedConfig) -> None:
    """Refuse a loadModel that contradicts --load_model_path.

    Raises:
        ConfigurationError: says which of the two to change.

    """
    wanted = loaded.config.run.load_model
    if wanted and options.load_model_path is None and not options.resume:
        raise ConfigurationError(
            "loadModel = True, but no checkpoint is named; add "
            f"{typed('--load_model_path', 'FILE')} (or {typed('--resume')} to continue the run of "
            "this name), or set loadModel = False"
        )
    if not wanted and options.load_model_path and loaded.sources["loadModel"] != "default":
        raise ConfigurationError(
            f"{typed('--load_model_path', options.load_model_path)} contradicts loadModel = False, "
            f"set by the {loaded.sources['loadModel']}; remove that key or set it to True"
        )


def choose_start(options: RunOptions, *, restarted: bool = False) -> Start:
    """Decide how the run begins; rank 0 alone looks at the files.

    Args:
        options: as given.
        restarted: whether torchrun has started the ranks before; the run that they were at goes on.

    Raises:
        CheckpointError: where there is nothing whole to continue from.
        ConfigurationError: where the checkpoint to write belongs to another run or cannot be
            written, or the run's name is none.

    """
    validate_log_name(options.log_name)
    _check_places(options.save_model_path)
    if restarted and RunFolder(options.logs, options.log_name).was_started_by(launcher()):
        return _restarted(options)
    saved = newest_whole(options.save_model_path)
    if options.resume and (options.load_model_path is None or saved is not None):
        return _resumed(options, saved)
    if _goes_on_under_its_name(options):
        return Start(options, options.load_model_path, "resume")
    profiling = options.profile_updates is not None or options.pytorch_profiling
    if profiling and not options.overwrite:
        options = _with_free_names(options)
    mode: Literal["fresh", "overwrite"] = "overwrite" if options.overwrite else "fresh"
    if mode == "fresh":
        if _taken(options.save_model_path):  # by a run that goes on, perhaps by this very one
            RunFolder(options.logs, options.log_name).refuse_if_under_way()
            refuse_if_written(options.save_model_path)
        check_free(options.save_model_path)
    return Start(options, options.load_model_path, mode)


def agree_on_start(ranks: Ranks, options: RunOptions) -> Start:
    """Choose the start on rank 0 and tell all ranks (a collective).

    Raises:
        ScoutError: as `choose_start`, on every rank.
    """
    restarted = ranks.any(flag=is_restart())  # a node whose ranks all lived counts none
    start = on_first_rank(ranks, lambda: choose_start(options, restarted=restarted))
    text = ""
    if start is not None:
        text = json.dumps(
            [
                start.options.log_name,
                str(start.options.save_model_path),
                str(start.source or ""),
                start.mode,
            ]
        )
    name, path, source, mode = json.loads(ranks.broadcast_bytes(text.encode()))
    options = dataclasses.replace(options, log_name=name, save_model_path=Path(path))
    return Start(options, Path(source) if source else None, mode)


def source_bytes(start: Start, wanted: Config) -> bytes:
    """Read the packed payload that the run continues from; there must be one.

    Raises:
        CheckpointError: where it cannot be read or does not fit the configuration.
    """
    assert start.source is not None
    data = read_checkpoint(start.source)
    payload = unpack_payload(data, start.source)
    check_form(payload, start.source)
    check_fit(wanted, stored_config(payload["facts"], start.source), str(start.source))
    return data


def discard_replaced(start: Start) -> None:
    """Remove the checkpoints of the run that is replaced, so that none is taken for the new one's.

    The one that the new run continues from stays.
    """
    if start.mode != "overwrite":
        return
    for path in companions(start.options.save_model_path):
        if start.source is None or not _is_same(path, start.source):
            path.unlink(missing_ok=True)


def stored_config(facts: dict[str, Any], path: Path) -> Config:
    """Return the configuration that the checkpoint at `path` holds among its facts.

    Raises:
        CheckpointError: where this version cannot read it.
    """
    try:
        return config_from_mapping(with_former_values(facts["config"]))
    except (ConfigurationError, KeyError) as error:
        raise CheckpointError(f"{path}: its configuration cannot be read: {error}") from error


def load_facts(path: Path) -> dict[str, Any]:
    """Return what the checkpoint at `path` tells of its run."""
    return check_facts(load_payload(path), path)


def _goes_on_under_its_name(options: RunOptions) -> bool:
    """Whether --load_model_path names the newest checkpoint of the very run it is to continue."""
    path = options.load_model_path
    if path is None or options.overwrite:
        return False
    if not _is_same(path, options.save_model_path):
        return False
    return bool(load_facts(path)["log_name"] == options.log_name)


def _check_places(path: Path) -> None:
    """Refuse a checkpoint that could not be written, before any run is replaced for it."""
    check_writable(path, typed("--save_model_path"))
    for file in companions(path):
        try:
            check_is_file(file)
        except OSError as error:
            raise ConfigurationError(
                f"{typed('--save_model_path', path)} would also write {file}: {error.strerror}"
            ) from error


def _is_same(one: Path, other: Path) -> bool:
    """Whether two paths lead to one place; a link to itself leads nowhere, and is no error here."""
    return os.path.realpath(one) == os.path.realpath(other)


def _restarted(options: RunOptions) -> Start:
    path = options.save_model_path
    if any(file.exists() for file in companions(path)[:2]):
        return _resumed(options, newest_whole(path))
    return _anew(options)


def _anew(options: RunOptions) -> Start:
    """Begin a run again that ended before it saved anything; what others left beside it stays."""
    status = RunFolder(options.logs, options.log_name).read_status() or {}
    end = "stopped" if status.get("code") == STOPPED_EXIT_CODE else "lost"
    _LOG.warning("run %r was %s before its first checkpoint and begins anew", options.log_name, end)
    return Start(options, options.load_model_path, "anew")


def _resumed(options: RunOptions, source: Path | None) -> Start:
    path = options.save_model_path
    run = RunFolder(options.logs, options.log_name)
    if source is not None:
        owner = load_facts(source)["log_name"]
        if owner != options.log_name and run.holds_results():
            raise ConfigurationError(
                f"{source} belongs to run {owner!r}, not to {options.log_name!r}, which has "
                f"results of its own in {run.path}; give the "
                f"{typed('--save_model_path')} that belongs to the name; if the run was renamed, "
                f"call folder and checkpoint {owner!r} again, or begin another from it with "
                f"{typed('--load_model_path')}"
            )
        return Start(options, source, "resume")
    if any(file.exists() for file in companions(path)):
        load_payload(path)  # says what is wrong with it
    if not run.holds_results():
        _LOG.warning("run %r has nothing to continue: it begins%s", run.name, _others(run))
        return Start(options, None, "fresh")
    status = run.read_status()
    if status is not None and status.get("checkpoint") is None:
        return _anew(options)
    raise CheckpointError(
        f"{path}: there is no checkpoint, but run {options.log_name!r} has results in {run.path}; "
        f"give the {typed('--save_model_path')} it was started with, or replace it with "
        f"{typed('--overwrite')}"
    )


def _others(run: RunFolder) -> str:
    """Name runs whose names are like this one's."""
    names = [path.name for path in run.path.parent.glob("*") if path.name != run.name]
    near = difflib.get_close_matches(run.name, names)
    return f" (there is {', '.join(near)})" if near else ""


def _with_free_names(options: RunOptions) -> RunOptions:
    """Give a profiling run a name and a checkpoint of its own; it must never replace a run."""
    path = options.save_model_path
    number = 2
    while _taken(path):
        path = options.save_model_path.with_stem(f"{options.save_model_path.stem}-{number}")
        number += 1
    return dataclasses.replace(
        options, log_name=next_free_name(options.logs, options.log_name), save_model_path=path
    )


def check_free(path: Path) -> None:
    """Refuse a checkpoint to write that belongs to another run.

    Raises:
        ConfigurationError: names the file that is there.
    """
    taken = _taken(path)
    if taken is not None:
        companion = "" if taken == path else f": {taken}"
        raise ConfigurationError(
            f"{typed('--save_model_path', path)}{companion} exists and belongs to an earlier run; "
            f"continue it with {typed('--resume')}, replace it with {typed('--overwrite')}, or "
            "choose another file"
        )


def _taken(path: Path) -> Path | None:
    """Return what a run that saves to `path` would replace: its previous and its best count too."""
    return next((file for file in companions(path) if file.exists()), None)
