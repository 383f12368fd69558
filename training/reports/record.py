"""What one run left behind, as far as it goes: one under way or torn is reported all the same."""

import configparser
import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.options import all_options
from training.figures.coverage import Coverage
from training.folders.files import read_json
from training.folders.lock import holder_is_gone
from training.folders.run_folder import LOCK_FILE, STATUS_FILE
from training.reports.rows import METRICS, Row, find_run

VIDEO_KINDS = (".mp4", ".webm")


@dataclass(frozen=True)
class Record:
    """What is known of a run.

    Attributes:
        name: of the run; unique among those that are reported together.
        folder: where it lies.
        rows: its figures, each with env_steps, in the order of them.
        config: every key of this version and every key of the run's file -> value as text; {} where
            there is no configuration.
        starts: what it was started with, oldest first (see RunFolder.write_manifest).
        status: its last word (see RunFolder.write_status); {} if it left none.
        is_over: nobody holds the run's lock any more.
        evaluations: reports of training.playing.evaluation_report, by file name, oldest first.
        coverage: the states it visited, where these were counted.
        video: the newest video of an evaluation.
        problems: what could not be read, in words.
    """

    name: str
    folder: Path
    rows: list[Row]
    config: Mapping[str, str]
    starts: Sequence[Mapping[str, Any]]
    status: Mapping[str, Any]
    is_over: bool
    evaluations: Mapping[str, Mapping[str, Any]]
    coverage: Coverage | None
    video: Path | None
    problems: tuple[str, ...]

    def setting(self, key: str) -> str:
        """Return the value of a key, "?" where it is not known."""
        return self.config.get(key, "?")

    @property
    def versions(self) -> Mapping[str, str]:
        """The versions of its last start."""
        found = self.starts[-1].get("versions") if self.starts else None
        return found if isinstance(found, dict) else {}

    @property
    def last_step(self) -> int:
        """The env steps of its last row, 0 before the first."""
        return int(self.rows[-1]["env_steps"]) if self.rows else 0

    @property
    def begun_at(self) -> int:
        """The env steps of the checkpoint that it began with; 0 where it began with none."""
        found = self.starts[0].get("env_steps") if self.starts else None
        return found if isinstance(found, int) else 0

    @property
    def frames_per_step(self) -> float:
        """Frames of an env step."""
        last = self.rows[-1] if self.rows else {}
        frames = last.get("frames")
        return frames / last["env_steps"] if frames and last["env_steps"] else 1.0


def read_records(names: Sequence[str]) -> list[Record]:
    """Read runs by name or by folder; one that is named twice is read once.

    Raises:
        ConfigurationError: there is no such run; names the nearest.
    """
    folders = {
        (folder := find_run(name, (METRICS, STATUS_FILE))).resolve(): folder for name in names
    }
    given = unique_names(list(folders))
    return [read_record(folder, given[path]) for path, folder in folders.items()]


def read_record(folder: Path, name: str) -> Record:
    """Read all that a run's folder holds; what cannot be read is told in `problems`."""
    problems: list[str] = []
    manifest = _read_object(folder / "manifest.json", problems) or {}
    starts = manifest.get("starts", [])
    return Record(
        name=name,
        folder=folder,
        rows=_read_rows(folder / METRICS, problems),
        config=_read_config(folder / "config.conf", problems),
        starts=[start for start in starts if isinstance(start, dict)],
        status=_read_object(folder / STATUS_FILE, problems) or {},
        is_over=holder_is_gone(folder / LOCK_FILE),
        evaluations=_read_evaluations(folder / "evaluation", problems),
        coverage=_read_coverage(folder / "visits.npz", problems),
        video=newest(folder / "evaluation", VIDEO_KINDS),
        problems=tuple(problems),
    )


def unique_names(folders: Sequence[Path]) -> dict[Path, str]:
    """Return a name for each folder: its last part, with as many before it as tell it apart."""
    parts = {
        path: [part for part in path.parts if part not in ("logs", "runs")] for path in folders
    }
    names = {}
    for path, own in parts.items():
        others = [other for folder, other in parts.items() if folder != path]
        length = next(
            (n for n in range(1, len(own)) if all(other[-n:] != own[-n:] for other in others)),
            len(own),
        )
        names[path] = "/".join(own[-length:])
    return names


def newest(folder: Path, kinds: Sequence[str]) -> Path | None:
    """Return the file of these endings that was written last, None if there is none."""
    files = [path for path in folder.glob("*") if path.suffix in kinds and path.stat().st_size]
    return max(files, key=lambda path: path.stat().st_mtime, default=None)


def _read_rows(path: Path, problems: list[str]) -> list[Row]:
    """Return the rows that are whole, each number finite; a torn last line is not worth a word."""
    if not path.is_file():
        problems.append(f"{path.name} is missing: the run has not finished an update")
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    rows = [_row(line) for line in lines if line.endswith("\n")]
    whole = [row for row in rows if row is not None]
    if len(whole) < len(rows):
        problems.append(f"{len(rows) - len(whole)} lines of {path.name} cannot be read")
    if not whole:
        problems.append(f"{path.name} holds no row: the run has not finished an update")
    return sorted(whole, key=lambda row: float(row["env_steps"]))


def _row(line: str) -> Row | None:
    """Return the numbers of a row, None where it is none."""
    try:
        row = json.loads(line)
    except ValueError:
        return None
    if not isinstance(row, dict):
        return None
    numbers = {key: value for key, value in row.items() if _is_number(value)}
    return numbers if "env_steps" in numbers else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _read_object(path: Path, problems: list[str]) -> dict[str, Any] | None:
    content = read_json(path)
    if content is None:
        problems.append(f"{path.name} {'cannot be read' if path.exists() else 'is missing'}")
    return content


def _read_config(path: Path, problems: list[str]) -> dict[str, str]:
    """Return the values of the run's configuration, over the defaults of this version."""
    parser = configparser.ConfigParser(interpolation=None, strict=False, default_section="")
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys keep their case
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        problems.append(f"{path.name} cannot be read: {type(error).__name__}")
        return {}
    values = {option.key: option.default for option in all_options().values()}
    return values | {
        key: value for part in parser.sections() for key, value in parser[part].items()
    }


def _read_evaluations(folder: Path, problems: list[str]) -> dict[str, dict[str, Any]]:
    paths = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
    contents = {path.name: _read_object(path, problems) for path in paths}
    return {
        name: content
        for name, content in contents.items()
        if content is not None and isinstance(content.get("score"), dict)
    }


def _read_coverage(path: Path, problems: list[str]) -> Coverage | None:
    if not path.exists():
        return None
    try:
        return Coverage.load(path)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        problems.append(f"{path.name} cannot be read: {type(error).__name__}")
        return None
