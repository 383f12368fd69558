"""From a .conf file and command-line overrides to a checked Config, and back to text.

One rule of precedence: command line > .conf file > preset > default. Everything that is wrong is
reported at once, one line per error, with its place, what is allowed and the nearest valid word.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from configs.agents import IMPLIED, without_meaning
from configs.checks.contradictions import contradictions
from configs.checks.warnings import warnings
from configs.older_files import restate
from configs.options import SECTIONS, all_options, nearest, option_values, value_text
from configs.presets import PRESETS, PresetValue
from configs.reading import Problems, Setting, read_file, read_overrides
from configs.resolving import Choice, resolve
from configs.schema import Config, Section
from configs.sections.values import STORED

# What is said of a value, by the kind of pydantic's error; anything else is out of bounds.
_WRONG = {
    "int_parsing": "is not a whole number",
    "int_parsing_size": "is too large",
    "int_from_float": "is not a whole number",
    "float_parsing": "is not a number",
    "finite_number": "is not finite",
    "bool_parsing": "is neither true nor false",
    "literal_error": "is not one of the choices",
    "string_pattern_mismatch": "is not a name",
    "too_short": "holds too few numbers",
    "too_long": "holds too many numbers",
    "path": "is no path of a folder",
    "encoder_place": "names no encoder",
    "json_object": "is no JSON object",
}


LOCAL_MODE = "--local-mode"  # the source of a key that this flag sets


@dataclass(frozen=True)
class LoadedConfig:
    """A configuration and where it came from.

    Attributes:
        config: the checked configuration.
        sources: for every key "command line", LOCAL_MODE, "file", "preset" or "default".
        notes: what the user should know: keys read as others, keys ignored, unwise values.
    """

    config: Config
    sources: Mapping[str, str]
    notes: tuple[str, ...]


def load_config(path: Path | None, overrides: Sequence[str] = ()) -> LoadedConfig:
    """Read a .conf file and put command-line overrides on top.

    Args:
        path: the file; in sections, or flat as in the codes of configs/legacy.py. None for the
            defaults alone.
        overrides: "Key=Value" texts; keys in any case, without sections.

    Raises:
        ConfigurationError: with one line for each thing that is wrong.
    """
    problems = Problems()
    written = [] if path is None else read_file(path, tuple(SECTIONS), problems)
    settings, restated = restate(written, read_overrides(overrides, Problems()))
    place = "defaults" if path is None else str(path)
    loaded = load_settings(settings, place, overrides, problems)
    return replace(loaded, notes=(*restated, *loaded.notes))


def load_settings(
    settings: Sequence[Setting], place: str, overrides: Sequence[str], problems: Problems
) -> LoadedConfig:
    """Check the settings of a file, and put command-line overrides on top.

    Args:
        settings: of the file.
        place: its name.
        overrides: as in `load_config`.
        problems: what is wrong with the file already.

    Raises:
        ConfigurationError: with one line for each thing that is wrong.
    """
    below, _ = resolve(settings, Problems())
    in_line, line_notes = resolve(read_overrides(overrides, problems), problems, below=below)
    in_file, file_notes = resolve(settings, problems, in_line)
    given = in_file | in_line
    named = given["Preset"].value if "Preset" in given else "paper"
    preset = PRESETS.get(named.casefold(), {})
    agent = given["Agent"].value if "Agent" in given else ""
    implied = IMPLIED.get(agent.casefold(), {})
    config = _validated({**implied, **preset}, given, problems, place)
    sources = dict.fromkeys((option.key for option in all_options().values()), "default")
    sources |= dict.fromkeys(preset, "preset")
    sources |= dict.fromkeys(in_file, "file")
    sources |= dict.fromkeys(in_line, "command line")
    unwise = (
        f"{_where(text, given, place)}: {text}"
        for text in (*warnings(config), *without_meaning(config, sources))
    )
    return LoadedConfig(config, sources, (*file_notes, *line_notes, *unwise))


def config_from_mapping(flat: Mapping[str, str]) -> Config:
    """Return the configuration that `dump_config` wrote; a key that is missing has its default.

    Raises:
        ConfigurationError: with one line for each thing that is wrong.
    """
    problems = Problems()
    settings = [Setting(key, value, place="stored value") for key, value in flat.items()]
    chosen, _ = resolve(settings, problems)
    return _validated({}, chosen, problems, "stored values", context=STORED)


def dump_config(config: Config) -> dict[str, str]:
    """Return every key with its value as text, for a checkpoint or a comparison."""
    return {key: value_text(value) for key, value in option_values(config).items()}


def render_conf(config: Config) -> str:
    """Return `config` as the text of a .conf file that sets every key."""
    values = dump_config(config)
    blocks = []
    for section in SECTIONS:
        keys = (option.key for option in all_options().values() if option.section == section)
        blocks.append("\n".join([f"[{section}]", *(f"{key} = {values[key]}" for key in keys)]))
    return "\n\n".join(blocks) + "\n"


def _validated(
    preset: Mapping[str, PresetValue],
    given: Mapping[str, Choice],
    problems: Problems,
    place: str,
    context: str | None = None,
) -> Config:
    """Return the checked configuration, or raise all that is wrong, earlier problems included."""
    sections: dict[str, Section] = {}
    for name, schema in SECTIONS.items():
        keys = {option.key for option in all_options().values() if option.section == name}
        values: dict[str, object] = {key: preset[key] for key in keys & preset.keys()}
        values |= {key: given[key].value for key in keys & given.keys()}
        try:
            sections[name] = schema.model_validate(values, context=context)
        except ValidationError as error:
            _report(error, given, problems)
    if len(sections) < len(SECTIONS):
        problems.raise_if_any()
    config = Config.model_validate(sections)
    for text in contradictions(config):
        problems.add(f"{_where(text, given, place)}: {text}")
    problems.raise_if_any()
    return config


def _where(text: str, given: Mapping[str, Choice], place: str) -> str:
    """Return where the keys that a message is about were set: on the command line, or in `place`.

    It is about those that it names before its first colon; one that nobody set stays at `place`.
    """
    named = re.findall(r"\w+", text.partition(": ")[0])
    on_line = [given[key].setting.place == "" for key in named if key in given]
    if not any(on_line):
        return place
    return "command line" if all(on_line) else f"{place} and command line"


def _report(error: ValidationError, given: Mapping[str, Choice], problems: Problems) -> None:
    """Add one problem per key; of a key that takes a word or a number, the number's error."""
    kinds: dict[str, str] = {}
    for detail in error.errors():
        key = str(detail["loc"][0])
        if kinds.get(key, "literal_error") == "literal_error":
            kinds[key] = detail["type"]
    for key, kind in kinds.items():
        option, choice = all_options()[key.casefold()], given[key]
        wrong = _WRONG.get(kind, "is out of bounds")
        near = nearest(choice.value, option.choices) if option.choices else None
        hint = f"; did you mean {near}?" if near else ""
        problems.add(
            f"{choice.setting.label}: {wrong}; allowed: {option.allowed}{hint}",
            choice.setting.line,
        )
