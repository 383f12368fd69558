"""Whatever a file or a command line holds, loading ends in a Config or a ConfigurationError."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from configs.errors import ConfigurationError
from configs.loading import LoadedConfig, config_from_mapping, load_config
from configs.options import all_options
from configs.schema import Config

QUICK = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

keys = st.sampled_from(
    [option.key for option in all_options().values()]
    + ["Lambda", "TrainMethod", "ProProcWidth", "ClipGradNorm", "Gama", "BarlowTwinsLambda"]
)
# The command line can hold lone surrogates (bytes that are no text), a text file cannot.
anything = st.text(max_size=12)
one_line = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=12)
words = st.sampled_from(["True", "off", "auto", "None", "1,2,3", "RND", "PPO", "9" * 5000, "1e400"])
numbers = st.one_of(st.integers().map(str), st.floats().map(str))
headers = st.sampled_from(["[DEFAULT]", "[PPO]", "[Run]", "[OPTIONS]", "[", "[]", "[x]", "# note"])


def assignments(sign: str, texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(keys, st.one_of(texts, words, numbers)).map(sign.join)


lines = st.one_of(assignments(" = ", one_line), headers, one_line)
options = st.one_of(assignments("=", anything), anything)


def outcome(path: Path, overrides: list[str]) -> LoadedConfig | ConfigurationError:
    try:
        return load_config(path, overrides)
    except ConfigurationError as error:
        return error


@QUICK
@given(content=st.binary(max_size=200))
def test_random_bytes_never_escape(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bytes.conf"
    path.write_bytes(content)
    ended = outcome(path, [])
    assert isinstance(ended, LoadedConfig) or str(ended).startswith(str(path))


@QUICK
@given(content=st.lists(lines, max_size=12), overrides=st.lists(options, max_size=3))
def test_random_settings_never_escape_and_each_message_has_one_line(
    tmp_path: Path, content: list[str], overrides: list[str]
) -> None:
    path = tmp_path / "lines.conf"
    path.write_text("\n".join(content), encoding="utf-8")
    ended = outcome(path, overrides)
    if isinstance(ended, ConfigurationError):
        for line in str(ended).splitlines():
            assert line.startswith((str(path), "--set "))
    else:
        assert isinstance(ended.config, Config)


@QUICK
@given(flat=st.dictionaries(keys, st.one_of(anything, words, numbers), max_size=8))
def test_random_stored_values_never_escape(flat: dict[str, str]) -> None:
    ended: Config | ConfigurationError
    try:
        ended = config_from_mapping(flat)
    except ConfigurationError as error:
        ended = error
    assert isinstance(ended, Config) or str(ended)
