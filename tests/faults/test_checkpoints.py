"""Rows 15 and 16: checkpoints that are torn, changed, foreign, malicious, or of another agent."""

import io
import os
import pickle
import random
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from agents.ranks import bytes_tensor
from configs.errors import CheckpointError
from tests.checkpoint_files import file_of, payload
from tests.faults.figures import Figures, count
from tests.records import checkpoint_path, read_status, run_path
from tests.records import figures as rows_of
from tests.runs import CARTPOLE, run_here, write_recipe
from training.checkpoints.storage import (
    HEADER_SIZE,
    VERSION,
    Saver,
    companions,
    is_whole,
    load_payload,
    pack,
    read_checkpoint,
    unpack,
)

NAME = "demo"

pytestmark = pytest.mark.timeout(600)

Captured = pytest.CaptureFixture[str]


class RunsCode:
    """An object whose pickle makes a folder when it is read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self._path),)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "demo.ckpt"


def assert_refused(path: Path) -> None:
    assert not is_whole(path)
    with pytest.raises(CheckpointError, match=re.escape(str(path))):
        read_checkpoint(path)


def test_a_file_cut_at_any_length_is_refused(figures: Figures, path: Path) -> None:
    whole = file_of(pack(payload(1)))
    draw = random.Random(1)
    anywhere = (draw.randrange(len(whole)) for _ in range(count(200, 1000)))
    for length in (*range(HEADER_SIZE + 50), *anywhere, *range(len(whole) - 20, len(whole))):
        path.write_bytes(whole[:length])
        with figures.trial(15, "torn files refused"):
            assert_refused(path)


def test_any_flipped_bit_is_noticed(figures: Figures, path: Path) -> None:
    whole = file_of(pack(payload(1)))
    draw = random.Random(1)
    in_the_header = range(8 * HEADER_SIZE)
    anywhere = (draw.randrange(8 * len(whole)) for _ in range(1000 - 8 * HEADER_SIZE))
    for bit in (*in_the_header, *anywhere):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        with figures.trial(15, "flipped bits noticed"):
            assert_refused(path)
    path.write_bytes(whole)
    assert is_whole(path)


def torch_file(content: object, *, zipped: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_payload_that_would_run_code_is_refused_and_its_code_not_run(
    figures: Figures, path: Path, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    code = RunsCode(trace)
    protocols = range(pickle.HIGHEST_PROTOCOL + 1)
    payloads = [
        *(torch_file({"facts": code}, zipped=zipped) for zipped in (True, False)),
        *(pickle.dumps(code, protocol=protocol) for protocol in protocols),
        *(pickle.dumps({"weights": [code]}, protocol=protocol) for protocol in protocols),
    ]
    for data in payloads:
        path.write_bytes(file_of(data))
        assert is_whole(path)  # its digest is right: what it holds must be refused
        with figures.trial(15, "payloads with code refused"):
            with pytest.raises(CheckpointError, match=r"demo\.ckpt: its payload is refused"):
                load_payload(path)
            assert not trace.exists()


@dataclass(frozen=True)
class Trained:
    """A small run that ended, and was saved twice."""

    folder: Path

    @property
    def command(self) -> list[str]:
        return ["--train", "--num_workers=1", f"--log_name={NAME}"]

    def copy_to(self, folder: Path) -> Path:
        """Lay the run out anew; return its newest checkpoint."""
        for part in ("checkpoints", "logs"):
            shutil.copytree(self.folder / part, folder / part)
        path = checkpoint_path(folder, NAME)
        newest, previous, best = companions(path)
        best.unlink(missing_ok=True)
        for file in (newest, previous):  # no more second names of one file
            content = file.read_bytes()
            file.unlink()
            file.write_bytes(content)
        return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    run = Trained(tmp_path_factory.mktemp("trained"))
    recipe = write_recipe(run.folder, CARTPOLE, TotalEnvSteps=64, saveCkptEvery=1)
    assert run_here(run.folder, *run.command, f"--config_path={recipe}") == 0
    return run


def flip(content: bytes) -> bytes:
    changed = bytearray(content)
    changed[len(changed) // 2] ^= 1
    return bytes(changed)


TRACE = Path("made-by-a-checkpoint").absolute()

DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "torn in its header": lambda content: content[:20],
    "torn": lambda content: content[:-1],
    "flipped": flip,
    "too long": lambda content: content + b"\0",
    "foreign": lambda content: torch_file({"model": torch.zeros(3)}, zipped=True),
    "of another format": lambda content: file_of(content[HEADER_SIZE:], VERSION + 1),
    "malicious": lambda content: file_of(pickle.dumps(RunsCode(TRACE))),
}


def contents(folder: Path) -> dict[Path, bytes]:
    """Return all files of the run but its lock and its word, which may say why it ended."""
    files = (path for path in folder.rglob("*") if path.is_file())
    own = {"run.lock", "status.json"}
    return {path: path.read_bytes() for path in files if path.name not in own}


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_checkpoint_is_refused_by_name_and_the_good_one_offered(
    kind: str, trained: Trained, figures: Figures, tmp_path: Path, capsys: Captured
) -> None:
    path = trained.copy_to(tmp_path)
    newest, previous, _ = companions(path)
    newest.write_bytes(DAMAGE[kind](newest.read_bytes()))
    recipe = f"--config_path={trained.folder / 'recipe.conf'}"
    before = contents(tmp_path)
    with figures.trial(15, "runs from damaged checkpoints refused"):
        how = f"--load_model_path=checkpoints/{path.name}"
        assert run_here(tmp_path, *trained.command, recipe, how) == 3
        message = capsys.readouterr().err
        assert message.startswith(f"error: checkpoints/{path.name}: ")
        assert message.rstrip().endswith(f"beside it: checkpoints/{previous.name}")
        previous.write_bytes(DAMAGE[kind](previous.read_bytes()))
        before[previous] = previous.read_bytes()
        assert run_here(tmp_path, *trained.command, recipe, "--resume") == 3
        assert capsys.readouterr().err.startswith(f"error: checkpoints/{path.name}: ")
        assert contents(tmp_path) == before, "no silent restart from zero"
        assert not TRACE.exists()


def test_resume_goes_on_from_the_previous_checkpoint_where_the_newest_is_torn(
    trained: Trained, figures: Figures, tmp_path: Path, capsys: Captured
) -> None:
    path = trained.copy_to(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    recipe = f"--config_path={trained.folder / 'recipe.conf'}"
    with figures.trial(15, "runs that went on from the previous one"):
        assert run_here(tmp_path, *trained.command, recipe, "--resume") == 0
        assert "continued at 32 env steps" in capsys.readouterr().out
        assert len(rows_of(tmp_path, NAME)) == 2


MISFITS = [
    {"EnvID": "Acrobot-v1"},
    {"EnvID": "MountainCar-v0"},
    {"EnvID": "MountainCarContinuous-v0"},
    {"EnvType": "gymnasium"},
    {"EnvType": "minigrid", "EnvID": "key_corridor"},
    {"ObservationType": "pixels"},
    {"StateHiddenSizes": "32"},
    {"StateHiddenSizes": "16, 16, 16"},
    {"RNDFeatureDim": "16"},
    {"RNDStateHiddenSizes": "8, 8"},
    {"IntrinsicReward": "none"},
    {"IntrinsicReward": "DRND"},
]


@pytest.mark.parametrize("changes", MISFITS, ids=str)
def test_a_checkpoint_of_another_agent_is_refused_with_a_table(
    changes: dict[str, str], trained: Trained, figures: Figures, tmp_path: Path, capsys: Captured
) -> None:
    path = trained.copy_to(tmp_path)
    before = contents(tmp_path)
    settings = [f"--set={key}={value}" for key, value in changes.items()]
    recipe = f"--config_path={trained.folder / 'recipe.conf'}"
    with figures.trial(16, "misfits refused"):
        assert run_here(tmp_path, *trained.command, recipe, *settings, "--resume") == 3
        message = capsys.readouterr().err
        assert f"error: checkpoints/{path.name} does not fit" in message
        assert re.search(r"key +wanted +found in the checkpoint", message)
        for key, value in changes.items():
            assert re.search(rf"^ *{key} +{re.escape(value)} +\S", message, re.MULTILINE), message
        assert contents(tmp_path) == before
        assert run_path(tmp_path, NAME).exists()


def test_a_snapshot_that_its_environment_refuses_is_a_refused_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = write_recipe(tmp_path, CARTPOLE)
    command = ("--train", f"--config_path={recipe}", "--log_name=demo", "--num_workers=1")
    assert run_here(tmp_path, *command, "--max_env_steps=64") == 0
    path = tmp_path / "checkpoints" / "demo.ckpt"
    found = load_payload(path)
    (part,) = (unpack(each.numpy().tobytes()) for each in found["ranks"])
    part["environments"] = [bytes_tensor(bytes(16) + b"a save-game of another time")] * 2
    found["ranks"] = [bytes_tensor(pack(part))]
    path.unlink()
    Saver(path).save(found, is_best=False)
    assert run_here(tmp_path, *command, "--resume") == 3
    message = capsys.readouterr().err
    assert f"error: checkpoints/{path.name}: worker 0" in message
    assert "refuse the snapshots of the checkpoint" in message
    assert read_status(tmp_path, "demo")["code"] == 3
