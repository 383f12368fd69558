"""The documents tell the truth about files, targets and flags."""

import re
import shlex
from pathlib import Path

import pytest

from commands.verbs import build_parser, checked_verb
from tests.architecture.test_floors import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
TARGET = re.compile(r"^([a-zA-Z_0-9]+(?: [a-zA-Z_0-9]+)*):", re.MULTILINE)
SHELL_BLOCK = re.compile(r"```bash\n(.*?)```", re.DOTALL)


def commands() -> list[str]:
    """Every command line of main.py that a document shows, from its flags on."""
    blocks = (block for path in DOCUMENTS for block in SHELL_BLOCK.findall(path.read_text()))
    lines = (line.partition("#")[0] for block in blocks for line in block.splitlines())
    return sorted({line.split(" main.py ")[1] for line in lines if " main.py --" in line})


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_to_a_file(document: Path) -> None:
    links = LINK.findall(document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_every_make_target_that_a_document_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = {name for names in TARGET.findall(makefile) for name in names.split()}
    named = {
        (path.name, name)
        for path in DOCUMENTS
        for name in re.findall(r"(?:`|^)make ([a-z][a-zA-Z_0-9]*)", path.read_text(), re.MULTILINE)
    }
    assert {(path, name) for path, name in named if name not in targets} == set()


def test_every_target_says_what_it_does() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = {name for line in re.findall(r"\.PHONY: (.*)", makefile) for name in line.split()}
    described = set(re.findall(r"^([a-zA-Z_0-9]+):.*## \S", makefile, re.MULTILINE))
    ends = {name.removeprefix("run_") for name in described if name.startswith("run_")}
    assert phony - described == ends


@pytest.mark.parametrize("command", commands())
def test_every_command_shown_is_one_that_the_command_line_takes(command: str) -> None:
    parser = build_parser()
    arguments = parser.parse_args(shlex.split(command))
    if not arguments.config_options:
        checked_verb(parser, arguments)
        assert (ROOT / arguments.config_path).is_file()


def test_every_test_that_a_document_names_exists() -> None:
    tests = list((ROOT / "tests").rglob("*.py"))
    places = {path.stem for path in tests}
    places |= {name for path in tests for name in re.findall(r"def (test_\w+)", path.read_text())}
    named = {
        name
        for document in DOCUMENTS
        for name in re.findall(r"`[^`\n]*?\b(test_\w+)[^`\n]*`", document.read_text())
    }
    targets = set(re.findall(r"^(test_\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert named - places - targets == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_path_of_tests_that_is_written_leads_there(document: Path) -> None:
    paths = re.findall(r"(?<![\w./])tests/[\w./]*\w", document.read_text())
    assert [path for path in paths if not (ROOT / path).exists()] == []
