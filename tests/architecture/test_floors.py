"""Imports go down only, never up, never in a circle, and the workers stay free of torch."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from commands.verbs import VERBS

ROOT = Path(__file__).resolve().parent.parent.parent
ROOMS = (
    *("agents", "workers", "trajectories", "configs", "training"),
    *("commands", "benchmarks", "examples"),
)
FLOORS = {
    "main": 6,
    "commands": 5,
    "benchmarks": 5,
    "examples": 5,
    "training": 4,
    "agents": 3,
    "workers": 3,
    "trajectories": 3,
    "agents.networks": 2,
    "agents.losses": 1,
    "configs": 1,
}
# The rooms of training/, and the files at its door. On one floor nobody knows a neighbour.
TRAINING_FLOORS = {
    "world_model": 8,
    "probing": 7,
    "launch": 6,
    "exporting": 6,
    "collecting": 6,
    "off_policy": 6,
    "assembly": 5,
    "playing": 5,
    "offline": 5,
    "evolution": 5,
    "building": 4,
    "algorithm": 4,
    "browsing": 4,
    "dreaming": 4,
    "loop": 3,
    "parts": 3,
    "reports": 3,
    "exchange": 3,
    "session": 2,
    "recording": 2,
    "checkpoints": 2,
    "live": 2,
    "doctor": 2,
    "cluster": 1,
    "ranks": 1,
    "figures": 1,
    "folders": 0,
    "options": 0,
}
WORKERS_FLOORS = {
    "opening": 6,
    "step_cost": 5,
    "pool": 4,
    "in_process": 4,
    "ale_vector": 4,
    "supervision": 3,
    "environment_process": 2,
    "environment_pool": 2,
    "stepping": 2,
    "shared": 1,
    "environments": 0,
    "processes": 0,
    "profilers": 0,
}
ENVIRONMENTS_FLOORS = {
    "make": 4,
    "description": 4,
    "sprites_world": 4,
    "probes": 4,
    "atari": 3,
    "mario": 3,
    "classic_control": 3,
    "box2d": 3,
    "mujoco": 3,
    "sprites": 3,
    "minigrid": 3,
    "registered": 3,
    "counting": 3,
    "parts": 2,
    "base": 1,
    "states": 0,
    "families": 0,
}
AGENTS_FLOORS = {
    "ppo": 8,
    "controllers": 7,
    "recurrent": 7,
    "td3": 6,
    "dynamics": 6,
    "encoded_frames": 6,
    "intrinsic": 5,
    "encoders": 5,
    "representation": 4,
    "rollout": 3,
    "custom_policy": 2,
    "minibatches": 2,
    "ranks": 1,
    "networks": 1,
    "losses": 0,
    "steps": 0,
    "replay": 0,
    "frame_stack": 0,
}
CONFIGS_FLOORS = {
    "experiments": 6,
    "loading": 5,
    "resolving": 4,
    "older_files": 4,
    "agents": 3,
    "reading": 3,
    "describe": 3,
    "options": 2,
    "checks": 2,
    "schema": 1,
    "sections": 0,
    "presets": 0,
    "legacy": 0,
    "former": 0,
    "other_words": 0,
    "typed": 0,
    "sizes": 0,
    "errors": 0,
}
# Packages with floors of their own, by the folder.
INNER_FLOORS = {
    "training": TRAINING_FLOORS,
    "workers": WORKERS_FLOORS,
    "workers/environments": ENVIRONMENTS_FLOORS,
    "agents": AGENTS_FLOORS,
    "configs": CONFIGS_FLOORS,
}
# Pairs that must not know each other though their floors would allow it.
STRANGERS = {
    ("agents", "workers"),
    ("agents", "trajectories"),
    ("workers", "agents"),
    ("workers", "trajectories"),
    ("trajectories", "agents"),
    ("trajectories", "agents.networks"),
    ("trajectories", "agents.losses"),
    ("trajectories", "workers"),
    ("workers", "agents.networks"),
    ("workers", "agents.losses"),
    ("agents.networks", "configs"),
    ("agents.losses", "configs"),
    ("configs", "agents.losses"),
    ("commands", "benchmarks"),
    ("commands", "examples"),
    ("benchmarks", "commands"),
    ("examples", "commands"),
    ("main", "benchmarks"),
    ("main", "examples"),
}
DOOR_LENGTH = 120  # lines
# Top-level names that would shadow the standard library's or a package's.
SHADOWS = sys.stdlib_module_names | {"test", "datasets", "torch", "numpy", "gymnasium"}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def trees() -> dict[str, ast.Module]:
    """Every module of the project (tests aside) with its syntax tree."""
    paths = [ROOT / "main.py", *(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))]
    return {
        module_name(path): ast.parse(path.read_text(encoding="utf-8"), str(path))
        for path in paths
        if path.exists()
    }


def room_of(module: str) -> str | None:
    """The longest entry of FLOORS that a module lies in; None for other people's modules."""
    parts = module.split(".")
    prefixes = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((prefix for prefix in prefixes if prefix in FLOORS), None)


def names_in(statement: ast.AST) -> list[str]:
    if isinstance(statement, ast.Import):
        return [alias.name for alias in statement.names]
    if isinstance(statement, ast.ImportFrom) and statement.module is not None:
        members = [f"{statement.module}.{alias.name}" for alias in statement.names]
        return [name if name in trees() else statement.module for name in members]
    return []


def imports_of(module: str) -> set[str]:
    """Modules that a module imports anywhere, also within functions."""
    return {name for node in ast.walk(trees()[module]) for name in names_in(node)}


def imports_at_top(module: str) -> set[str]:
    """Modules that are imported when a module is: not within its functions, not for mypy alone."""

    def statements(node: ast.AST) -> Iterator[ast.AST]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
                continue
            if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                yield child
                yield from statements(child)

    return {name for node in statements(trees()[module]) for name in names_in(node)}


def violations() -> Iterator[str]:
    for module in trees():
        room = room_of(module)
        assert room is not None, f"{module} lies on no floor: name it in FLOORS"
        for imported in sorted(imports_of(module)):
            target = room_of(imported)
            if target is None or target == room:
                continue
            if FLOORS[target] > FLOORS[room] or (room, target) in STRANGERS:
                yield f"{module} imports {imported}"


def test_imports_go_down_only() -> None:
    assert list(violations()) == []


def inner_room(house: str, module: str) -> str | None:
    """The room of a house with floors of its own; None for all that lies elsewhere."""
    inside = module.removeprefix(house.replace("/", ".") + ".")
    return None if inside == module else inside.partition(".")[0]


def climbs_in(house: str) -> Iterator[str]:
    floors = INNER_FLOORS[house]
    for module in trees():
        room = inner_room(house, module)
        if room is None:
            continue
        assert room in floors, f"{module} lies on no floor: name it in those of {house}/"
        for imported in sorted(imports_of(module)):
            target = inner_room(house, imported)
            if target not in (None, room) and floors[target] >= floors[room]:
                yield f"{module} imports {imported}"


@pytest.mark.parametrize("house", INNER_FLOORS)
def test_imports_between_the_rooms_of_a_house_go_down_only(house: str) -> None:
    assert list(climbs_in(house)) == []


@pytest.mark.parametrize("house", INNER_FLOORS)
def test_every_floor_of_a_house_is_there(house: str) -> None:
    found = {path.stem for path in (ROOT / house).iterdir() if list(path.glob("*.py"))}
    found |= {path.stem for path in (ROOT / house).glob("*.py")} - {"__init__"}
    assert found == INNER_FLOORS[house].keys()


@pytest.mark.parametrize("house", INNER_FLOORS)
def test_the_page_on_architecture_shows_every_floor_of_a_house(house: str) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawing = page.partition(f"`{house}/` has floors of its own")[2].split("```")[1]
    shown = {
        name: int(floor)
        for floor, name in re.findall(r"^(\d)  (\w+)(?:/|\.py) ", drawing, flags=re.MULTILINE)
    }
    assert shown == INNER_FLOORS[house]


def rooms_on_the_page() -> list[Path]:
    """Every folder with modules that the page has a section for."""
    houses = ("configs", "workers", "agents", "trajectories", "training", "commands")
    folders = {path.parent for house in houses for path in (ROOT / house).rglob("*.py")}
    return sorted(folders - {ROOT / "training"})


@pytest.mark.parametrize("room", rooms_on_the_page(), ids=lambda room: room.name)
def test_the_page_on_architecture_names_every_file_in_its_rooms_section(room: Path) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    name = "main.py and commands" if room.name == "commands" else str(room.relative_to(ROOT))
    section = page.partition(f"### {name}/")[2].partition("\n### ")[0]
    files = {path.name for path in room.glob("*.py")} - {"__init__.py", "__main__.py"}
    assert {file for file in files if f"`{file}`" not in section} == set()


def test_no_module_imports_itself_in_a_circle() -> None:
    ended: set[str] = set()

    def follow(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path[path.index(module) :], module))
        if module in ended:
            return
        for imported in sorted(imports_at_top(module) & trees().keys()):
            follow(imported, (*path, module))
        ended.add(module)

    for module in trees():
        follow(module, ())


@pytest.mark.parametrize("room", ["workers", "configs"])
def test_actors_and_configurations_name_torch_nowhere(room: str) -> None:
    modules = [module for module in trees() if module.split(".")[0] == room]
    assert modules
    named = [module for module in modules if any(uses_torch(name) for name in imports_of(module))]
    assert named == []


def test_rollouts_on_disk_need_numpy_and_pyarrow_and_nothing_else() -> None:
    allowed = sys.stdlib_module_names | {"numpy", "pyarrow", "configs", "trajectories"}
    named = {
        f"{module} imports {name}"
        for module in trees()
        if room_of(module) == "trajectories"
        for name in imports_of(module)
        if name.split(".", maxsplit=1)[0] not in allowed
    }
    assert named == set()


def uses_torch(name: str) -> bool:
    return name.split(".", maxsplit=1)[0] == "torch"


def test_the_command_line_imports_torch_and_our_other_rooms_only_where_a_verb_runs() -> None:
    modules = [module for module in trees() if room_of(module) in ("main", "commands")]
    allowed = sys.stdlib_module_names | {"commands"}
    named = {
        f"{module} imports {name}"
        for module in modules
        for name in imports_at_top(module)
        if name.split(".", maxsplit=1)[0] not in allowed
    }
    assert named == set()


def test_main_stays_a_door() -> None:
    lines = (ROOT / "main.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= DOOR_LENGTH, "what main.py does for one verb belongs into commands/"


def functions_of(module: str) -> dict[str, list[str]]:
    """Return the functions of a module with the names of their arguments."""
    return {
        node.name: [argument.arg for argument in node.args.args]
        for node in trees()[module].body
        if isinstance(node, ast.FunctionDef)
    }


def test_every_verb_is_a_file_of_the_same_three_functions_and_stands_in_the_table() -> None:
    files = {module for module in trees() if module.startswith("commands.")}
    verbs = {vars(verb)["__name__"] for verb in VERBS.values()}
    assert {module for module in files if "run" in functions_of(module)} == verbs
    for module in verbs:
        functions = functions_of(module)
        assert functions.get("add_flags") == ["parser"], module
        assert functions.get("check") == ["parser", "args"], module
        assert functions.get("run") == ["args"], module


@pytest.mark.parametrize(
    "module",
    [
        *("main", "workers.pool", "workers.supervision.worker", "workers.environments.make"),
        "trajectories.writer",
    ],
)
def test_a_clean_interpreter_has_no_torch_after_importing(module: str) -> None:
    program = f"import {module}, sys; print('torch' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (result.stdout.strip(), result.returncode) == ("False", 0), result.stderr


def swallows(node: ast.AST) -> bool:
    """Whether a handler or a `suppress` lets any error at all vanish."""
    if isinstance(node, ast.ExceptHandler):
        silent = all(isinstance(line, ast.Pass | ast.Continue) for line in node.body)
        return silent and (node.type is None or is_any_error(node.type))
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
        return any(is_any_error(argument) for argument in node.args)
    return False


def is_any_error(expression: ast.expr) -> bool:
    names = {part.id for part in ast.walk(expression) if isinstance(part, ast.Name)}
    return bool(names & {"Exception", "BaseException"})


def test_no_error_is_swallowed_unseen() -> None:
    places = [
        f"{module}:{getattr(node, 'lineno', 0)}"
        for module, tree in trees().items()
        for node in ast.walk(tree)
        if swallows(node)
    ]
    assert places == []


def test_no_top_level_name_shadows_another_module() -> None:
    names = {path.stem for path in ROOT.glob("*.py")}
    names |= {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert names & SHADOWS == set()


def test_every_folder_with_modules_is_a_package_that_says_what_it_is_for() -> None:
    folders = {path.parent for room in ROOMS for path in (ROOT / room).rglob("*.py")}
    unnamed = [
        str(folder.relative_to(ROOT))
        for folder in sorted(folders)
        if module_name(folder / "__init__.py") not in trees()
        or ast.get_docstring(trees()[module_name(folder / "__init__.py")]) is None
    ]
    assert unnamed == []
