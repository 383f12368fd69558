"""What make slurm refuses: in one line, and before anything is written."""

from pathlib import Path
from typing import Any

import pytest

from commands.slurm import main
from tests.runs import CARTPOLE, write_recipe
from training.cluster.variables import seconds_of

Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "STAGE=: make slurm writes jobs of collect, encode, train"),
        (("STAGE=train_encode",), "did you mean train_encoder?"),
        (("STAGE=eval",), "STAGE=eval: make slurm writes jobs of"),
        (("STAGE=train", "NODE=2"), "NODE= is no variable of make slurm"),
        (("STAGE=train", "NODE=2"), "did you mean NODES?"),
        (("STAGE=train", "RANKS=2"), "did you mean NPROC?"),
        (("STAGE=encode", "NODES=2"), "is an array of jobs; TASKS says how many"),
        (("STAGE=train", "TASKS=2"), "one job of several processes; NODES and NPROC"),
        (("STAGE=train", "GPUS=2", "NPROC=1"), "give GPUS alone"),
        *(
            (("STAGE=train", f"NODES={value}"), "is no whole number of 1 or more")
            for value in ("0", "-1", "1.5", "", "²")
        ),
        *(
            (("STAGE=train", f"TIME={value}"), "give a limit of 10 minutes or more")
            for value in ("9", "soon", "0-0", "00:09:59", "1:2:3:4")
        ),
        (("STAGE=train", "ARGS='"), "a quotation mark is open"),
        (("STAGE=train", "ARGS=--overwrite"), "every start of the job would remove"),
        (("STAGE=train", "ARGS=--gpu_id=1"), "Slurm gives a job its GPUs"),
        (("STAGE=encode", "ARGS=--outer_shard_index 1"), "has its own --outer_shard_index"),
        (("STAGE=collect", "ARGS=--num_instances=2"), "has its own --num_instances"),
        (("STAGE=train", "ARGS=--load_model_path=$HOME/x"), "letter by letter"),
        (("STAGE=train", "ARGS='a\nb'"), "letter by letter"),
        (("STAGE=train", "FILE=a\nb"), "letter by letter"),
        (("STAGE=train", "TIME=90\n#SBATCH --x"), "letter by letter"),
        (("STAGE=train", "LOG_NAME=a/b"), "cannot name a run"),
        (("STAGE=train", "CONFIG=none.conf"), "none.conf: no such configuration file"),
        (("STAGE=train", "ARGS=--set Gama=1"), "did you mean Gamma?"),
        (
            ("STAGE=train_encoder", "ARGS=--dataset D --model_dir E --learning_rate x"),
            "EncoderLearningRate=x: is not a number",
        ),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_written(
    words: tuple[str, ...], told: str, tmp_path: Path, capsys: Captured, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = write_recipe(tmp_path, CARTPOLE)
    if "CONFIG" not in " ".join(words) and "STAGE=train" in words:
        words = (*words, "CONFIG=recipe.conf")
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert told in said.err
    assert len(said.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == [recipe]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("STAGE=encode", "ARGS=--modle runs/vae"), "did you mean --model?"),
        (("STAGE=encode", "ARGS=--model runs/vae"), "--encode needs --dataset"),
        (
            ("STAGE=encode", "ARGS=--dataset d --policy random"),
            "--policy is a flag of another mode",
        ),
        (("STAGE=collect", "ARGS=--out_dir d"), "--collect needs --num_rollouts and --out_dir"),
        (("STAGE=train_encoder", "ARGS=--dataset d"), "--train_encoder needs --model_dir"),
        (("STAGE=train", "ARGS=--eval"), "exactly one of"),
    ],
)
def test_flags_are_read_as_main_reads_them(
    words: tuple[str, ...], told: str, tmp_path: Path, capsys: Captured, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(words)
    said = capsys.readouterr().err
    assert end.value.code == 2
    assert told in said
    assert len(said.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_times_are_read_as_slurm_reads_them() -> None:
    read = {
        "90": 5400,
        "90:30": 5430,
        "1:30:05": 5405,
        "2-12": 216_000,
        "1-2:3": 93_780,
        "1-2:3:4": 93_784,
        "": 0,
        "1h": 0,
        "-1": 0,
    }
    assert {text: seconds_of(text) for text in read} == read
