"""The shell commands that README.md and docs/ show, and which of them cannot be run in a test."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.architecture.test_floors import ROOT

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r" *```(\w*)$")

# The beginning of a command -> why no test runs it. Every command that is not named here is run.
EXCEPTIONS: Mapping[str, str] = {
    r"make install|source \.venv|conda |pip install": "downloads packages; CI starts with it",
    r"make (check|test|test_slow|test_faults|test_gpu)\b": "runs the tests, this one among them",
    r"make bench_gpu$": "needs a GPU; the line with --smoke is run",
    r"make world_model": "takes long; tests/training/world_model runs all of it, small",
    r"make docker_|docker ": "needs a Docker daemon",
    r"sbatch ": "needs Slurm; tests/multinode runs the script with programs in Slurm's place",
    r"kubectl ": "needs a Kubernetes cluster; tests/multinode checks the manifest's form",
    r"torchrun --nnodes 2 ": "needs two nodes; tests/multinode joins two network namespaces",
    r"torchrun .* --gpu_id=": "needs a second GPU",
    r"make peers_venv|make bench PART=peers": "downloads other trainers",
    r"make bench PART=small ARGS": "needs a checkout of an earlier commit",
    r"make start_tensorboard_profiles": "downloads TensorBoard's profile plugin",
    r"python main\.py --data ": "needs a dataset; tests/commands/test_data.py runs them on one",
    r"scalene view ": "opens a browser",
    r"nohup |setsid |tmux ": "goes on after the shell; tests/test_ends.py closes terminals",
}
# These run until they are stopped: the test stops them as soon as their page answers.
SERVERS = re.compile(r"make start_tensorboard\b(?!_)")


@dataclass(frozen=True)
class Block:
    """A fenced block of shell commands.

    Attributes:
        document: the file's name.
        line: where the block begins.
        commands: one per line, without comments; a line that ends in a backslash goes on.
    """

    document: str
    line: int
    commands: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def fenced(document: str) -> Iterator[tuple[str, int, list[str]]]:
    """Yield the language, the first line's number and the lines of each fenced block."""
    path = next(path for path in DOCUMENTS if path.name == document)
    language, begin, inside = "", 0, False
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        fence = FENCE.match(line)
        if fence and inside:
            yield language, begin, lines[begin - 1 : number - 1]
        if fence:
            language, begin, inside = fence[1], number + 1, not inside


def blocks_of(document: str) -> list[Block]:
    """Return the shell blocks of a document, in its order."""
    return [
        Block(document, line, _commands("\n".join(lines)))
        for language, line, lines in fenced(document)
        if language == "bash"
    ]


def all_commands() -> list[str]:
    """Return every command of every document."""
    blocks = [block for path in DOCUMENTS for block in blocks_of(path.name)]
    return [command for block in blocks for command in block.commands]


def exception_of(command: str) -> str | None:
    """Return the entry of EXCEPTIONS that keeps a command from being run, if there is one."""
    plain = re.sub(r"^(\w+=\S* )+", "", command)
    return next((beginning for beginning in EXCEPTIONS if re.match(beginning, plain)), None)


def _commands(block: str) -> tuple[str, ...]:
    lines = block.replace("\\\n", " ").splitlines()
    commands = (re.sub(r"(^|\s)#.*$", "", line).strip() for line in lines)
    return tuple(command for command in commands if command)
