"""What docs/extending.md shows: whole files, the lines that name them, a recipe."""

import re
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple

from tests.architecture.test_floors import ROOT

PAGE = ROOT / "docs" / "extending.md"
BONUS, HEAD, OBJECTIVE, BACKBONE, ENVIRONMENT, WITH_STATE, OLDER_INTERFACE, POLICY, VERB, MODEL = (
    "agents/intrinsic/forward_dynamics.py",
    "agents/representation/vicreg.py",
    "agents/encoders/supervised.py",
    "agents/networks/residual_backbone.py",
    "corridor.py",
    "numbered_corridor.py",
    "older_interface.py",
    "persistent.py",
    "commands/show_recipe.py",
    "models/customnet.py",
)
REMEMBERING = "models/customrnn.py"


class Change(NamedTuple):
    """A piece of a file before and after."""

    path: str
    before: str
    after: str


def blocks(language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def examples() -> dict[str, str]:
    """Return every example, by the file that its first line names."""
    found = {}
    for block in blocks("python"):
        first_line, _, source = block.partition("\n")
        found[first_line.removeprefix("# ")] = source
    return found


@cache
def example(path: str) -> Any:
    """Return an example as a module of its own, imported from the page alone."""
    module = ModuleType(path)
    exec(compile(examples()[path], path, "exec"), vars(module))
    return module


def changes() -> list[Change]:
    """Return what the page changes in files that are there, in its order."""
    found = []
    for block in blocks("diff"):
        for hunk in re.split(r"^--- ", block, flags=re.MULTILINE)[1:]:
            path, *lines = hunk.splitlines()
            before = "".join(f"{line[1:]}\n" for line in lines if line[0] != "+")
            after = "".join(f"{line[1:]}\n" for line in lines if line[0] != "-")
            found.append(Change(path, before, after))
    return found
