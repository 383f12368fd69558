"""Videos, read back by a reader."""

import resource
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from configs.errors import StorageError
from training.playing.video import VideoWriter, caption_frame


def read_back(path: Path) -> list[NDArray[np.uint8]]:
    """Return the frames of a video, uint8 [H, W, 3], RGB."""
    reader = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    frames = []
    while True:
        there_is_one, frame = reader.read()
        if not there_is_one:
            break
        frames.append(np.asarray(frame[..., ::-1], np.uint8))
    reader.release()
    return frames


def moving_square(num_frames: int, height: int, width: int) -> list[NDArray[np.uint8]]:
    frames = []
    for index in range(num_frames):
        frame = np.full((height, width, 3), (40, 60, 80), np.uint8)
        frame[height // 4 : height // 2, 4 * index : 4 * index + 40] = (220, 30, 10)
        frames.append(frame)
    return frames


def test_a_video_holds_every_frame_in_order_and_in_its_colours(tmp_path: Path) -> None:
    frames = moving_square(20, 400, 320)
    path = tmp_path / "videos" / "episode.mp4"
    with VideoWriter(path, 15, 400, 320) as writer:
        for frame in frames:
            writer.write(frame)
    found = read_back(path)
    assert len(found) == 20
    for frame, original in zip(found, frames, strict=True):
        assert frame.shape == original.shape
        assert np.abs(frame.astype(int) - original).mean() < 6
    reader = cv2.VideoCapture(str(path))
    assert reader.get(cv2.CAP_PROP_FPS) == 15
    assert [file.name for file in path.parent.iterdir()] == ["episode.mp4"]


def test_the_codec_plays_in_browsers(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", 15, 400, 320) as writer:
        writer.write(moving_square(1, 400, 320)[0])
    assert writer.codec in {"vp09", "avc1"}


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (210, 160, (420, 320)),
        (240, 256, (480, 512)),
        (105, 35, (420, 140)),
        (400, 601, (800, 1202)),
    ],
)
def test_small_or_odd_screens_are_enlarged_by_an_integer(
    tmp_path: Path, height: int, width: int, expected: tuple[int, int]
) -> None:
    with VideoWriter(tmp_path / "a.mp4", 15, height, width) as writer:
        for frame in moving_square(2, height, width):
            writer.write(frame)
    assert read_back(tmp_path / "a.mp4")[0].shape[:2] == expected


def test_a_frame_of_another_size_or_type_is_refused(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "a.mp4", 15, 320, 320)
    with pytest.raises(ValueError, match=r"uint8 \[320, 320, 3\], not uint8 \[84, 84, 3\]"):
        writer.write(np.zeros((84, 84, 3), np.uint8))
    with pytest.raises(ValueError, match="not float32"):
        writer.write(np.zeros((320, 320, 3), np.float32))
    writer.discard()
    assert not list(tmp_path.iterdir())


def test_an_error_in_the_episode_leaves_no_file(tmp_path: Path) -> None:
    def fail() -> None:
        with VideoWriter(tmp_path / "a.mp4", 15, 320, 320) as writer:
            writer.write(np.zeros((320, 320, 3), np.uint8))
            raise RuntimeError("the simulator stopped")

    with pytest.raises(RuntimeError, match="the simulator stopped"):
        fail()
    assert not list(tmp_path.iterdir())


def test_a_video_without_frames_is_refused(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "a.mp4", 15, 320, 320)
    with pytest.raises(ValueError, match="no frame"):
        writer.close()
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "videos").write_text("a file")
    with pytest.raises(StorageError, match=r"cannot write .*videos/a\.mp4: "):
        VideoWriter(tmp_path / "videos" / "a.mp4", 15, 320, 320)


def test_a_full_disk_is_noticed_and_keeps_the_old_video(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")
    noise = np.random.default_rng(0).integers(0, 255, (320, 320, 3), dtype=np.uint8)
    writer = VideoWriter(path, 15, 320, 320)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        for _ in range(3):
            writer.write(noise)
        with pytest.raises(StorageError, match="0 of 3 frames can be read back"):
            writer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_caption_stands_below_the_whole_picture() -> None:
    frame = np.random.default_rng(0).integers(0, 255, (210, 160, 3), dtype=np.uint8)
    captioned = caption_frame(frame, ["score 400", "value 1.23 / 0.41"])
    enlarged = frame.repeat(2, axis=0).repeat(2, axis=1)
    assert (captioned[:420] == enlarged).all()
    strip = captioned[420:]
    assert strip.shape[0] >= 48
    assert strip.max() > 180  # light text
    assert np.median(strip) < 40  # on a dark ground
    assert captioned.shape[0] % 2 == 0


def test_a_long_caption_is_cut_and_the_size_does_not_depend_on_the_text() -> None:
    frame = np.zeros((400, 600, 3), np.uint8)
    short, long = (caption_frame(frame, [text, ""]) for text in ("a", "long " * 100))
    assert short.shape == long.shape
    second_line = long[400 + 10 + 24 :]
    assert (second_line == second_line[0, 0]).all()
    assert (long[400:, -5:] == long[-1, -1]).all()
