"""An evaluation in TensorBoard, read back by its own reader."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped] # tensorboard ships no types
    EventAccumulator,
)

from training.figures.evaluation_curves import MOST_COLUMNS, MOST_FRAMES, show_evaluation
from training.playing.video import VideoWriter


def written_video(tmp_path: Path, frames: int, width: int = 800) -> Path:
    path = tmp_path / "episode.mp4"
    with VideoWriter(path, fps=30, height=320, width=width) as video:
        for index in range(frames):
            frame = np.zeros((320, width, 3), np.uint8)
            frame[:, : width * index // frames] = (255, 0, 0)
            video.write(frame)
    return path


def read(run: Path) -> Any:
    events = EventAccumulator(str(run / "evaluation"))
    events.Reload()
    return events


def test_an_episode_is_a_moving_picture_beside_its_score(tmp_path: Path) -> None:
    video = written_video(tmp_path, 90)
    show_evaluation(tmp_path / "run", "a_128_sampled_seed1", 128, {"score_sampled": 21.0}, video)
    events = read(tmp_path / "run")
    assert [(e.step, e.value) for e in events.Scalars("evaluation/score_sampled")] == [(128, 21.0)]
    (image,) = events.Images("evaluation/episode")
    assert image.step == 128
    with Image.open(io.BytesIO(image.encoded_image_string)) as picture:
        assert picture.format == "GIF"
        assert picture.size == (image.width, image.height) == (MOST_COLUMNS, 256)
        assert picture.n_frames == MOST_FRAMES  # type: ignore[attr-defined]
        picture.seek(MOST_FRAMES - 1)
        red, green, _ = np.asarray(picture.convert("RGB"))[100, 10]
        assert red > 200
        assert green < 50


def test_a_short_episode_is_shown_whole(tmp_path: Path) -> None:
    video = written_video(tmp_path, 3, width=300)
    show_evaluation(tmp_path / "run", "a", 128, {}, video)
    (image,) = read(tmp_path / "run").Images("evaluation/episode")
    with Image.open(io.BytesIO(image.encoded_image_string)) as picture:
        assert picture.n_frames == 3  # type: ignore[attr-defined]
        assert picture.size == (300, 320)


def test_the_same_evaluation_again_takes_the_place_of_the_first(tmp_path: Path) -> None:
    for stem, step, score in (("a_1", 1, 5.0), ("a_2", 2, 6.0), ("a_1", 1, 7.0)):
        show_evaluation(tmp_path / "run", stem, step, {"score_greedy": score}, None)
    points = read(tmp_path / "run").Scalars("evaluation/score_greedy")
    assert sorted((event.step, event.value) for event in points) == [(1, 7.0), (2, 6.0)]


def test_the_curves_of_a_training_are_left_alone(tmp_path: Path) -> None:
    show_evaluation(tmp_path / "run", "a", 1, {"score_greedy": 1.0}, None)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["evaluation"]
