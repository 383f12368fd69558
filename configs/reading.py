"""A strict reader of .conf files that knows the line of every key.

The standard library's reader keeps no line numbers, so it can neither say where a value stands nor
where its duplicate does. The grammar here is a subset of its own: `[Section]`, `Key = value`,
comments after `#` or `;`, no interpolation, no continuation lines.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from configs.errors import ConfigurationError
from configs.legacy import OPTIONS_SECTION
from configs.options import nearest
from configs.typed import typed

PROJECT = Path(__file__).resolve().parents[1]

_COMMENT = re.compile(r"(^|\s)[#;].*$")
_LONGEST_SHOWN = 80


@dataclass(frozen=True)
class Setting:
    """One `Key = value` as the user wrote it.

    Attributes:
        key, value: the text on both sides of the equals sign, without blanks around it.
        place: where it stands, "file:line" for instance; "" for the command line.
        line: its line in the file, from 1; 0 elsewhere.
        section: the section it stands in; "" for none, [DEFAULT], or an unknown one.
    """

    key: str
    value: str
    place: str = ""
    line: int = 0
    section: str = ""

    @property
    def label(self) -> str:
        """Return where it stands and what it says, in one line."""
        key, value = printable(self.key), printable(self.value)
        return f"{self.place}: {key} = {value}" if self.place else f"--set {key}={value}"


@dataclass
class Problems:
    """Everything that is wrong, gathered so that the user sees all of it at once."""

    _found: list[tuple[float, str]] = field(default_factory=list)

    def add(self, text: str, line: int = 0) -> None:
        """Note a problem; those of a file are told in the order of its lines, others after."""
        self._found.append((line or float("inf"), text))

    def raise_if_any(self) -> None:
        """End with one error that holds every problem, one per line.

        Raises:
            ConfigurationError: if there is any problem.
        """
        if self._found:
            found = sorted(self._found, key=lambda problem: problem[0])
            raise ConfigurationError("\n".join(text for _, text in found))


def read_file(path: Path, sections: Sequence[str], problems: Problems) -> list[Setting]:
    """Return the settings of a .conf file.

    Args:
        path: the file.
        sections: the known sections, matched in any case; [DEFAULT] is always known. What
            stands in an unknown one is passed over, unless its name looks like a slip.
        problems: receives lines that cannot be read and sections that are unknown.

    Raises:
        ConfigurationError: the file is missing, YAML, no text, or holds no setting at all.
    """
    if path.suffix in (".yaml", ".yml") and path.is_file():
        raise ConfigurationError(
            f"{path}: is YAML, and a recipe is a .conf; an experiment in RLlib's form is read by "
            f"--train -f {path}"
        )
    known = {name.casefold(): name for name in (*sections, OPTIONS_SECTION)} | {"default": ""}
    settings: list[Setting] = []
    section: str | None = ""
    unknown = False
    for line, raw in enumerate(read_text(path).split("\n"), start=1):
        text, place = _COMMENT.sub("", raw).strip(), f"{path}:{line}"
        key, equals, value = (part.strip() for part in text.partition("="))
        if text.startswith("[") and text.endswith("]") and not equals:
            name = text[1:-1].strip()
            section, unknown = known.get(name.casefold()), name.casefold() not in known
            if unknown:
                near = nearest(name, sections)
                section = "" if near else None
                problems.add(_unknown_section(place, name, sections, near), line)
        elif section is None or (unknown and _is_set(key, settings)):
            continue  # one line on an unknown section says it for all that stands in it
        elif equals and key and value:
            settings.append(Setting(key, value, place, line, section))
        elif equals and key:
            problems.add(f"{place}: {printable(key)} has no value", line)
        elif text:
            expected = "expected 'Key = value' or '[Section]'"
            problems.add(f"{place}: {printable(text)}: {expected}", line)
    if not settings:
        problems.raise_if_any()
        raise ConfigurationError(f"{path}: the file sets no key")
    return settings


def read_overrides(overrides: Sequence[str], problems: Problems) -> list[Setting]:
    """Return the settings of `--set Key=Value` options, each given as its "Key=Value" text."""
    settings = []
    for text in overrides:
        key, equals, value = (part.strip() for part in text.partition("="))
        if equals and key and value:
            settings.append(Setting(key, value))
        else:
            problems.add(f"--set {printable(text)}: expected --set Key=Value")
    return settings


def printable(text: str) -> str:
    """Return `text` fit for one line of a message: no control characters, not too long."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in text)
    return shown if len(shown) <= _LONGEST_SHOWN else shown[: _LONGEST_SHOWN - 3] + "..."


def read_text(path: Path, kind: str = "a recipe", flag: str = "--config_path") -> str:
    """Return the text of a configuration file, which is of a `kind` that `flag` names.

    Raises:
        ConfigurationError: it is missing, a folder, cannot be read, or is no UTF-8 text.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        near = _file_near(path)
        meant = f"; did you mean {near}?" if near else f"; name {kind} with {typed(flag)}"
        raise ConfigurationError(f"{path}: no such configuration file{meant}") from None
    except IsADirectoryError:
        raise ConfigurationError(f"{path}: is a folder, not a configuration file") from None
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(
            f"{path}:{line}: byte 0x{content[error.start]:02x} is not UTF-8 text; "
            "is this a configuration file, and was it saved as UTF-8?"
        ) from error


def _file_near(path: Path) -> Path | None:
    """Return the file that a missing one is a slip of, or that lies so in the project's folder."""
    for folder in (Path(), PROJECT):
        try:
            names = [file.name for file in (folder / path).parent.glob(f"*{path.suffix}")]
        except OSError:
            continue
        name = nearest(path.name, names)
        if name is not None:
            return (folder / path).with_name(name)
    return None


def _is_set(key: str, settings: Sequence[Setting]) -> bool:
    return any(setting.key.casefold() == key.casefold() for setting in settings)


def _unknown_section(place: str, name: str, sections: Sequence[str], near: str | None) -> str:
    allowed = ", ".join(f"[{section}]" for section in ("DEFAULT", *sections))
    hint = f"did you mean [{near}]?" if near else "a file holds one run: give each run its own"
    return f"{place}: [{printable(name)}]: unknown section; allowed: {allowed}; {hint}"
