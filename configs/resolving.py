"""From what the user wrote to one value per key: spellings, older names, sections, duplicates."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from configs.legacy import (
    ALIASES,
    HEAD_KEY,
    OPTIONS_SECTION,
    TAKEN,
    Translation,
    own_spelling,
    translate,
)
from configs.options import all_options, nearest
from configs.other_words import KEY_OF, plain, with_remark
from configs.reading import Problems, Setting, printable


@dataclass(frozen=True)
class Choice:
    """The value of a key, as text, and the setting that it was read from."""

    value: str
    setting: Setting


def resolve(
    settings: Sequence[Setting],
    problems: Problems,
    above: Mapping[str, Choice] = MappingProxyType({}),
    below: Mapping[str, Choice] = MappingProxyType({}),
) -> tuple[dict[str, Choice], tuple[str, ...]]:
    """Return the choice for each key that is set, and notes on what was read as something else.

    A key under its own name wins over one under an older name (GAELambda over Lambda).

    Args:
        settings: as the user wrote them.
        problems: receives what is wrong.
        above: choices that will win over these, and may decide what an older key means.
        below: choices that these will win over, and that may decide it where these leave it open.
    """
    chosen: dict[str, Choice] = {}
    notes: list[tuple[Setting, str]] = []
    older: list[tuple[Setting, Translation]] = []
    for setting in _read_once(settings, problems):
        translation = translate(setting.key, setting.value)
        if setting.section == OPTIONS_SECTION:
            notes.append((setting, "ignored: a list of allowed values; see --config_options"))
        elif translation is not None:
            older.append((setting, translation))
        else:
            _choose(setting, chosen, problems)
    for setting, translation in older:
        if translation.problem and (translation.instead in chosen or translation.instead in above):
            notes.append((setting, f"ignored: {translation.instead} is set"))
        elif translation.problem:
            problems.add(f"{setting.label}: {translation.problem}", setting.line)
        else:
            notes.append((setting, _take_over(setting, translation, chosen, above, below)))
    return chosen, _told_together(notes)


def _take_over(
    setting: Setting,
    translation: Translation,
    chosen: dict[str, Choice],
    above: Mapping[str, Choice],
    below: Mapping[str, Choice],
) -> str:
    """Choose what an older key means, where nothing better does; return the note on it."""
    head = {**below, **chosen, **above}.get(HEAD_KEY)
    if translation.head and (head is None or head.value.casefold() != translation.head.casefold()):
        return f"ignored: the head is not {translation.head}"
    already = [key for key in translation.settings if key in chosen]
    if already:
        return f"ignored: {' and '.join(already)} is set"
    taken = dict(translation.settings)
    off = any(key in above and above[key].value.casefold() == "none" for key in taken)
    if not off:  # else what is beside it means nothing
        for key, text in translation.beside.items():
            goes_without_saying = key not in below and text == all_options()[key.casefold()].default
            if key not in chosen and not goes_without_saying:
                taken[key] = text
    chosen.update({key: Choice(value, setting) for key, value in taken.items()})
    told = " and ".join(f"{key} = {value}" for key, value in taken.items())
    return translation.note.replace(TAKEN, told)


def _read_once(settings: Iterable[Setting], problems: Problems) -> Iterator[Setting]:
    first: dict[tuple[str, bool], Setting] = {}
    for setting in settings:
        spelled = own_spelling(setting.key).casefold()
        earlier = first.setdefault((spelled, setting.section == OPTIONS_SECTION), setting)
        if earlier is setting:
            yield setting
        else:
            problems.add(f"{setting.label}: is set twice; first {earlier.label}", setting.line)


def _choose(setting: Setting, chosen: dict[str, Choice], problems: Problems) -> None:
    option = all_options().get(own_spelling(setting.key).casefold())
    if option is None:
        near = _meant(setting.key)
        hint = f"did you mean {near}?" if near else "see --config_options for all keys"
        problems.add(f"{setting.label}: unknown key; {hint}", setting.line)
        return
    if setting.section not in ("", option.section):
        problems.add(
            f"{setting.label}: {option.key} belongs in [{option.section}], not in "
            f"[{setting.section}]",
            setting.line,
        )
    chosen[option.key] = Choice(setting.value, setting)


def _meant(key: str) -> str | None:
    """Return our key for another trainer's word, or the one that is spelled most like it."""
    known = [option.key for option in all_options().values()]
    same = {**{plain(name): name for name in known}, **KEY_OF}
    if plain(key) in same:
        return with_remark(key, same[plain(key)])
    return nearest(key, [*known, *ALIASES])


def _told_together(notes: Sequence[tuple[Setting, str]]) -> tuple[str, ...]:
    """Return one line per note; settings with the same note share one."""
    grouped: dict[str, list[Setting]] = {}
    for setting, text in notes:
        grouped.setdefault(text, []).append(setting)
    told = []
    for text, settings in grouped.items():
        others = ", ".join(printable(setting.key) for setting in settings[1:])
        told.append(f"{settings[0].label}{' and ' + others if others else ''}: {text}")
    return tuple(told)
