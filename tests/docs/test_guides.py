"""The guides speak of what is there: keys and defaults, charts, and every message of an error."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from commands.verbs import build_parser
from configs import errors
from configs.loading import dump_config, load_config
from configs.options import all_options
from configs.schema import Config
from tests.architecture.test_floors import ROOT
from tests.docs.shown import fenced

DOCS = ROOT / "docs"
SOURCES = [
    ROOT / "main.py",
    *(
        path
        for room in ("agents", "commands", "configs", "training", "trajectories", "workers")
        for path in (ROOT / room).rglob("*.py")
    ),
]
ERRORS = {name for name, kind in vars(errors).items() if isinstance(kind, type)} | {
    "WorkerError",
    "BadTransitionError",
    "NonFiniteGradientError",
    "NewerFormatError",
}
FEW = 12  # letters: a message with fewer of its own passes on what another one says
CHART = re.compile(
    r'"((?:atari|charts|intrinsic|losses|observation|ranks|representation|rollout|system|time)'
    r'/[A-Za-z_]+)"'
)


def cells(document: str) -> list[list[str]]:
    """Return the rows of all tables of a document, cell by cell."""
    lines = (DOCS / document).read_text(encoding="utf-8").splitlines()
    rows = (line.strip().strip("|").split(" | ") for line in lines if line.startswith("|"))
    return [[cell.strip(" |") for cell in row] for row in rows]


def messages() -> Iterator[tuple[str, str]]:
    """Yield where an error of ours is raised, and its message with gaps for what is filled in."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                name = getattr(node.exc.func, "id", "")
                text = " ".join(map(_text, node.exc.args))
                if name in ERRORS and sum(map(str.isalpha, text)) >= FEW:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", text


def _text(node: ast.expr) -> str:
    """Return the literal parts of an expression's text in their order."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "\0".join(map(_text, values))
        case ast.BinOp(left=left, right=right):
            return _text(left) + _text(right)
    return "\0"


@cache
def shown_messages() -> list[re.Pattern[str]]:
    """Return what docs/troubleshooting.md shows in code style, `...` standing for anything."""
    shown = {
        found for row in cells("troubleshooting.md") for found in re.findall(r"`([^`]+)`", row[0])
    }
    parts = ([part for part in re.split(r"\.\.\.", text) if part] for text in shown)
    return [
        re.compile(".*".join(map(re.escape, each)), re.DOTALL)
        for each in parts
        if sum(map(str.isalpha, "".join(each))) >= FEW
    ]


@pytest.mark.parametrize(
    ("place", "text"), list(messages()), ids=lambda value: value.split("\0")[0][:60]
)
def test_every_error_is_in_the_troubleshooting_guide(place: str, text: str) -> None:
    assert any(shown.search(text) for shown in shown_messages()), (
        f"{place}: docs/troubleshooting.md says nothing on {text!r}"
    )


def test_every_exit_code_is_in_both_tables_and_in_the_help() -> None:
    kinds = (kind for kind in vars(errors).values() if isinstance(kind, type))
    codes = {kind.exit_code for kind in kinds if issubclass(kind, errors.ScoutError)}
    codes |= {0, errors.STOPPED_EXIT_CODE}
    for document in ("../README.md", "reliability.md"):
        text = (DOCS / document).read_text(encoding="utf-8")
        table = text.split("\n## Exit codes\n")[1].split("\n## ")[0]
        assert codes <= {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    said = build_parser().format_help().partition("exit codes:")[2]
    assert codes == {int(code) for code in re.findall(r"\b\d+\b", said)}


def test_every_key_beside_another_codes_is_ours_and_has_the_default_that_is_stated() -> None:
    """The default is that of an Atari recipe, as the other codes' are."""
    defaults = dump_config(Config())
    flags = {flag for action in build_parser()._actions for flag in action.option_strings}
    wrong = []
    for row in cells("coming_from.md"):
        key = re.fullmatch(r"`([\w-]+)`", row[2]) if len(row) == 5 else None
        if key is None:
            continue
        option = all_options().get(key[1].casefold())
        if option is None and key[1] not in flags:
            wrong.append(f"{key[1]} is no key and no flag")
        elif option is not None and (option.key, defaults[option.key]) != (key[1], row[3]):
            wrong.append(f"{key[1]} = {row[3]}, but {option.key} = {defaults[option.key]}")
    assert wrong == []


def test_every_recipe_beside_another_codes_loads(tmp_path: Path) -> None:
    recipes = [lines for language, _, lines in fenced("coming_from.md") if language == "config"]
    assert recipes
    for lines in recipes:
        path = tmp_path / "recipe.conf"
        path.write_text("\n".join(lines))
        load_config(path)


def test_every_chart_that_is_named_in_the_code_is_explained() -> None:
    page = (DOCS / "reading_curves.md").read_text(encoding="utf-8")
    named = {name for path in SOURCES for name in CHART.findall(path.read_text(encoding="utf-8"))}
    assert {name for name in named if f"`{name}`" not in page} == set()


def test_every_section_of_figures_and_every_picture_says_how_to_make_it_again() -> None:
    told = (DOCS / "reproducing.md").read_text(encoding="utf-8")
    figures = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    sections = set(re.findall(r"^## (.*)", figures, re.MULTILINE)) - {"How to measure"}
    assert {title for title in sections if f"| {title} |" not in told} == set()
    pictures = {path.name for path in DOCS.iterdir() if path.suffix in (".png", ".svg")}
    assert {name for name in pictures if f"`{name}`" not in told} == set()


def test_every_key_that_a_guide_tells_to_set_exists() -> None:
    guides = [ROOT / "README.md", *(set(DOCS.glob("*.md")) - {DOCS / "configuration.md"})]
    unknown = {
        f"{path.name}: {key}"
        for path in guides
        for key in re.findall(r"`([A-Z]\w+) = [^`]*`", path.read_text(encoding="utf-8"))
        if key.casefold() not in all_options()
    }
    assert unknown == set()
