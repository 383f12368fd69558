"""Whatever is typed, the end is code 2 or 3 with one message, and nothing else is touched."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from commands.verbs import build_parser
from tests.property.conftest import NAME
from tests.property.sandbox import examples, run
from tests.property.words import names, typed, words
from tests.runs import CARTPOLE, write_recipe

# What --local_dir names is written to, wherever it is.
FLAGS = sorted({*build_parser()._option_string_actions} - {"--local_dir", "--local-dir"})
STRANGER = "stranger.ckpt"

pytestmark = pytest.mark.timeout(3600)

flags = st.sampled_from(FLAGS)
arguments = st.one_of(
    flags,
    typed,
    st.sampled_from(["--train", "--eval"]),
    st.tuples(flags, words).map("=".join),
    st.tuples(flags, typed).map("=".join),
    words.map("--set=Gamma={}".format),
)


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def run_beside(folder: Path, *given_arguments: str) -> int:
    """Run in a folder that holds a recipe and a stranger's file, which no run can begin with."""
    work = folder / "work"
    recipe = write_recipe(work, CARTPOLE)
    (work / STRANGER).write_bytes(b"from elsewhere")
    last = (f"--config_path={recipe}", f"--load_model_path={STRANGER}", "--num_workers=1")
    ended = run(work, *given_arguments, *last)
    if ended.code == 0:
        assert {"-h", "--help", "--config_options"} & set(given_arguments)
        return 0
    assert ended.code in (2, 3)
    assert ended.message
    assert ended.outside(work / "logs", work / "checkpoints") == []
    return ended.code


@examples(60)
@given(listed=st.lists(arguments, max_size=8))
@example(listed=["--train"])
@example(listed=["--train", "--save_model_path=" + "x" * 5000])
@example(listed=["--train", "--log_name=../x"])
@example(listed=["--train", "--num_env_per_process=9" + "9" * 5000])
def test_random_arguments(tmp_path: Path, listed: list[str]) -> None:
    run_beside(tmp_path, *listed)


@examples(40)
@given(name=st.one_of(names, typed, st.text(st.characters(codec="utf-8"), max_size=140)))
@example(name="../x")
@example(name="\x1b[31mred")
@example(name="x" * 5000)
def test_a_run_name_is_taken_whole_or_refused_and_leaves_no_folder(
    tmp_path: Path, name: str
) -> None:
    name = name.replace("\0", "")
    code = run_beside(tmp_path, "--train", f"--log_name={name}")
    plain = {letter for letter in name if not (letter.isascii() and letter.isalnum())} <= set("._-")
    fits = name != "" and plain and len(name) <= 128 and name[0] not in ".-"
    assert code == (3 if fits else 2)
    assert code == run_beside(tmp_path, "--eval", f"--log_name={name}")


@examples(30)
@given(path=st.one_of(typed, names), mode=st.sampled_from(["--train", "--eval"]))
@example(path="x" * 300, mode="--train")
@example(path="x" * 5000, mode="--train")
def test_a_checkpoint_to_write_is_refused_or_never_written(
    tmp_path: Path, path: str, mode: str
) -> None:
    assert run_beside(tmp_path, mode, f"--save_model_path={path}") in (2, 3)


@examples(10, full=500)
@given(listed=st.lists(st.sampled_from(["--overwrite", "--use_wandb"]), max_size=2))
@example(listed=["--overwrite"])
def test_a_run_that_is_there_is_not_touched_by_one_that_cannot_begin(
    trained: Path, listed: list[str]
) -> None:
    before = contents(trained / "logs") | contents(trained / "checkpoints")
    (trained / STRANGER).write_bytes(b"from elsewhere")
    recipe = trained / "recipe.conf"
    command = ("--train", f"--config_path={recipe}", f"--log_name={NAME}")
    ended = run(trained, *command, f"--load_model_path={STRANGER}", *listed)
    assert ended.code in (2, 3)
    assert contents(trained / "logs") | contents(trained / "checkpoints") == before
