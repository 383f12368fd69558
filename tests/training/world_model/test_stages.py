"""The stages of a world model: commands that main.py knows, each run once."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from commands.verbs import build_parser, checked_verb
from configs.errors import ConfigurationError
from tests.runs import MAIN
from tests.training.offline.made import square, write
from training.checkpoints.encoder import load_encoder
from training.world_model import running
from training.world_model.page import write_page
from training.world_model.presets import PAPER, PRESETS, SMALL, Preset
from training.world_model.running import HEARD, Pipeline
from training.world_model.stages import Stage, stages_of
from training.world_model.stamps import fingerprints
from trajectories.reader import open_dataset

PROJECT = MAIN.parent
RECIPE = "[Environment]\nEnvType = classic_control\nEnvID = CartPole-v1\n"
TINY = Preset(
    action_repeat=3,
    num_rollouts=110,
    max_steps=40,
    encoder_steps=20,
    dynamics_steps=10,
    generations=10,  # an evaluation, and so a best controller
    population=8,
    trials=1,
    with_memory=False,
    episodes=2,
)


@pytest.mark.parametrize("preset", PRESETS)
def test_main_py_knows_every_word_of_every_stage(preset: str) -> None:
    for stage in stages_of(PRESETS[preset], Path("runs/car"), 1):
        parser = build_parser()
        args = parser.parse_args(list(stage.words))
        checked_verb(parser, args)
        assert stage.recipe is None or (PROJECT / stage.recipe).is_file()


def test_every_stage_comes_after_those_that_it_needs() -> None:
    seen: set[str] = set()
    for stage in stages_of(PAPER, Path("runs/car"), 1):
        assert set(stage.needs) <= seen
        seen.add(stage.name)


def test_what_a_stage_builds_on_changes_its_fingerprint_and_no_other() -> None:
    def of(preset: Preset) -> dict[str, str]:
        return fingerprints(stages_of(preset, Path("runs/car"), 1))

    before, after = of(SMALL), of(replace(SMALL, dynamics_steps=1))
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"dynamics", "dream"}


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    """Two cheap stages: a dataset, and its check; signals are the tests' own again afterwards."""
    before = {number: signal.getsignal(number) for number in HEARD}
    monkeypatch.chdir(PROJECT)
    recipe = tmp_path / "recipe.conf"
    recipe.write_text(RECIPE)
    data = tmp_path / "data"
    words = ("--collect", f"--config_path={recipe}", "--resume", "--num_rollouts=2")
    product = data / "manifest-*.json"
    yield Pipeline(
        tmp_path,
        (
            Stage("collect", "two games", (*words, f"--out_dir={data}"), (), product, recipe),
            Stage("verify", "checked", ("--data", "verify", str(data)), ("collect",), product),
        ),
        num_ranks=1,
        overwrite=False,
    )
    for number, handler in before.items():
        signal.signal(number, handler)


def test_whole_stages_are_passed_over_and_damaged_ones_are_not(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pipeline.run() == 0
    assert "[1/2] collect: done" in capsys.readouterr().out
    assert pipeline.run() == 0
    assert "[2/2] verify: whole, passed over" in capsys.readouterr().out
    shard = next((pipeline.folder / "data").glob("*.parquet"))
    shard.unlink()
    (pipeline.folder / "stages" / "verify.json").unlink()
    assert pipeline.run() == 8  # the dataset is refused
    assert "[2/2] verify: error:" in capsys.readouterr().out


def test_what_other_settings_made_is_replaced_on_request_alone(
    pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pipeline.run() == 0
    first = pipeline.stages[0]
    more = replace(first, words=tuple(w.replace("=2", "=3") for w in first.words))
    other = replace(pipeline, stages=(more, pipeline.stages[1]))
    with pytest.raises(ConfigurationError, match=r"collect, verify were made with other settings"):
        other.run()
    capsys.readouterr()
    assert replace(other, overwrite=True).run() == 0
    assert (
        "done: 3 episodes"
        in subprocess.run(
            [sys.executable, MAIN, *more.words], capture_output=True, text=True, check=True
        ).stdout
        or (pipeline.folder / "data").is_dir()
    )


def test_latents_of_an_encoder_that_is_replaced_are_encoded_anew(
    tmp_path: Path, pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    del pipeline  # which lends its folder and its signals
    write(tmp_path / "rollouts", [square(seed, steps=3) for seed in range(4)])
    recipe = tmp_path / "recipe.conf"
    recipe.write_text("[Encoder]\nModel = state_autoencoder\nEncoderBatchSize = 4\n")
    _, _, encoder, _, encode, *_ = stages_of(SMALL, tmp_path, 1)
    words = (*encoder.words[:1], f"--config_path={recipe}", *encoder.words[2:])

    def trained_for(steps: int, *, overwrite: bool) -> Pipeline:
        own = tuple(f"--train_steps={steps}" if "train_steps" in w else w for w in words)
        product = tmp_path / "vae" / "model.ckpt"  # too few episodes for a best one
        first = replace(encoder, words=own, needs=(), product=product, recipe=recipe)
        return Pipeline(tmp_path, (first, encode), 1, overwrite)

    def digest() -> str:
        described = open_dataset(tmp_path / "latents").info.description.facts["encoder"]
        assert described["digest"] == load_encoder(tmp_path / "vae").digest
        return str(described["digest"])

    assert trained_for(1, overwrite=False).run() == 0
    before = digest()
    assert trained_for(2, overwrite=True).run() == 0
    assert digest() != before
    assert len(open_dataset(tmp_path / "latents")) == 4
    capsys.readouterr()
    assert trained_for(2, overwrite=False).run() == 0
    assert "encode: whole, passed over" in capsys.readouterr().out


class Made:
    """Two stages in the place of commands that take long: each leaves a file that tells of it.

    Attributes:
        folder: where all of it lies.
        begun: the flags that each stage was begun with, in their order.
        stopped: the stage that is stopped once it has removed what it replaces; "" for none.
        version: of what the first stage makes; the second one copies it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.begun: list[str] = []
        self.stopped = ""
        self.version = 1

    def stages(self, setting: int) -> tuple[Stage, Stage]:
        def stage(name: str, *needs: str) -> Stage:
            words = (name, "--resume", f"--steps={setting}")
            return Stage(name, name, words, needs, self.folder / f"{name}.out")

        return stage("first"), stage("second", "first")

    def run(self, command: list[str]) -> tuple[int, str]:
        name, flag = command[2:4]
        self.begun.append(f"{name} {flag}")
        product = self.folder / f"{name}.out"
        if self.stopped == f"{name} refused":
            return 2, ""
        if name == self.stopped.removesuffix(" at once"):
            if flag == "--overwrite" and not self.stopped.endswith("at once"):
                product.unlink(missing_ok=True)
            return 75, ""
        source = f"version {self.version}"
        if name == "second":
            source = (self.folder / "first.out").read_text()
        product.write_text(f"{command} of {source}")
        return 0, ""

    def pipeline(self, setting: int = 1, *, overwrite: bool = False) -> Pipeline:
        self.begun.clear()
        return Pipeline(self.folder, self.stages(setting), 1, overwrite)


@pytest.fixture
def made(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Made:
    made = Made(pipeline.folder)
    monkeypatch.setattr(running, "run", made.run)
    assert made.pipeline().run() == 0
    assert made.begun == ["first --resume", "second --resume"]
    return made


def test_a_stage_that_replaces_and_is_stopped_goes_on_by_the_same_command(made: Made) -> None:
    made.stopped = "first"
    assert made.pipeline(2, overwrite=True).run() == 75
    assert made.begun == ["first --overwrite"]
    assert made.pipeline(2, overwrite=True).run() == 75
    assert made.begun == ["first --resume"]
    made.stopped = ""
    assert made.pipeline(2, overwrite=True).run() == 0
    assert made.begun == ["first --resume", "second --overwrite"]


def test_a_stage_that_is_stopped_before_it_has_replaced_anything_replaces_it_then(
    made: Made,
) -> None:
    made.stopped = "first at once"
    assert made.pipeline(2, overwrite=True).run() == 75
    with pytest.raises(ConfigurationError, match="first, second were made with other settings"):
        made.pipeline(2).run()
    made.stopped = ""
    assert made.pipeline(2, overwrite=True).run() == 0
    assert made.begun == ["first --overwrite", "second --overwrite"]


def test_a_stage_that_was_stopped_is_not_gone_on_with_under_other_settings(made: Made) -> None:
    made.stopped = "second"
    assert made.pipeline(2, overwrite=True).run() == 75
    made.stopped = ""
    with pytest.raises(ConfigurationError, match="first, second were made with other settings"):
        made.pipeline(3).run()
    assert made.pipeline(3, overwrite=True).run() == 0
    assert made.begun == ["first --overwrite", "second --overwrite"]


@pytest.mark.parametrize("change", ["lost", "made anew"])
def test_what_was_made_from_something_that_has_changed_since_is_not_whole(
    made: Made, change: str
) -> None:
    first, second = made.folder / "first.out", made.folder / "second.out"
    made.version = 2
    if change == "lost":
        first.unlink()
    else:
        first.write_text("another one, by hand")
    with pytest.raises(ConfigurationError, match="what first left is not what second was made fr"):
        made.pipeline().run()
    assert made.begun == []
    assert made.pipeline(overwrite=True).run() == 0
    assert made.begun == ["first --resume", "second --overwrite"]
    assert second.read_text().endswith(first.read_text())
    assert made.pipeline().run() == 0
    assert made.begun == []


def test_a_stage_that_an_earlier_one_has_just_outdated_is_not_replaced_unasked(
    made: Made,
) -> None:
    (made.folder / "stages" / "first.json").unlink()  # so that it is run again
    made.version = 2
    with pytest.raises(ConfigurationError, match="OVERWRITE=1 makes second anew"):
        made.pipeline().run()
    assert made.begun == ["first --resume"]


def test_a_stage_that_was_refused_is_none_of_other_settings(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Made(pipeline.folder)
    monkeypatch.setattr(running, "run", made.run)
    made.stopped = "first refused"
    assert made.pipeline(1).run() == 2
    made.stopped = ""
    assert made.pipeline(2).run() == 0
    assert made.begun == ["first --resume", "second --resume"]


def test_stamps_from_before_sources_were_noted_are_taken_at_their_word(made: Made) -> None:
    for file in (made.folder / "stages").iterdir():
        stamp = json.loads(file.read_text())
        file.write_text(json.dumps({key: stamp[key] for key in ("fingerprint", "product")}))
    assert made.pipeline().run() == 0
    assert made.begun == []


def test_the_page_tells_of_the_checkpoint_that_is_used(tmp_path: Path) -> None:
    (tmp_path / "mdn").mkdir()
    judged = [
        {"step": 20, "losses/total": 5.0},
        *(
            {"step": step, "validation/loss": loss, "dynamics/nll": nll}
            for step, loss, nll in ((50, 3.0, 1.5), (100, 2.0, 1.25), (150, 2.5, 1.75))
        ),
        {"step": 160, "losses/total": 1.0},
    ]
    text = "".join(json.dumps(row) + "\n" for row in judged)
    (tmp_path / "mdn" / "metrics.jsonl").write_text(text)
    page = write_page(tmp_path, "small", stages_of(SMALL, tmp_path, 1)).read_text()
    assert [nll for nll in ("1.5", "1.25", "1.75") if f"<td>{nll}</td>" in page] == ["1.25"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_small_world_model_stops_goes_on_and_ends_with_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PRESETS, "small", TINY)
    script = (
        "from training.world_model import presets;"
        f"presets.PRESETS['small'] = presets.Preset(**{TINY.__dict__!r});"
        "from training.world_model.__main__ import main; import sys;"
        "sys.exit(main(sys.argv[1:]))"
    )
    folder = tmp_path / "tiny_world"
    command = [sys.executable, "-c", script, "--folder", str(folder)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:  # twice: as a stage begins, and as its end is told
            if "[3/10] encoder:" in line:
                process.send_signal(signal.SIGTERM)
        assert process.wait() == 75
    ended = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "[1/10] collect: whole, passed over" in ended.stdout
    page = (folder / "world_model.html").read_text()
    for words in ("Scout&#x27;s frames", "data:video/mp4", "Score of the mean controller"):
        assert words in page
