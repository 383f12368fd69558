"""The recipes of the study of RND with BYOL and Barlow-Twins, as facts: keys and values.

study_recipes.json holds them by version of that code: what is common to a version's files and, for
each file, what differs (null = the key is not there). "values" are our keys that are not left at
their defaults; a file that is refused names the key instead.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FACTS = Path(__file__).with_suffix(".json")


@dataclass(frozen=True)
class StudyRecipe:
    """One file: its text, and what it is read as; `refused` is the key that stands in the way."""

    name: str
    text: str
    values: dict[str, str]
    refused: str

    def __str__(self) -> str:
        return self.name


def study_recipes() -> list[StudyRecipe]:
    """Return all of them."""
    versions = json.loads(_FACTS.read_text()).values()
    return [
        _recipe(name, facts, version)
        for version in versions
        for name, facts in version["files"].items()
    ]


def _recipe(name: str, facts: dict[str, Any], version: dict[str, Any]) -> StudyRecipe:
    keys = _with(version["common keys"], facts["keys"])
    lines = ["[DEFAULT]", *(f"{key} = {value}" for key, value in keys.items())]
    lines += ["[OPTIONS]", "EnvType = [atari, mario, classic_control]"]
    values = _with(version["common values"], facts.get("values", {}))
    return StudyRecipe(name, "\n".join(lines), values, facts.get("refused", ""))


def _with(common: dict[str, str], own: dict[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in (common | own).items() if value is not None}
