from pathlib import Path

from configs.describe import describe_options, options_markdown
from configs.options import all_options

PAGE = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"


def test_the_page_in_docs_is_the_generated_one() -> None:
    assert PAGE.read_text(encoding="utf-8") == options_markdown(), (
        "stale: run `python -m configs.describe > docs/configuration.md`"
    )


def test_every_key_is_described_with_default_bounds_and_meaning() -> None:
    table, page = describe_options(), options_markdown()
    for option in all_options().values():
        assert option.help
        assert option.allowed
        assert f"{option.key} = {option.default}    ({option.allowed})" in table
        assert f"| `{option.key}` | {option.default} | {option.allowed} | {option.help} |" in page


def test_the_table_fits_a_terminal() -> None:
    assert max(len(line) for line in describe_options().splitlines()) <= 120
