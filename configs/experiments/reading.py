"""A strict reader of YAML that knows the line of every value.

PyYAML reads YAML 1.1, in which `1e-3` is text, `no` is a truth value, `010` is 8 and the last of
two equal keys wins in silence. Here a number that YAML takes for text is read as the number, with a
note, and the other traps are refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from configs.errors import ConfigurationError
from configs.reading import Problems, printable, read_text

_TAG = "tag:yaml.org,2002:"
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9_]{0,30})")
_NUMBER = re.compile(r"[-+]?(\d[\d_]*\.?\d*|\.\d+)([eE][-+]?\d+)?")
_INFINITE = re.compile(r"[-+]?\.inf|\.nan", re.IGNORECASE)
Scalar = bool | int | float | str | None


@dataclass(frozen=True)
class Entry:
    """A value and where it stands.

    Attributes:
        value: None, a truth value, a number, text, a list of entries, or entries by key.
        line: from 1.
        text: as it is written, for messages; "" for lists and mappings.
    """

    value: "Scalar | list[Entry] | dict[str, Entry]"
    line: int
    text: str = ""

    @property
    def plain(self) -> object:
        """The value without places, as JSON knows it."""
        if isinstance(self.value, list):
            return [entry.plain for entry in self.value]
        if isinstance(self.value, dict):
            return {key: entry.plain for key, entry in self.value.items()}
        return self.value

    @property
    def shown(self) -> str:
        """The value in one line of a message."""
        return printable(self._written)

    @property
    def _written(self) -> str:
        """The value as YAML has it in one line."""
        if isinstance(self.value, list):
            return f"[{', '.join(entry._written for entry in self.value)}]"
        if isinstance(self.value, dict):
            parts = (f"{key}: {entry._written}" for key, entry in self.value.items())
            return f"{{{', '.join(parts)}}}"
        return self.text or ("null" if self.value is None else str(self.value))


def read_yaml(path: Path, problems: Problems, notes: list[str]) -> Mapping[str, Entry]:
    """Return what a file holds at its top, by key.

    Args:
        path: the file.
        problems: receives keys that are set twice and values that cannot be read.
        notes: receives what is read otherwise than YAML 1.1 does.

    Raises:
        ConfigurationError: the file is missing, no text, no YAML, or holds no keys.
    """
    text = read_text(path, "an experiment", "--file")
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                line = event.start_mark.line + 1
                raise ConfigurationError(
                    f"{path}:{line}: *{event.anchor} stands for another value; write that out"
                )
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = 0 if mark is None else mark.line + 1
        raise ConfigurationError(f"{path}:{line}: no YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path}: no YAML: {printable(str(error))}") from error
    except RecursionError as error:
        raise ConfigurationError(f"{path}: lists or mappings are nested too deeply") from error
    if not isinstance(root, yaml.MappingNode):
        raise ConfigurationError(
            f"{path}: holds no experiment; its form is NAME: {{run: PPO, env: ID, stop: {{...}}, "
            "config: {...}}"
        )
    found = _Reader(path, problems, notes).read(root).value
    assert isinstance(found, dict)
    return found


@dataclass(frozen=True)
class _Reader:
    path: Path
    problems: Problems
    notes: list[str]

    def read(self, node: yaml.Node) -> Entry:
        line = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            return Entry(self._mapping(node), line)
        if isinstance(node, yaml.SequenceNode):
            return Entry([self.read(each) for each in node.value], line)
        text = str(node.value)
        return Entry(self._scalar(node, text, line), line, text)

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else ""
            if not key or key == "<<":
                self.problems.add(f"{self.path}:{line}: a key must be a word", line)
            elif key in entries:
                first = entries[key].line
                self.problems.add(
                    f"{self.path}:{line}: {printable(key)} is set twice; first in line {first}",
                    line,
                )
            else:
                entry = self.read(value_node)
                entries[key] = Entry(entry.value, line, entry.text)
        return entries

    def _scalar(self, node: yaml.Node, text: str, line: int) -> Scalar:
        kind, place = node.tag.removeprefix(_TAG), f"{self.path}:{line}: {printable(text)}"
        value: Scalar = None
        if kind == "bool":
            value = text.casefold() in ("yes", "true", "on")
        elif kind == "int" and _WHOLE.fullmatch(text):
            value = int(text.replace("_", ""))
        elif kind == "float" and _INFINITE.fullmatch(text):
            value = float(text.replace(".", ""))
        elif kind == "float" and _NUMBER.fullmatch(text):
            value = float(text.replace("_", ""))
        elif kind == "str" and node.style is None and _NUMBER.fullmatch(text):
            value = float(text)
            self.notes.append(f"{place}: text to YAML 1.1; read as the number {value}")
        elif kind in ("str", "timestamp"):
            value = text
        elif kind != "null":
            self.problems.add(f"{place}: means another thing in YAML; write a plain number", line)
        return value
