"""What stands beside the curves, read back by TensorBoard's own reader and plugins."""

import time
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped] # tensorboard ships no types
    EventAccumulator,
)
from tensorboard.plugins.custom_scalar.layout_pb2 import (  # type: ignore[import-untyped]
    Layout as LayoutMessage,
)
from tensorboard.plugins.hparams.plugin_data_pb2 import (  # type: ignore[import-untyped]
    HParamsPluginData,
)

from configs.loading import load_config
from tests.runs import CARTPOLE, write_recipe
from training.figures.curve_layout import curve_layout
from training.figures.curve_pages import Pages, configuration_page, hparams_of, versions_page
from training.figures.metrics import MetricsWriter
from training.folders.run_folder import RunFolder

LAYOUT = curve_layout(
    has_bonus=True, has_head=False, has_rooms=True, from_replay=False, num_ranks=2
)


def pages(tmp_path: Path) -> Pages:
    loaded = load_config(write_recipe(tmp_path, CARTPOLE), ["Seed=7", "IntCoef=0.5"])
    texts = {
        "configuration": configuration_page(loaded),
        "versions": versions_page({"torch": "2.13.0"}),
    }
    return Pages(texts, hparams_of(loaded), LAYOUT)


def write_run(tmp_path: Path, env_steps: list[int], resume_from_step: int | None = None) -> Path:
    run = RunFolder(tmp_path, "demo")
    run.path.mkdir(parents=True, exist_ok=True)
    with MetricsWriter(run, resume_from_step=resume_from_step) as writer:
        writer.show(pages(tmp_path))
        for step in env_steps:
            writer.write(step, step, {"charts/episodic_return": float(step)})
    return run.tensorboard_path


def read(folder: Path) -> Any:
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0, "scalars": 0})
    events.Reload()
    return events


def layouts(events: Any) -> list[Any]:
    found = events.Tensors("custom_scalars__config__")
    return [LayoutMessage.FromString(event.tensor_proto.string_val[0]) for event in found]


def hparams_data(events: Any, tag: str) -> Any:
    content = events.SummaryMetadata(f"_hparams_/{tag}").plugin_data.content
    return HParamsPluginData.FromString(content)


def test_the_files_of_a_run_hold_layout_settings_and_text(tmp_path: Path) -> None:
    events = read(write_run(tmp_path, [128, 256]))
    (layout,) = layouts(events)
    assert [category.title for category in layout.category] == [
        "1 look first",
        "2 policy",
        "3 losses",
        "5 machine",
    ]
    assert layout.category[0].chart[0].multiline.tag == [r"charts/episodic_return$"]
    start = hparams_data(events, "session_start_info").session_start_info
    assert start.hparams["Seed"].number_value == 7
    assert start.hparams["IntrinsicReward"].string_value == "RND"
    experiment = hparams_data(events, "experiment").experiment
    assert "charts/episodic_return" in [info.name.tag for info in experiment.metric_infos]
    text = events.Tensors("configuration/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "| Seed | **`7`** | command line |" in text
    assert "| NumStep | **`16`** | file |" in text
    assert "| GAELambda | `0.95` | default |" in text
    text = events.Tensors("versions/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "| torch | `2.13.0` |" in text


def test_no_folder_but_the_two_of_the_axes_is_made(tmp_path: Path) -> None:
    folder = write_run(tmp_path, [128])
    assert [path.name for path in folder.iterdir() if path.is_dir()] == ["frames"]


def test_a_resumed_run_doubles_and_loses_no_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(tmp_path, [100, 200, 300])
    later = time.time() + 5  # TensorBoard reads its files in the order of their start in seconds
    monkeypatch.setattr(time, "time", lambda: later)
    events = read(write_run(tmp_path, [300, 400], resume_from_step=200))
    points = events.Scalars("charts/episodic_return")
    assert [event.step for event in points] == [100, 200, 300, 400]
    assert {layout.SerializeToString() for layout in layouts(events)} == {
        layouts(events)[0].SerializeToString()
    }
    assert hparams_data(events, "session_start_info").HasField("session_start_info")


def test_a_run_has_charts_for_its_curves_alone() -> None:
    bare = curve_layout(
        has_bonus=False, has_head=False, has_rooms=False, from_replay=False, num_ranks=1
    )
    titles = [title for charts in bare.values() for title in charts]
    assert not {"rooms", "intrinsic reward", "predictor", "representation"} & set(titles)
    assert bare["3 losses"]["values"] == ["Multiline", [r"losses/value_extrinsic$"]]
    full = curve_layout(
        has_bonus=True, has_head=True, has_rooms=True, from_replay=False, num_ranks=2
    )
    assert "4 representation" in full
    kinds = [chart[0] for chart in full["5 machine"].values()]
    assert kinds == ["Multiline", "Multiline", "Multiline", "Margin", "Margin"]


def test_charts_of_an_agent_that_learns_from_a_replay_buffer_are_its_own() -> None:
    layout = curve_layout(
        has_bonus=False, has_head=False, has_rooms=False, from_replay=True, num_ranks=1
    )
    assert "2 policy" not in layout
    assert list(layout["3 losses"]) == ["critics", "actor", "value of the first critic"]
