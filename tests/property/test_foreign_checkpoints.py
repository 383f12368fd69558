"""Row 15: whatever a checkpoint holds, it is read or refused by name, and no code of it is run."""

import copy
import io
import os
import pickle
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from configs.errors import CheckpointError
from configs.loading import load_config
from tests.checkpoint_files import file_of
from tests.property.conftest import NAME
from tests.property.sandbox import Ended, examples, run
from tests.records import checkpoint_path
from tests.runs import CARTPOLE, write_recipe
from training.checkpoints.storage import HEADER_SIZE, load_payload, pack
from training.playing.loaded_agent import load_agent
from training.playing.player import GamePlayer

STRANGER = "stranger.ckpt"
TRACE = "made-by-a-checkpoint"
CPU = torch.device("cpu")

# What a pickle may ask for: each leaves a folder behind if it is called.
CALLS: list[tuple[Callable[..., Any], tuple[Any, ...]]] = [
    (os.mkdir, (TRACE,)),
    (os.makedirs, (TRACE,)),
    (os.system, (f"mkdir {TRACE}",)),
    (subprocess.call, (["mkdir", TRACE],)),
    (exec, (f"import os; os.mkdir({TRACE!r})",)),
    (eval, (f"__import__('os').mkdir({TRACE!r})",)),
    (map, (os.mkdir, [TRACE])),
    (getattr(torch, "load"), (TRACE,)),  # noqa: B009 - the name is what a stranger would write
]

pytestmark = [
    pytest.mark.timeout(3600),
    pytest.mark.filterwarnings("ignore:Detected pickle protocol"),
]


class Calls:
    """An object whose pickle asks to call something."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return CALLS[self._number]


def refused(folder: Path, content: bytes, mode: str) -> Ended:
    """Begin a run with a file of this content; it must end with 3 and name the file."""
    recipe = write_recipe(folder, CARTPOLE)
    (folder / STRANGER).write_bytes(content)
    ended = run(folder, mode, f"--config_path={recipe}", f"--load_model_path={STRANGER}")
    assert not (folder / TRACE).exists()
    assert ended.code == 3, ended
    assert ended.message.startswith(f"{STRANGER}: ")
    assert ended.outside(folder / "logs") == []
    return ended


@examples(60)
@given(content=st.binary(max_size=200), mode=st.sampled_from(["--train", "--eval"]))
def test_random_bytes(tmp_path: Path, content: bytes, mode: str) -> None:
    refused(tmp_path, content, mode)


@examples(60)
@given(content=st.binary(max_size=200))
@example(content=b"")
@example(content=b"\x80\x02}.")
def test_random_bytes_with_a_right_header(tmp_path: Path, content: bytes) -> None:
    refused(tmp_path, file_of(content), "--eval")


@examples(60)
@given(data=st.data())
def test_a_cut_or_changed_file(tmp_path: Path, checkpoint: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(checkpoint) - 1))
    changed = bytearray(checkpoint)
    changed[at] ^= data.draw(st.integers(1, 255))
    refused(tmp_path, data.draw(st.sampled_from([bytes(changed), checkpoint[:at]])), "--eval")


@examples(60)
@given(data=st.data())
def test_a_changed_payload_with_a_right_digest_is_refused_or_means_the_same(
    tmp_path: Path, checkpoint: bytes, data: st.DataObject
) -> None:
    """What the digest cannot notice: bytes changed by somebody who writes a new one."""
    changed = bytearray(checkpoint[HEADER_SIZE:])
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    result = loaded_or_refused(tmp_path, file_of(bytes(changed)))
    assert not isinstance(result, str) or result.startswith(str(tmp_path / STRANGER))


def paths_into(value: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to every part of a payload."""
    parts = dict(enumerate(value)) if isinstance(value, list) else value
    found = [before] if before else []
    if isinstance(parts, dict):
        found += [path for key, part in parts.items() for path in paths_into(part, (*before, key))]
    return found


def changed_payload(payload: Any, data: st.DataObject, *, stranger: Any = None) -> Any:
    """Return a copy of `payload` of which one part is gone or something else."""
    changed = copy.deepcopy(payload)
    *way, last = data.draw(st.sampled_from(paths_into(payload)))
    inner = changed
    for key in way:
        inner = inner[key]
    if stranger is not None:
        inner[last] = stranger
    elif data.draw(st.booleans()):
        del inner[last]
    else:
        inner[last] = data.draw(things)
    return changed


things = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=5),
    st.just("9" * 5000),
    st.builds(list),
    st.builds(dict),
    st.dictionaries(st.one_of(st.text(max_size=3), st.integers()), st.integers(), max_size=2),
    st.sampled_from([(), (0,), (3, 4), (2**20,)]).map(torch.zeros),
    st.just(torch.tensor([float("nan")])),
)


def loaded_or_refused(folder: Path, content: bytes) -> GamePlayer | str:
    """Make a player of the file, without the environments it would play in, or say why not."""
    path = folder / STRANGER
    path.write_bytes(content)
    try:
        agent = load_agent(path, load_config(recipe_of(folder)), CPU, greedy=False)
    except CheckpointError as error:
        return str(error)
    return agent.player


def recipe_of(folder: Path) -> Path:
    return write_recipe(folder, CARTPOLE)


@examples(60)
@given(data=st.data())
def test_a_payload_of_which_a_part_is_gone_or_another(
    tmp_path: Path, trained: Path, data: st.DataObject
) -> None:
    payload = load_payload(checkpoint_path(trained, NAME))
    result = loaded_or_refused(tmp_path, file_of(pack(changed_payload(payload, data))))
    assert not isinstance(result, str) or result.startswith(str(tmp_path / STRANGER))


@examples(40)
@given(data=st.data(), number=st.integers(0, len(CALLS) - 1), zipped=st.booleans())
def test_a_payload_that_would_run_code_is_refused_wherever_the_code_stands(
    tmp_path: Path, trained: Path, data: st.DataObject, number: int, zipped: bool
) -> None:
    payload = load_payload(checkpoint_path(trained, NAME))
    buffer = io.BytesIO()
    content = changed_payload(payload, data, stranger=Calls(number))
    torch.save(content, buffer, _use_new_zipfile_serialization=zipped)
    ended = refused(tmp_path, file_of(buffer.getvalue()), "--eval")
    assert f"{STRANGER}: its payload is refused: it asks for " in ended.message


@examples(40)
@given(number=st.integers(0, len(CALLS) - 1), protocol=st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_a_bare_pickle_that_would_run_code(tmp_path: Path, number: int, protocol: int) -> None:
    refused(tmp_path, pickle.dumps(Calls(number), protocol), "--eval")
    refused(tmp_path, file_of(pickle.dumps({"facts": [Calls(number)]}, protocol)), "--train")


@examples(2, full=100)
@given(data=st.data())
def test_a_run_continues_from_a_changed_payload_or_refuses_it(
    tmp_path: Path, trained: Path, data: st.DataObject
) -> None:
    """The environments are started: few of these."""
    payload = load_payload(checkpoint_path(trained, NAME))
    work = tmp_path / "work"
    recipe = write_recipe(work, CARTPOLE, TotalEnvSteps=1)
    (work / STRANGER).write_bytes(file_of(pack(changed_payload(payload, data))))
    command = ("--train", f"--config_path={recipe}", f"--load_model_path={STRANGER}")
    ended = run(work, *command, "--overwrite", "--num_workers=1")
    assert ended.code in (0, 3), ended
    if ended.code == 3:
        assert ended.message.startswith(STRANGER)
    assert ended.outside(work / "logs", work / "checkpoints") == []


def test_a_checkpoint_cannot_choose_what_is_imported(tmp_path: Path, trained: Path) -> None:
    """EnvID = module:id imports the module: the user must have named the same."""
    payload = load_payload(checkpoint_path(trained, NAME))
    payload["facts"]["config"] |= {"EnvType": "gymnasium", "EnvID": "antigravity:Fly-v0"}
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / STRANGER).write_bytes(file_of(pack(payload)))
    recipe = tmp_path / "work" / "recipe.conf"
    recipe.write_text("[Run]\nSeed = 1\n")
    ended = run(
        tmp_path / "work", "--eval", f"--config_path={recipe}", f"--load_model_path={STRANGER}"
    )
    assert ended.code == 3
    assert "would import the module antigravity" in ended.message
    assert "--set EnvID=antigravity:Fly-v0" in ended.message
