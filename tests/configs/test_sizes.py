"""Bytes in words."""

import pytest

from configs.sizes import bytes_text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 bytes"),
        (12, "12 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (3_444, "3.4 kB"),
        (45_600, "46 kB"),
        (999_600, "1.0 MB"),
        (120e6, "120 MB"),
        (9.3e9, "9.3 GB"),
        (24.2e9, "24 GB"),
        (5_400e12, "5,400 TB"),
    ],
)
def test_a_number_of_bytes_has_a_unit_and_two_digits_or_more(number: float, text: str) -> None:
    assert bytes_text(number) == text
