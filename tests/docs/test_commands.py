"""Every shell command that README.md and docs/ show runs, unless a table says why it cannot."""

import itertools
import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.architecture.test_floors import ROOT
from tests.docs.scratch import DEADLINE, Scratch, is_server, smaller
from tests.docs.shown import (
    DOCUMENTS,
    EXCEPTIONS,
    Block,
    all_commands,
    blocks_of,
    exception_of,
    fenced,
)

WITH_COMMANDS = [path.name for path in DOCUMENTS if blocks_of(path.name)]
CHARTS = ROOT / "docs" / "reading_curves.md"
TRAIN = "python main.py --train --overwrite --config_path=configs"
IN_ORDER = {"README.md"}  # its commands run one after the other, as they stand
# What a reader has who follows the text: part of a command -> what is run before it.
PREPARED: Mapping[str, str] = {
    "--save_rollouts --save_info": f"{TRAIN}/demo_config.conf --log_name demo",
    'RUNS="float32_seed1 ': f"{TRAIN}/MiniGrid/config_rnd00.conf --log_name float32_seed1\n"
    "for name in float32_seed2 float32_seed3 bfloat16_seed2 bfloat16_seed3; do\n"
    "cp -r logs/runs/float32_seed1 logs/runs/$name; done",
}


def run_block(scratch: Scratch, block: Block) -> None:
    """Run what can be run of a block, in its order and in one shell between servers."""
    commands = [command for command in block.commands if exception_of(command) is None]
    for serves, group in itertools.groupby(commands, is_server):
        if serves:
            assert all(scratch.serve(command) for command in group), f"{block}: no page"
            continue
        shown = list(group)
        before = [lines for part, lines in PREPARED.items() if part in "\n".join(shown)]
        again = block.document not in IN_ORDER
        script = [*before, *(smaller(command, again=again) for command in shown)]
        code, output = scratch.run(script, again=again)
        assert code == 0, f"{block}: code {code} of\n" + "\n".join(script) + f"\n{output[-6000:]}"


def figures_of(project: Path) -> set[str]:
    """Return the names of all figures that the project's runs wrote."""
    lines = (
        line
        for path in (project / "logs" / "runs").glob("*/metrics.jsonl")
        for line in path.read_text(encoding="utf-8").splitlines()
    )
    return {name for line in lines for name in json.loads(line) if "/" in name}


def test_every_exception_keeps_a_command_that_is_shown_from_being_run() -> None:
    used = {exception_of(command) for command in all_commands()}
    assert set(EXCEPTIONS) - used == set()


def test_no_command_is_shown_in_a_block_that_is_not_marked_as_shell() -> None:
    unmarked = [
        f"{path.name}:{number}: {line}"
        for path in DOCUMENTS
        for language, number, lines in fenced(path.name)
        for line in lines
        if language != "bash" and re.match(r"(make|python3?|torchrun|pip) [a-z-]", line)
    ]
    assert unmarked == []


@pytest.mark.slow
@pytest.mark.timeout(20 * DEADLINE)
@pytest.mark.parametrize("document", WITH_COMMANDS)
def test_every_command_of_a_document_runs_in_a_small_copy(document: str, tmp_path: Path) -> None:
    scratch = Scratch.copied_to(tmp_path / "project")
    for block in blocks_of(document):
        run_block(scratch, block)
    page = CHARTS.read_text(encoding="utf-8")
    assert {name for name in figures_of(scratch.folder) if f"`{name}`" not in page} == set()
