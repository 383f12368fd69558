"""The folder of a model: its checkpoints, and all that is told of its training.

<model_dir>/    model.ckpt, model.previous.ckpt, model.best.ckpt, config.conf, manifest.json,
                metrics.jsonl, status.json, tensorboard/
"""

import re
from pathlib import Path
from typing import ClassVar, Self

from configs.errors import ConfigurationError
from configs.typed import typed
from training.checkpoints.offline import CHECKPOINT
from training.checkpoints.storage import companions
from training.folders.files import read_json
from training.folders.run_folder import LOCK_FILE, RunFolder, clear_folder

TENSORBOARD = "tensorboard"
# What is written there beside checkpoints and curves. Other people's files stay.
_OWN = re.compile(
    r"status\.json|manifest\.json|config(-\d+)?\.conf|metrics\.jsonl|stacks-rank\d+\.txt"
    r"|non_finite-rank\d+\.pt|probe\.(html|json)|fresh\.(mp4|png|json)|play\.(mp4|png)"
)
_RESULTS = re.compile(r"metrics\.jsonl|non_finite-rank\d+\.pt")


class ModelFolder(RunFolder):
    """A run's folder that the user names by its path, with the checkpoints inside.

    It may hold files of the user's own: none is ever removed.
    """

    flag: ClassVar[str] = "--model_dir"

    def __init__(self, root: Path, name: str) -> None:
        path = root / name
        self.name = name or str(path)
        self._lay_out(path, path / TENSORBOARD, path / "profiler")

    @classmethod
    def at(cls, model_dir: Path) -> Self:
        """Return the folder at a path; nothing is made or locked."""
        return cls(model_dir.parent, model_dir.name)

    @property
    def checkpoint(self) -> Path:
        """The newest checkpoint's file."""
        return self.path / CHECKPOINT

    @property
    def in_words(self) -> str:
        """The model, as a message names it."""
        return f"{self.flag}={self.path}"

    def holds_results(self) -> bool:
        """Whether a later training here would overwrite anything worth keeping."""
        own = (*companions(self.checkpoint), *self._named(_RESULTS))
        return any(file.exists() and file.stat().st_size > 0 for file in own)

    def _refuse_taken(self) -> None:
        if self.holds_results():
            raise ConfigurationError(
                f"{self.in_words} already holds a model; continue it with {typed('--resume')}, "
                f"replace it with {typed('--overwrite')}, or choose another folder"
            )
        self._refuse_foreign()

    def _refuse_foreign(self) -> None:
        """Refuse a folder whose manifest is another program's, or a dataset's."""
        path = self.path / "manifest.json"
        if path.exists() and "starts" not in (read_json(path) or {}):
            raise ConfigurationError(
                f"{self.in_words} holds something else than a model: its manifest.json is not of a "
                "training; choose another folder"
            )

    def _remove_training(self) -> None:
        self._refuse_foreign()
        for file in (*companions(self.checkpoint), *self._named(_OWN)):
            file.unlink(missing_ok=True)
        clear_folder(self.tensorboard_path)

    def _remove_all(self) -> None:
        self._remove_training()

    def _named(self, names: re.Pattern[str]) -> list[Path]:
        if not self.path.is_dir():
            return []
        found = (file for file in self.path.iterdir() if names.fullmatch(file.name))
        return [file for file in found if file.is_file() and file.name != LOCK_FILE]
