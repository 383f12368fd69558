"""Keys of an experiment file held against the rules for them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import NoneType

from configs.experiments.keys import Kind, Rule
from configs.experiments.reading import Entry
from configs.options import nearest
from configs.reading import Problems, Setting, printable

_KINDS: Mapping[Kind, tuple[type, ...]] = {
    "number": (int, float),
    "whole number": (int,),
    "truth value": (bool,),
    "word": (str,),
    "list": (list,),
    "mapping": (dict, NoneType),
}


DEFAULT = "RLlib's default"


@dataclass
class Translation:
    """What an experiment file has become so far.

    Attributes:
        path: the file.
        problems: receives what cannot be honoured.
        settings: keys of ours, each with the place that it comes from.
        notes: what the user should know.
    """

    path: Path
    problems: Problems
    settings: list[Setting] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def set(self, key: str, value: object, name: str = "", line: int = 0) -> None:
        """Set a key of ours, as `name` does in a line of theirs; 0 for what RLlib does unasked."""
        where = f"{self.path}:{line}: {name}" if line else f"{self.path}: {DEFAULT}"
        self.settings.append(Setting(key, str(value), where, line))

    def set_by_default(self, values: Mapping[str, str]) -> None:
        """Set keys of ours that nothing has set yet."""
        taken = {setting.key for setting in self.settings}
        for key, value in values.items():
            if key not in taken:
                self.set(key, value)

    def refuse(self, name: str, entry: Entry, reason: str) -> None:
        """Say that a value is not honoured, and why."""
        place = f"{self.path}:{entry.line}: {printable(name)} = {entry.shown}"
        self.problems.add(f"{place}: {reason}", entry.line)

    def miss(self, name: str, where: Entry, remedy: str) -> None:
        """Say that a key is missing from `where`."""
        self.problems.add(f"{self.path}:{where.line}: {name} is missing; {remedy}", where.line)

    def note(self, name: str, entry: Entry, text: str) -> None:
        """Say what a value means here."""
        self.notes.append(f"{self.path}:{entry.line}: {name} = {entry.shown}: {text}")

    def read(
        self,
        entries: Mapping[str, Entry],
        rules: Mapping[str, Rule],
        elsewhere: Mapping[str, Mapping[str, Rule]],
    ) -> dict[str, Entry]:
        """Take, note or refuse each key; return what is honoured.

        Args:
            entries: the keys that are written.
            rules: what becomes of each.
            elsewhere: rules of other tables by their names, for a key that stands in the wrong one.
        """
        honoured = {}
        for name, entry in entries.items():
            rule = rules.get(name)
            if rule is None:
                self._refuse_unknown(name, entry, rules, elsewhere)
            elif self._fits(name, entry, rule):
                honoured[name] = entry
                if rule.note:
                    self.note(name, entry, rule.note)
                if rule.ours:
                    self.set(rule.ours, _as_text(entry), name, entry.line)
        return honoured

    def _fits(self, name: str, entry: Entry, rule: Rule) -> bool:
        """Refuse a value of another kind, several in one, and one that is not honoured."""
        if isinstance(entry.value, dict) and "grid_search" in entry.value:
            self.refuse(name, entry, "a search is several runs; write each in a file of its own")
            return False
        is_truth, allowed = isinstance(entry.value, bool), _KINDS.get(rule.kind)
        if allowed and (not isinstance(entry.value, allowed) or (is_truth and bool not in allowed)):
            self.refuse(name, entry, f"is no {rule.kind}{read_as_truth(entry)}")
            return False
        if rule.only is not None and not any(_same(entry.plain, each) for each in rule.only):
            self.refuse(name, entry, rule.reason)
            return False
        return True

    def _refuse_unknown(
        self,
        name: str,
        entry: Entry,
        rules: Mapping[str, Rule],
        elsewhere: Mapping[str, Mapping[str, Rule]],
    ) -> None:
        place = f"{self.path}:{entry.line}: no key {printable(name)!r} here"
        other = next((where for where, known in elsewhere.items() if name in known), None)
        near = nearest(name, rules)
        if other is not None:
            hint = f"; it belongs {other}"
        else:
            hint = f"; did you mean {near}?" if near else ""
        self.problems.add(place + hint, entry.line)


def read_as_truth(entry: Entry) -> str:
    """Say of a word such as `no` what YAML takes it for; "" of anything else."""
    if not isinstance(entry.value, bool) or entry.text.casefold() in ("true", "false"):
        return ""
    return f"; YAML reads {entry.text} as a truth value, in quotes it is a word"


def _same(value: object, other: object) -> bool:
    """Whether two values are one; True is no 1 here, but 0.0 is 0."""
    return value == other and isinstance(value, bool) == isinstance(other, bool)


def _as_text(entry: Entry) -> str:
    value = entry.plain
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
