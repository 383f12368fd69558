"""All keys in words, generated from the schema: for --config_options and docs/configuration.md.

The page is written by `python -m configs.describe > docs/configuration.md`.
"""

import sys
import textwrap
from collections.abc import Iterator

from configs.legacy import ALIASES
from configs.options import SECTIONS, Option, all_options, value_text
from configs.presets import PRESETS

_WIDTH = 100
_INDENT = " " * 6

_MARKDOWN_HEAD = """\
<!-- Generated: python -m configs.describe > docs/configuration.md. Edit configs/sections/. -->
# Configuration

A run is described by a `.conf` file: `[Section]`, then `Key = value`, comments after `#` or `;`.
Keys are unique over all sections and may be written in any case, so a flat file, with all keys
under `[DEFAULT]` or without any section, loads too. `True`, `yes`, `on` and `1` mean the same, as
do `False`, `no`, `off` and `0`; words may be written in any case.

Precedence: command line (`--set Key=Value`) > `.conf` file > preset > default.

Reading is strict. An unknown or duplicate key, a key in another section than its own, a value out
of bounds or values that contradict each other end the run before it starts (exit code 2) with one
line for each thing that is wrong: the place, the value, what is allowed, the nearest valid word.
The default of a key is the RND paper's setting (arXiv 1810.12894) unless its text says otherwise.
"""

_MARKDOWN_TAIL = """\
## Files of older codes

Flat files of [jcwleo's port][port] load unchanged, and so do 53 of the 61 recipes of the study of
RND with BYOL and Barlow-Twins that was built on it; [coming_from.md](coming_from.md) says which do
not, and why. `configs/legacy.py` holds what a key means, `configs/older_files.py` what hangs on the
whole file. What is read as something else, or ignored because it changes nothing, is told at the
start of the run. What would change the run and has no counterpart (`UseNoisyNet = True`,
`SSL_pretraining = True`) is an error.

`TrainMethod` is read as `IntrinsicReward` and `RNDInput`, a head's own loss weight as
`RepresentationCoef` where that head is chosen,
`Lambda` as `GAELambda` (which wins where both are set),
and these are plain other spellings:

[port]: https://github.com/jcwleo/random-network-distillation-pytorch

"""


def describe_options() -> str:
    """Return the table of all keys as plain text, grouped by section."""
    lines = [
        "Configuration keys, by section. Precedence: --set Key=Value > .conf > preset > default."
    ]
    for section in SECTIONS:
        lines += ["", f"[{section}] {_summary(section)}"]
        for option in _of(section):
            lines.append(f"  {option.key} = {option.default}    ({option.allowed})")
            lines += textwrap.wrap(
                option.help, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT
            )
    lines += ["", "Presets (other keys as above; paper = the defaults)"]
    for name, values in PRESETS.items():
        pairs = ", ".join(f"{key} = {value_text(value)}" for key, value in values.items())
        lines += textwrap.wrap(
            f"{name}: {pairs or 'the defaults'}",
            _WIDTH,
            initial_indent="  ",
            subsequent_indent=_INDENT,
        )
    return "\n".join(lines) + "\n"


def options_markdown() -> str:
    """Return docs/configuration.md."""
    blocks = [_MARKDOWN_HEAD]
    for section in SECTIONS:
        rows = (
            f"| `{option.key}` | {option.default} | {option.allowed} | {option.help} |"
            for option in _of(section)
        )
        blocks.append(
            "\n".join(
                [
                    f"## {section}",
                    "",
                    _summary(section),
                    "",
                    "| key | default | allowed | meaning |",
                    "|---|---|---|---|",
                    *rows,
                    "",
                ]
            )
        )
    blocks += [_presets_table(), _MARKDOWN_TAIL + _aliases()]
    return "\n".join(blocks)


def _of(section: str) -> Iterator[Option]:
    return (option for option in all_options().values() if option.section == section)


def _summary(section: str) -> str:
    return (SECTIONS[section].__doc__ or "").strip()


def _presets_table() -> str:
    keys = list(dict.fromkeys(key for values in PRESETS.values() for key in values))
    rows = []
    for key in keys:
        default = all_options()[key.casefold()].default
        cells = (value_text(values.get(key, default)) for values in PRESETS.values())
        rows.append(f"| `{key}` | {' | '.join(cells)} |")
    names = " | ".join(f"`{name}`" for name in PRESETS)
    head = [
        "## Presets",
        "",
        "The details in which the paper and two well-known PyTorch ports differ; every other key",
        "has its default. `configs/presets.py` says where in those codes each value stands.",
        "",
        f"| key | {names} |",
        f"|---|{'---|' * len(PRESETS)}",
    ]
    return "\n".join([*head, *rows, ""])


def _aliases() -> str:
    return "\n".join(f"- `{alias}` = `{key}`" for alias, key in ALIASES.items()) + "\n"


if __name__ == "__main__":
    sys.stdout.write(options_markdown())
