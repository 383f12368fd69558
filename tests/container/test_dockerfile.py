"""The Dockerfile and the make targets around it: what can be said of them without an engine."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.architecture.test_floors import ROOT
from tests.container.check import BASE
from tests.container.dockerfile import (
    assignments,
    context_files,
    expand,
    instructions,
    stages,
    words,
)

DOCKERFILE = (ROOT / "Dockerfile").read_text()
EXAMPLE = """\
# A comment.
ARG VERSION=1
FROM base:${VERSION} AS one
RUN first \\
    # between
    && second
FROM $OTHER
ENV PATH=/a:$PATH NAME="two words"
CMD ["sh", "-c"]
"""


def made(*command: str) -> str:
    """Return what make would run."""
    done = subprocess.run(
        ["make", "-n", "VENV=none", *command], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_a_dockerfile_is_read_as_docker_reads_it() -> None:
    read = [(one.word, one.rest, one.line) for one in instructions(EXAMPLE)]
    assert read[2] == ("RUN", "first && second", 4)
    one, two = stages(EXAMPLE, {"VERSION": "3"})
    assert (one.name, one.image, len(one.instructions)) == ("one", "base:3", 1)
    assert two.name == "1"
    assert assignments(two.instructions[0].rest, {"PATH": "/b"}) == {
        "PATH": "/a:/b",
        "NAME": "two words",
    }
    assert words(two.instructions[1].rest) == ["sh", "-c"]
    assert expand("${A}b$A$C", {"A": "1"}) == "1b1"


def test_the_context_leaves_out_what_dockerignore_names(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text("# a comment\nlogs\n**/cache\n*.tmp\n")
    for name in ("a.py", "x.tmp", "in/x.tmp", "logs/a", "in/logs/a", "in/cache/deep/b"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = {str(path) for path in context_files(tmp_path)}
    assert found == {".dockerignore", "a.py", "in/x.tmp", "in/logs/a"}


def test_the_image_holds_what_runs_and_no_more() -> None:
    found = {str(path) for path in context_files(ROOT)}
    wanted = {"main.py", "commands/verbs.py", "Makefile", "training/launch.py"}
    wanted |= {"configs/demo_config.conf"}
    assert wanted <= found
    rooms = {path.split("/")[0] for path in found}
    assert not rooms & {"tests", "logs", "checkpoints", ".git", "Dockerfile", ".mypy_cache"}


def test_every_stage_stands_on_a_named_release_of_debian() -> None:
    images = [stage.image for stage in stages(DOCKERFILE, {})]
    assert len(set(images)) == 1
    assert all(BASE.fullmatch(image) for image in images)


def test_the_image_runs_as_nobody_special() -> None:
    last = stages(DOCKERFILE, {})[-1].instructions
    users = [one.rest for one in last if one.word == "USER"]
    assert users == ["1000:1000"]
    place = [one.word for one in last].index("USER")
    assert {one.word for one in last[place:]} == {"USER", "CMD"}


def test_the_container_is_started_with_all_that_training_needs() -> None:
    command = made("docker_start", "SHM_SIZE=3g", "PORT=7007")
    for words_of_it in (
        "--init",
        "--shm-size 3g",
        "--gpus all",
        "-p 127.0.0.1:7007:7007 -e PORT=7007",  # where start_tensorboard in it listens
        f'-v "{ROOT}/logs:/scout/logs"',
        f'-v "{ROOT}/checkpoints:/scout/checkpoints"',
        f'-v "{ROOT}/exports:/scout/exports"',
    ):
        assert words_of_it in command
    assert "--user 0" not in command
    assert "--build-arg FLAVOR=cuda" in made("docker_build", "FLAVOR=cuda")


def test_tensorboard_is_for_this_machine_alone() -> None:
    assert "--host localhost" in made("start_tensorboard")
    assert "--host localhost" in made("start_tensorboard_profiles")


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not installed")
def test_the_linter_finds_nothing_to_say() -> None:
    done = subprocess.run(
        ["hadolint", str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert done.stdout == ""
    assert done.returncode == 0
