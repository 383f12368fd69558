"""Row 20: whatever a recipe holds, the end is code 2 with its place, key, and what is allowed."""

import re
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from configs.loading import load_config
from configs.options import all_options
from configs.schema import Config
from tests.property.sandbox import Ended, examples, run
from tests.property.words import words
from tests.runs import CARTPOLE, MAIN

pytestmark = pytest.mark.timeout(3600)

RECIPES = sorted(path.read_text() for path in (MAIN.parent / "configs").rglob("*.conf"))
KEYS = sorted(option.key for option in all_options().values())
SETTING = re.compile(r"^(\w+) *= *(\S.*)$")

recipes = st.sampled_from([*RECIPES, CARTPOLE])
keys = st.sampled_from(KEYS)
garbage = st.text(max_size=30).filter(lambda text: "\r" not in text)
lines = st.one_of(
    garbage,
    st.tuples(keys, words).map(" = ".join),
    st.sampled_from(["[PPO]", "[Run]", "[", "[]", "[DEFAULT]", "[OPTIONS]", "# note", "= 1"]),
)


def refused_or_loaded(folder: Path, content: bytes) -> Ended:
    """Hold `content` as a recipe against a checkpoint that is not there: nothing can begin."""
    path = folder / "recipe.conf"
    path.write_bytes(content)
    ended = run(folder, "--eval", f"--config_path={path}", "--load_model_path=missing.ckpt")
    assert ended.code in (2, 3)
    assert ended.touched == ()
    if ended.code == 2:
        for line in ended.message.splitlines():
            assert line.startswith(str(path)), line
            assert line.isprintable()
            assert len(line) < 1000
    else:
        assert ended.message.startswith("missing.ckpt: cannot be read: No such file or directory;")
    return ended


@examples(100)
@given(content=st.binary(max_size=300))
@example(content=b"\xef\xbb\xbf[PPO]\r\nGamma = 0.9\r\n")
@example(content=b"\x00" * 64)
def test_random_bytes(tmp_path: Path, content: bytes) -> None:
    refused_or_loaded(tmp_path, content)


@examples(100)
@given(content=st.lists(lines, max_size=15))
@example(content=["LearnerThreads = 3000000000"])
@example(content=["WorkerStepTimeout = 1e300"])
@example(content=["error"])
def test_random_lines(tmp_path: Path, content: list[str]) -> None:
    refused_or_loaded(tmp_path, "\n".join(content).encode("utf-8", "surrogateescape"))


def settings_of(text: str) -> list[tuple[int, str]]:
    """Return the number and the key of each line that sets one."""
    found = enumerate(text.splitlines())
    return [(n, match[1]) for n, line in found if (match := SETTING.match(line))]


@examples(60)
@given(data=st.data(), text=recipes, value=words)
def test_a_value_that_is_not_allowed_is_named_with_line_key_and_what_is_allowed(
    tmp_path: Path, data: st.DataObject, text: str, value: str
) -> None:
    number, key = data.draw(st.sampled_from(settings_of(text)))
    changed = text.splitlines()
    changed[number] = f"{key} = {value.replace(chr(10), ' ')}"
    ended = refused_or_loaded(tmp_path, "\n".join(changed).encode("utf-8", "surrogateescape"))
    if ended.code == 2:
        line = ended.message.splitlines()[0]
        contradicts_another = f" {key} = " in line
        assert f"recipe.conf:{number + 1}: " in line or contradicts_another
        assert key in line or "is not UTF-8" in line


@examples(60)
@given(data=st.data(), text=recipes)
def test_a_slip_in_a_key_is_named_with_its_line_and_the_key_that_was_meant(
    tmp_path: Path, data: st.DataObject, text: str
) -> None:
    number, key = data.draw(st.sampled_from(settings_of(text)))
    at = data.draw(st.integers(0, len(key) - 1))
    slip = key[:at] + data.draw(st.sampled_from(["", "x", "_"])) + key[at + 1 :]
    changed = text.splitlines()
    changed[number] = changed[number].replace(key, slip, 1)
    ended = refused_or_loaded(tmp_path, "\n".join(changed).encode())
    if ended.code == 2 and slip:
        [line] = [line for line in ended.message.splitlines() if f":{number + 1}: " in line]
        assert slip in line


@examples(40)
@given(data=st.data(), text=recipes)
def test_a_key_set_twice_is_named_with_both_places(
    tmp_path: Path, data: st.DataObject, text: str
) -> None:
    number, key = data.draw(st.sampled_from(settings_of(text)))
    before = text.splitlines()
    changed = [*before[: number + 1], before[number], *before[number + 1 :]]
    ended = refused_or_loaded(tmp_path, "\n".join(changed).encode())
    assert ended.code == 2
    assert f"recipe.conf:{number + 2}: {key}" in ended.message
    assert f"is set twice; first {tmp_path}/recipe.conf:{number + 1}: {key}" in ended.message


@examples(40)
@given(data=st.data(), text=recipes)
def test_lines_in_any_order_of_sections_mean_the_same_or_are_refused(
    tmp_path: Path, data: st.DataObject, text: str
) -> None:
    blocks = re.split(r"(?m)^(?=\[)", text)
    assume(len(blocks) > 2)
    shuffled = "\n".join([blocks[0], *data.draw(st.permutations(blocks[1:]))])
    (tmp_path / "one.conf").write_text(text)
    (tmp_path / "other.conf").write_text(shuffled)
    configs: list[Config] = [
        load_config(tmp_path / f"{name}.conf").config for name in ("one", "other")
    ]
    assert configs[0] == configs[1]
