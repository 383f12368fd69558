"""What is said of a file that cannot be written."""

import errno
import os
from pathlib import Path

import pytest

from configs.errors import FullDiskError
from training.folders.files import storage_error


def refused(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_of_a_disk_without_room_it_is_said_how_much_there_is(number: int, tmp_path: Path) -> None:
    error = storage_error(tmp_path / "row", refused(number), 1234)
    assert isinstance(error, FullDiskError)
    assert "(1,234 bytes needed, " in str(error)
    assert str(error).endswith(" bytes free on its disk); make room there")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EIO, errno.EFBIG])
def test_where_room_is_not_what_is_lacking_none_is_told(number: int, tmp_path: Path) -> None:
    error = storage_error(tmp_path / "row", refused(number), 1234)
    assert str(error) == f"cannot write {tmp_path / 'row'}: {os.strerror(number)}"
    assert not isinstance(error, FullDiskError)
