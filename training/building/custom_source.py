"""The file of `CustomModel = NAME`, and its digest, by which a checkpoint knows it again."""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from agents.custom_policy import CustomPolicy
from agents.recurrent.custom_policy import RecurrentCustomPolicy
from configs.errors import CheckpointError, ConfigurationError
from configs.reading import printable
from configs.schema import Config

FOLDER = Path("models")
FACT = "custom_model_digest"  # among a checkpoint's facts
STATE = "custom_model_state"  # likewise: the shapes of what it remembers, none where it does not
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """A file with a model: its path, its code, and the digest of these bytes."""

    path: Path
    code: bytes

    @property
    def digest(self) -> str:
        """SHA-256, in hexadecimal."""
        return hashlib.sha256(self.code).hexdigest()


def read_source(name: str) -> Source:
    """Read models/NAME.py of the current folder; nothing is run.

    Raises:
        ConfigurationError: it is not there, or cannot be read.
    """
    path = FOLDER / f"{name}.py"
    try:
        return Source(path, path.read_bytes())
    except OSError as error:
        raise ConfigurationError(
            f"CustomModel = {name}: {path} cannot be read ({error.strerror}) in the current folder "
            f"({Path.cwd()})"
        ) from error


def digest_of(config: Config) -> str:
    """Return the digest of the model's file here, in words where there is none."""
    if config.custom_model_name is None:
        return "none"
    try:
        return read_source(config.custom_model_name).digest
    except ConfigurationError as error:
        return str(error)


def facts_of(policy: nn.Module) -> dict[str, Any]:
    """Return what a checkpoint tells of a policy that is a model of the user's."""
    if not isinstance(policy, CustomPolicy):
        return {}
    return {FACT: policy.digest, STATE: _state_of(policy)}


def check_state(facts: Mapping[str, Any], policy: nn.Module) -> None:
    """Refuse a model that remembers something else than that of a checkpoint; see `laid_out`.

    Raises:
        CheckpointError: get_initial_state has other shapes, or another number of them.
    """
    if not isinstance(policy, CustomPolicy) or STATE not in facts:
        return
    before, now = facts[STATE], _state_of(policy)
    if before != now:
        raise CheckpointError(
            f"its model remembered {_told(before)}; get_initial_state in {policy.source} now "
            f"returns {_told(now)}; change the file back, or train anew under another name"
        )


def _state_of(policy: CustomPolicy) -> list[list[int]]:
    if not isinstance(policy, RecurrentCustomPolicy):
        return []
    return [list(shape) for shape in policy.state_shapes]


def _told(shapes: Any) -> str:
    """Return shapes in words: 2 tensors, [8] and [2, 2]; what a file holds may be anything."""
    if not isinstance(shapes, list) or not shapes:
        return "nothing"
    told = printable(" and ".join(map(str, shapes)))
    return f"{len(shapes)} tensor{'s' if len(shapes) > 1 else ''}, {told}"


def warn_if_changed(facts: Mapping[str, Any], config: Config, path: Path) -> None:
    """Say that the model's file is another one than the checkpoint at `path` was trained with."""
    digest, now = facts.get(FACT), digest_of(config)
    if config.custom_model_name is not None and digest != now:
        _LOG.warning(
            "models/%s.py has changed since %s was written (SHA-256 %.12s then, %.12s now): its "
            "weights may mean something else",
            config.custom_model_name,
            path,
            printable(str(digest)),
            now,
        )
