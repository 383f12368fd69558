"""Text as a user, a slip of the hand or a stranger may give it."""

import os

from hypothesis import strategies as st

# What the operating system can pass on: bytes without zero, some of them no text.
typed = st.binary(max_size=40).map(lambda data: os.fsdecode(data.replace(b"\0", b"\1")))
long_words = st.integers(200, 5000).map("x".__mul__)
numbers = st.one_of(st.integers().map(str), st.floats().map(str), st.just("9" * 5000))
known_words = st.sampled_from(
    ["True", "off", "auto", "None", "1,2,3", "RND", "../x", "/tmp", "~", "$(id)", "%s", "{0}", "-"]
)
names = st.sampled_from(
    [
        *("../x", "../../x", "..", ".", "", "/", "/tmp/x", "a/b", "a\\b", "~root", "-rf", "--eval"),
        *(
            ".hidden",
            "a b",
            "a\nb",
            "a\tb",
            "\x1b[31m",
            "naïve",
            "名前",
            "\u202ex",
            "con",
            "x" * 128,
        ),
        *("x" * 129, "x" * 300, "x" * 5000, "a:b", "*", "$(id)", "`id`", "%00", "a.ckpt", "logs"),
    ]
)
# Whole ones, so that combinations get further than the parser.
words = st.one_of(typed, numbers, known_words, names, long_words)
