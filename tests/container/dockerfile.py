"""Reading a Dockerfile, as far as ours goes: instructions, stages, variables, and .dockerignore."""

import fnmatch
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class Instruction:
    """One instruction: RUN, COPY, ... and what follows it, on one line."""

    word: str
    rest: str
    line: int


@dataclass(frozen=True)
class Stage:
    """What lies between one FROM and the next."""

    name: str
    image: str
    instructions: list[Instruction] = field(default_factory=list)


def instructions(text: str) -> Iterator[Instruction]:
    """Yield the instructions; lines that end in a backslash go on, comments between them aside."""
    parts: list[str] = []
    start = 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or not (parts or line.strip()):
            continue
        start = start if parts else number
        parts.append(line.rstrip().removesuffix("\\").strip())
        if line.rstrip().endswith("\\"):
            continue
        word, _, rest = " ".join(parts).partition(" ")
        yield Instruction(word.upper(), rest.strip(), start)
        parts = []


def stages(text: str, arguments: Mapping[str, str]) -> list[Stage]:
    """Return the stages; `arguments` take the place of defaults, as --build-arg does."""
    found: list[Stage] = []
    outer: dict[str, str] = {}
    for instruction in instructions(text):
        if instruction.word == "FROM":
            image, _, name = instruction.rest.partition(" AS ")
            found.append(Stage(name or str(len(found)), expand(image, outer)))
        elif found:
            found[-1].instructions.append(instruction)
        else:
            assert instruction.word == "ARG", "only ARG may stand above the first FROM"
            outer |= argument(instruction.rest, arguments)
    return found


def argument(rest: str, given: Mapping[str, str]) -> dict[str, str]:
    """Return what an ARG sets."""
    name, _, default = rest.partition("=")
    return {name: given.get(name, default)}


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Put values in the place of $NAME and ${NAME}."""
    return re.sub(r"\$\{?(\w+)\}?", lambda found: variables.get(found[1], ""), text)


def assignments(rest: str, variables: Mapping[str, str]) -> dict[str, str]:
    """Return what an ENV sets."""
    pairs = (word.partition("=") for word in shlex.split(rest))
    return {name: expand(value, variables) for name, _, value in pairs}


def words(rest: str) -> list[str]:
    """Return the words of an instruction in JSON form (SHELL, CMD)."""
    return [str(word) for word in json.loads(rest)]


def context_files(folder: Path) -> Iterator[PurePosixPath]:
    """Yield the files that `COPY . .` takes: all but what .dockerignore names."""
    lines = (folder / ".dockerignore").read_text().splitlines()
    patterns = [line.strip().rstrip("/") for line in lines if line.strip() and line[0] != "#"]
    for path in sorted(folder.rglob("*")):
        inner = PurePosixPath(path.relative_to(folder))
        if path.is_file() and not any(_matches(inner, pattern) for pattern in patterns):
            yield inner


def _matches(path: PurePosixPath, pattern: str) -> bool:
    """Whether `pattern` names the file or a folder that it lies in."""
    places = [path, *path.parents][:-1]
    if pattern.startswith("**/"):
        return any(fnmatch.fnmatch(place.name, pattern[3:]) for place in places)
    return any(
        len(place.parts) == len(PurePosixPath(pattern).parts)
        and fnmatch.fnmatch(str(place), pattern)
        for place in places
    )
