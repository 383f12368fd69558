"""Every key of a .conf file as one flat table, read off the schema.

Loading, error messages, presets and the generated documentation all look keys up here, so that a
new field of the schema needs no second entry anywhere.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from configs.schema import (
    Config,
    DynamicsSection,
    EncoderSection,
    EnvironmentSection,
    EvolutionSection,
    IntrinsicSection,
    PPOSection,
    RepresentationSection,
    RunSection,
    Section,
    TD3Section,
)

SECTIONS: Mapping[str, type[Section]] = {
    "Environment": EnvironmentSection,
    "PPO": PPOSection,
    "Intrinsic": IntrinsicSection,
    "Representation": RepresentationSection,
    "Encoder": EncoderSection,
    "Dynamics": DynamicsSection,
    "Evolution": EvolutionSection,
    "TD3": TD3Section,
    "Run": RunSection,
}

_NOUNS = {"integer": ("a whole number", "whole numbers"), "number": ("a number", "numbers")}
_FOLDER = "the path of a folder, in which no # or ; follows a blank"
_TEXTS = {  # by their format, see configs/sections/values.py
    "id": "a name of letters, digits and . / : _ -",
    "model": "a name of letters, digits and . _ - that begins with a letter",
    "module": "a name of letters, digits and _ that begins with no digit",
    "folder": _FOLDER,
    "encoder": f"encoder:PATH, with {_FOLDER}",
    "json-object": 'a JSON object, {"key": value, ...}',
}
_BOUNDS = {
    "exclusiveMinimum": "above {}",
    "minimum": "at least {}",
    "exclusiveMaximum": "below {}",
    "maximum": "at most {}",
}


@dataclass(frozen=True)
class Option:
    """One key of a .conf file.

    Attributes:
        key: the key as it is spelled in a file.
        section: the name of its section, without brackets.
        field: the attribute of that section in the schema.
        default: the schema's default, as text.
        allowed: what may be written, in words.
        choices: the words among what may be written; empty if there are none.
        help: what the key does, with its unit.
    """

    key: str
    section: str
    field: str
    default: str
    allowed: str
    choices: tuple[str, ...]
    help: str


@cache
def all_options() -> Mapping[str, Option]:
    """Return every option under its case-folded key, in the order of the schema."""
    options = {}
    for section, schema in SECTIONS.items():
        properties = schema.model_json_schema(by_alias=True)["properties"]
        for field, info in schema.model_fields.items():
            key = info.alias or field
            options[key.casefold()] = Option(
                key=key,
                section=section,
                field=field,
                default=value_text(info.default),
                allowed=_in_words(properties[key]),
                choices=_choices(properties[key]),
                help=info.description or "",
            )
    return options


def option_values(config: Config) -> dict[str, Any]:
    """Return the value of every key of `config`, in the order of the schema."""
    by_section = {info.alias: getattr(config, name) for name, info in Config.model_fields.items()}
    return {
        option.key: getattr(by_section[option.section], option.field)
        for option in all_options().values()
    }


def value_text(value: object) -> str:
    """Return `value` as it is written in a .conf file; reading it gives the same value back."""
    if isinstance(value, (tuple, list)):
        return ", ".join(value_text(part) for part in value)
    return str(value)


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that `word` is most likely a slip of, or None if none is near."""
    spelled = {candidate.casefold(): candidate for candidate in candidates}
    close = difflib.get_close_matches(word.casefold(), spelled, n=1, cutoff=0.6)
    return spelled[close[0]] if close else None


def _choices(schema: dict[str, Any]) -> tuple[str, ...]:
    if "anyOf" in schema:
        return tuple(choice for part in schema["anyOf"] for choice in _choices(part))
    if "const" in schema:
        return (str(schema["const"]),)
    if schema.get("type") == "boolean":
        return ("True", "False")
    return tuple(str(choice) for choice in schema.get("enum", ()))


def _in_words(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_in_words(part) for part in schema["anyOf"])
    choices = _choices(schema)
    if choices:
        return ", ".join(choices)
    if schema["type"] == "array":
        return _list_in_words(schema)
    if schema["type"] in _NOUNS:
        return f"{_NOUNS[schema['type']][0]} {_bounds(schema)}"
    return _TEXTS[schema["format"]]


def _list_in_words(schema: dict[str, Any]) -> str:
    items = schema["items"]
    if "enum" in items:
        return f"those wanted of {items['enum'][0]} to {items['enum'][-1]}, with commas"
    count = f"{schema['minItems']} " if schema.get("maxItems") == schema["minItems"] else ""
    return f"{count}{_NOUNS[items['type']][1]} with commas, each {_bounds(items)}"


def _bounds(schema: dict[str, Any]) -> str:
    given = (text.format(f"{schema[name]:_}") for name, text in _BOUNDS.items() if name in schema)
    return " and ".join(given)
